"""Traits and modules that the body of a class takes in: PHP's `use`, Ruby's `include`."""

from __future__ import annotations

from collections.abc import Iterator

from indexer.facts import CONTAINERS, Symbol
from indexer.language import Language
from indexer.outline import Outline


def mixed_in(language: Language | None, outline: Outline | None, cls: Symbol) -> Iterator[str]:
    """Their names as written. An import inside of a class is one in languages that have them."""
    if language is None or outline is None or not language.mixins:
        return
    inner = [one for one in outline.members(cls.index) if one.kind in CONTAINERS]
    for clause in outline.facts.imports:
        start = clause.start
        inside = cls.signature_start < start < cls.end
        if inside and not any(one.start <= start < one.end for one in inner):
            yield from (there for there, _ in clause.names)
