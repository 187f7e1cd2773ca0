"""Reads JSON that nobody vouches for: its size, its number of values and its names are bounded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from runtime.export.errors import ExportError

# A value of one character can become an object of fifty bytes, so values are counted first.
MAX_VALUES = 3_000_000
CONFIG_BYTES = 16 * 2**20
INDEX_BYTES = 64 * 2**20
TOKENIZER_BYTES = 64 * 2**20


def read_small(path: Path, limit: int) -> bytes:
    """Return the content of a regular file. Raises ExportError where it is larger than `limit`."""
    try:
        if not path.is_file():
            state = "is no regular file" if path.exists() else "No such file or directory"
            raise ExportError(f"cannot read {path}: {state}")
        with path.open("rb") as file:
            content = file.read(limit + 1)
    except OSError as error:
        raise ExportError(f"cannot read {path}: {error.strerror or error}") from error
    except ValueError as error:  # A name with a NUL in it.
        raise ExportError(f"cannot read {str(path)!r}: {error}") from error
    if len(content) > limit:
        raise ExportError(f"{path} has more than {limit} bytes, which no such file needs")
    return content


def read_json(path: Path, limit: int = CONFIG_BYTES) -> dict[str, Any]:
    """Return the JSON object in a file. Raises ExportError in one line."""
    return parse_object(read_small(path, limit), str(path))


def parse_object(text: bytes, where: str) -> dict[str, Any]:
    """Return a JSON object whose names differ from one another. Raises ExportError in one line."""
    if sum(map(text.count, (b",", b"[", b"{"))) > MAX_VALUES:
        raise ExportError(f"{where} holds more than {MAX_VALUES} values")
    try:
        value = json.loads(text, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise ExportError(f"{where} is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise ExportError(f"{where} must hold a JSON object")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"the name {name[:60]!r} stands there twice")
        found[name] = value
    return found
