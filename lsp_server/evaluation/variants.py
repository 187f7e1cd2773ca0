"""Settings to compare: what ships, and the same with one part switched off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from lsp_server.settings import Settings


@dataclass(frozen=True, slots=True)
class Variant:
    """A name and the settings that it stands for; `raw` shows what the model wrote, unfiltered."""

    name: str
    what: str
    settings: Settings
    raw: bool = False


Changes = dict[str, dict[str, Any]]
SWITCHES: dict[str, tuple[str, Changes]] = {
    "no-retrieval": (
        "neither code of other places in the prompt nor the repository memory",
        {"context": {"max_tokens": 0}, "memory": {"enable": False}},
    ),
    "no-context": ("no code of other places in the prompt", {"context": {"max_tokens": 0}}),
    "no-memory": ("without the repository memory", {"memory": {"enable": False}}),
    "no-names": ("names that nothing knows are shown", {"completion": {"check_names": False}}),
    "no-confidence": (
        "everything is shown, however unsure",
        {"completion": {"min_confidence": 0.0}},
    ),
    "one-line": ("never several lines", {"completion": {"multiline": "never"}}),
}
RAW = "no-filters"


def variants(settings: Settings, names: Sequence[str]) -> list[Variant]:
    """The settings as they are, then the variants of these names. Raises KeyError."""
    found = [Variant("default", "as it ships", settings)]
    for name in names:
        if name == RAW:
            found.append(Variant(name, "what the model writes, cut at the line", settings, True))
            continue
        what, groups = SWITCHES[name]
        changed = settings
        for group, values in groups.items():
            changed = replace(changed, **{group: replace(getattr(changed, group), **values)})
        found.append(Variant(name, what, changed))
    return found
