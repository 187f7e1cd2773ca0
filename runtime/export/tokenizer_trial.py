"""Tries a tokenizer whose pattern nobody knows, in a process that may hang or die of it.

A regular expression can take time that grows exponentially with a text, and the library panics
where it gives up. Qwen's own pattern is known to be harmless; any other one is tried on texts that
are hard for such patterns and ordinary in code.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

from runtime.export.errors import ExportError
from runtime.export.sources.gguf_tokenizer import QWEN_PATTERN

_SECONDS = 20.0
_TRIAL = """
import json, sys
from runtime.tokenizer import Tokenizer
tokenizer = Tokenizer(json.load(sys.stdin))
for unit in ("a", " ", "\\n", "0", "_", "(", ".", "aA", "a ", "\\u00e9", "\\u4e2d", "/", "=-"):
    for end in ("", "!", " ", "b", "\\n"):
        tokenizer.encode(unit * (4000 // len(unit)) + end)
"""


def try_tokenizer(tokenizer: bytes, definition: dict[str, Any]) -> None:
    """Raise ExportError if a tokenizer fails at ordinary texts or takes too long for them."""
    unknown = [pattern for pattern in _patterns(definition) if pattern != QWEN_PATTERN]
    if not unknown:
        return
    shown = repr(unknown[0])[:80]
    command = [sys.executable, "-c", _TRIAL]
    try:
        done = subprocess.run(command, input=tokenizer, capture_output=True, timeout=_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise ExportError(
            f"the tokenizer cuts text by a pattern that takes more than {_SECONDS:.0f} s for a "
            f"page of it: {shown}"
        ) from error
    if done.returncode:
        raise ExportError(f"the tokenizer cuts text by a pattern that fails for some: {shown}")


def _patterns(value: Any) -> Iterator[str]:
    """Yield every regular expression of a definition, but not of its vocabulary."""
    if isinstance(value, dict):
        for key, item in value.items():
            if key == "Regex" and isinstance(item, str):
                yield item
            elif key != "model":
                yield from _patterns(item)
    elif isinstance(value, list):
        for item in value:
            yield from _patterns(item)
