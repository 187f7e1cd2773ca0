"""Finds keys where none belong: in settings, which editors keep in files and send around."""

from __future__ import annotations

import re
from collections.abc import Container, Mapping
from typing import Any

_NAME_OF_SECRET = re.compile(
    r"(?:key|token|secret|password|passwd|authorization|bearer|credentials?|headers?(?:\..*)?)$",
    re.IGNORECASE,
)
_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]{0,63}")
ADVICE = (
    "put the key into an environment variable and its name into sopilka.remote.keyVariable, or let "
    "the editor hand it over from its secret store; the remote model is off until then"
)


def secrets_in(sent: Mapping[str, Any], known: Container[str]) -> dict[str, str]:
    """What is, or may be, a secret among settings by their names: each with what to do about it.

    The values are not repeated.
    """
    found = {}
    for key, value in sent.items():
        if key not in known and _NAME_OF_SECRET.search(key) and value not in (None, "", {}):
            found[key] = f"is a key, which does not belong into settings: {ADVICE}"
    variable, url = sent.get("remote.keyVariable"), sent.get("remote.url")
    if isinstance(variable, str) and variable and not _VARIABLE.fullmatch(variable):
        found["remote.keyVariable"] = (
            "must be the name of an environment variable, such as MODELS_KEY, and what it has "
            f"looks like a key: {ADVICE}"
        )
    if isinstance(url, str) and re.search(r"[@?#]", url):
        found["remote.url"] = f"holds a name, a key or a question: {ADVICE}"
    return found
