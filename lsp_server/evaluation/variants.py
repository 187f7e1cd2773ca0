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


SWITCHES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "no-context": ("no code of other places in the prompt", "context", {"max_tokens": 0}),
    "no-memory": ("the model alone, without the repository memory", "memory", {"enable": False}),
    "no-names": ("names that nothing knows are shown", "completion", {"check_names": False}),
    "no-confidence": ("everything is shown, however unsure", "completion", {"min_confidence": 0.0}),
    "one-line": ("never several lines", "completion", {"multiline": "never"}),
}
RAW = "no-filters"


def variants(settings: Settings, names: Sequence[str]) -> list[Variant]:
    """The settings as they are, then the variants of these names. Raises KeyError."""
    found = [Variant("default", "as it ships", settings)]
    for name in names:
        if name == RAW:
            found.append(Variant(name, "what the model writes, cut at the line", settings, True))
            continue
        what, group, values = SWITCHES[name]
        changed = replace(settings, **{group: replace(getattr(settings, group), **values)})
        found.append(Variant(name, what, changed))
    return found
