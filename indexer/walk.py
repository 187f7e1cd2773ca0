"""Finds source files under the roots and reads them, as the rules allow."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

from indexer.extract import extract
from indexer.facts import FileFacts
from indexer.ignore import Rules, Verdict, content_verdict
from indexer.language import language_of


@dataclass(frozen=True, slots=True)
class Found:
    """A path that a walk came upon, and whether it should be read."""

    path: str
    size: int
    verdict: Verdict


def walk(rules: Rules, starts: tuple[str, ...]) -> Iterator[Found]:
    """Files of known languages under folders; excluded folders are not even listed.

    Links are never followed: what they lead to is either found under its own path or lies outside.
    """
    seen: set[str] = set()
    pending = [start for start in reversed(starts) if rules.folder_verdict(start).allowed]
    while pending:
        folder = pending.pop()
        if folder in seen:
            continue
        seen.add(folder)
        for entry in _entries(folder):
            try:
                if entry.is_dir(follow_symlinks=False):
                    if rules.folder_verdict(entry.path).allowed:
                        pending.append(entry.path)
                elif language_of(entry.name) is not None and entry.is_file():
                    yield _found(rules, entry)
            except OSError:  # it vanished while we looked
                continue


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name, reverse=True)
    except OSError:  # unreadable, or gone
        return []


def _found(rules: Rules, entry: os.DirEntry[str]) -> Found:
    size = entry.stat(follow_symlinks=False).st_size
    verdict = rules.verdict(entry.path, size, is_link=entry.is_symlink())
    return Found(entry.path, size, verdict)


def read_source(path: str, rules: Rules) -> tuple[bytes | None, str]:
    """The text of a file and "", or None and why it is not read.

    The reason is "" too when there is no such file.
    """
    try:
        size = os.stat(path).st_size  # noqa: PTH116 - on the path of a keystroke
        verdict = rules.verdict(path, size)
        if not verdict.allowed:
            return None, verdict.reason
        with open(path, "rb") as file:  # noqa: PTH123
            text = file.read(rules.config.max_file_bytes + 1)
    except FileNotFoundError:
        return None, ""
    except OSError as error:
        return None, f"cannot be read: {error.strerror}"
    if len(text) > rules.config.max_file_bytes:
        return None, f"more than {rules.config.max_file_bytes} bytes"
    verdict = content_verdict(text)
    return (text, "") if verdict.allowed else (None, verdict.reason)


def facts_of_file(path: str, rules: Rules) -> tuple[FileFacts | None, str]:
    """The facts of a file on disk, or None and why there are none ("" if the file is gone)."""
    language = language_of(path)
    if language is None:
        return None, "not in a known language"
    text, reason = read_source(path, rules)
    return (None, reason) if text is None else (extract(path, language, text), "")
