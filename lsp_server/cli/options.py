"""What several commands take: settings, a folder, a place in a file; and the checks of each."""

from __future__ import annotations

import argparse
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from indexer import LineIndex, Rules
from indexer.walk import read_source
from lsp_server.session import index_config
from lsp_server.settings import SECTION, Settings, from_client
from lsp_server.user_files import user_settings


class BadInput(Exception):
    """What the user gave cannot be used; the message says why and what would be right."""


@dataclass(frozen=True, slots=True)
class Target:
    """FILE:LINE:COL as given, both counted from 1."""

    file: Path
    line: int
    column: int


def add_settings(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--set",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        dest="settings",
        help="a setting, such as completion.maxTokens=20 or engine.bundle=DIR (docs/settings.md)",
    )


def read_settings(pairs: list[str]) -> Settings:
    """The settings of `--set` options over those of the user's file. Raises BadInput."""
    sent: dict[str, Any] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals:
            raise BadInput(f"--set {pair}: must be KEY=VALUE, such as completion.maxTokens=20")
        key = key.removeprefix(f"{SECTION}.")
        sent[key] = _value(value)
    own, problems = user_settings()
    if not problems:
        settings, problems = from_client(sent, own, own)
    if problems:
        raise BadInput("; ".join(f"setting {bad.key} {bad.message}" for bad in problems))
    return settings


def _value(text: str) -> Any:
    """A JSON value, or the text itself: paths need no quotes."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def parse_target(text: str) -> Target:
    """Reads FILE:LINE:COL. Raises BadInput."""
    match = re.fullmatch(r"(.+):(\d{1,9}):(\d{1,9})", text)
    if match is None or int(match[2]) < 1 or int(match[3]) < 1:
        raise BadInput(
            f"{text}: must be FILE:LINE:COL with line and column counted from 1, "
            "such as src/app.py:12:9"
        )
    return Target(Path(match[1]), int(match[2]), int(match[3]))


def folder(path: Path) -> Path:
    """An existing folder, absolute. Raises BadInput."""
    if not path.exists():
        raise BadInput(f"{path}: no such folder")
    if not path.is_dir():
        raise BadInput(f"{path} is a file; a folder is needed")
    return path.resolve()


def root_of(file: Path) -> Path:
    """The repository that holds a file; its folder where there is none."""
    return next((up for up in file.parents if (up / ".git").exists()), file.parent)


def read_text(file: Path, root: Path, settings: Settings) -> bytes:
    """The text of a file, if the rules of the index let it be read. Raises BadInput."""
    if not file.exists():
        raise BadInput(f"{file}: no such file")
    if file.is_dir():
        raise BadInput(f"{file} is a folder; name a file in it, with line and column")
    rules = Rules((str(root),), index_config(settings.index))
    text, reason = read_source(str(file.resolve()), rules)
    if text is None:
        is_large = file.exists() and file.stat().st_size > rules.config.max_file_bytes
        advice = f" (setting {SECTION}.index.maxFileKb)" if is_large else ""
        raise BadInput(f"{file} is not read: {reason or 'it vanished'}{advice}")
    return text


def offset_of(text: bytes, target: Target) -> int:
    """The byte offset of a line and column that editors show. Raises BadInput."""
    lines = LineIndex(text)
    if target.line > lines.line_count:
        raise BadInput(
            f"{target.file}:{target.line}: the line is past the end of the file, "
            f"which has {lines.line_count} lines"
        )
    start, end = lines.line_start(target.line - 1), lines.line_end(target.line - 1)
    length = len(text[start:end].decode("utf-8", "replace"))
    if target.column > length + 1:
        raise BadInput(
            f"{target.file}:{target.line}:{target.column}: the column is past the end of the line, "
            f"whose last column is {length + 1}"
        )
    return lines.offset_of(target.line - 1, target.column - 1, "utf-32")
