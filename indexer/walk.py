"""Lists folders and reads source files, as the rules allow."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass

from indexer.disk import read_regular
from indexer.ignore import PATTERN_FILES, Rules, content_verdict
from indexer.known import UNKNOWN, settled_state, state_of
from indexer.language import language_of

PIECE = 512
OWN_FOLDERS = frozenset({".git", ".hg", ".svn", ".jj"})
"""Folders of version control: nobody wonders why they are not looked into."""


@dataclass(frozen=True, slots=True)
class Found:
    """A file that a folder holds."""

    path: str
    size: int
    state: int  # see indexer.known.state_of
    reason: str  # why it is not read, "" if it should be


@dataclass(frozen=True, slots=True)
class Listing:
    """What a folder holds of files in known languages and of folders; a large one in pieces."""

    folder: str
    files: tuple[Found, ...]
    folders: tuple[str, ...]
    skipped: tuple[tuple[str, str], ...]  # folders that are not looked into, and why


def list_folder(rules: Rules, folder: str) -> Iterator[Listing]:
    """The pieces of a folder. Folders that the rules exclude are named, and never listed.

    Links are never followed: what they lead to is either found under its own path or lies outside.
    """
    names: list[tuple[str, bool]] = []  # paths of files, and whether they are links
    inside: list[os.DirEntry[str]] = []
    patterns: set[str] = set()  # ignore files
    skipped: list[tuple[str, str]] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name in PATTERN_FILES:
                    patterns.add(entry.name)
                if _is_folder(entry):
                    inside.append(entry)
                elif language_of(entry.name) is not None:
                    names.append((entry.path, entry.is_symlink()))
        rules.saw(folder, patterns)
    except OSError as error:
        if not isinstance(error, FileNotFoundError):
            skipped.append((folder, f"the folder cannot be read: {error.strerror or error}"))
    folders: list[str] = []
    for entry in inside:
        verdict = rules.folder_verdict(entry.path)
        if verdict.allowed:
            folders.append(entry.path)
        elif entry.name not in OWN_FOLDERS:
            skipped.append((entry.path, verdict.reason))
    names.sort()
    folders.sort()
    first = names[:PIECE]
    yield Listing(folder, _files(rules, folder, first), tuple(folders), tuple(sorted(skipped)))
    for start in range(PIECE, len(names), PIECE):
        yield Listing(folder, _files(rules, folder, names[start : start + PIECE]), (), ())


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir(follow_symlinks=False)
    except OSError:  # a folder of which only the names may be read
        return False


def _files(rules: Rules, folder: str, names: list[tuple[str, bool]]) -> tuple[Found, ...]:
    found: list[Found] = []
    root = rules.root_of(folder)
    for path, is_link in names:
        try:
            status = os.lstat(path)
        except OSError as error:
            if not isinstance(error, FileNotFoundError):
                found.append(Found(path, 0, UNKNOWN, f"cannot be read: {error.strerror}"))
            continue
        if root is None:
            verdict = rules.verdict(path, status.st_size, is_link)
        else:
            verdict = rules.verdict_in(root, path, status.st_size, is_link)
        reason = verdict.reason
        if verdict.allowed and not stat.S_ISREG(status.st_mode):
            reason = "cannot be read: not a regular file"
        found.append(Found(path, status.st_size, state_of(status), reason))
    return tuple(found)


def read_source(path: str, rules: Rules) -> tuple[bytes | None, str]:
    """The text of a file and "", or None and why it is not read.

    The reason is "" too when there is no such file.
    """
    text, reason, _ = read_with_state(path, rules)
    return text, reason


def read_with_state(path: str, rules: Rules) -> tuple[bytes | None, str, int]:
    """As `read_source`, and the file's state, UNKNOWN while it may still be changing."""
    try:
        verdict = rules.verdict_of(path, os.lstat(path))
    except OSError as error:
        return None, _unreadable(error), UNKNOWN
    return read_allowed(path, rules) if verdict.allowed else (None, verdict.reason, UNKNOWN)


def read_allowed(path: str, rules: Rules) -> tuple[bytes | None, str, int]:
    """As `read_with_state`, of a file that the rules let pass by its name, place and size."""
    limit = rules.config.max_file_bytes
    try:
        text, status = read_regular(path, limit)
    except (OSError, ValueError) as error:
        return None, _unreadable(error), UNKNOWN
    if len(text) > limit:
        return None, f"more than {limit} bytes", UNKNOWN
    verdict, state = content_verdict(text), settled_state(status)
    return (text, "", state) if verdict.allowed else (None, verdict.reason, state)


def _unreadable(error: Exception) -> str:
    """Why a file cannot be read, "" if it is not there."""
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return ""
    return f"cannot be read: {getattr(error, 'strerror', None) or error}"
