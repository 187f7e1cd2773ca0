"""Patterns of ignore files, read as git reads them: gitignore(5) and the `wildmatch` of git.

All patterns of a file become one regular expression, the last pattern first: what matches is the
pattern that counts. Like git this works on bytes: `?` is one byte. Stars are written so that no
pattern, whoever wrote it, takes more than quadratic time.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

NEVER = b"(?!)"
SLASH, STAR, REST = b"/", b"*", b"**"
FOLDERS, SOME_FOLDERS = b"**/", rb"**\/"  # any number of folders, and at least one
SPECIAL = frozenset((SLASH, STAR, REST, FOLDERS, SOME_FOLDERS))
CLASSES = {
    b"alnum": re.compile(rb"[0-9A-Za-z]"),
    b"alpha": re.compile(rb"[A-Za-z]"),
    b"blank": re.compile(rb"[ \t]"),
    b"cntrl": re.compile(rb"[\x00-\x1f\x7f]"),
    b"digit": re.compile(rb"[0-9]"),
    b"graph": re.compile(rb"[!-~]"),
    b"lower": re.compile(rb"[a-z]"),
    b"print": re.compile(rb"[ -~]"),
    b"punct": re.compile(rb"[!-/:-@\[-`{-~]"),
    b"space": re.compile(rb"[ \t\n\r]"),
    b"upper": re.compile(rb"[A-Z]"),
    b"xdigit": re.compile(rb"[0-9A-Fa-f]"),
}


@dataclass(frozen=True, slots=True)
class Pattern:
    """One line of an ignore file."""

    expression: bytes
    excludes: bool  # False where the line begins with "!"
    is_for_names: bool  # matched with the last part of a path, not with all of it
    is_for_folders: bool  # matches nothing else


class Patterns:
    """The patterns of one ignore file. Paths are relative to its folder, with slashes."""

    def __init__(self, lines: Iterable[bytes]) -> None:
        read = [pattern for line in lines if (pattern := read_line(line)) is not None]
        self._excludes = [pattern.excludes for pattern in read]
        numbered = list(enumerate(read))[::-1]
        self._of_files, self._of_folders = (
            tuple(
                _Alternatives(
                    [
                        (number, pattern.expression)
                        for number, pattern in numbered
                        if pattern.is_for_names is names
                        and (is_folder or not pattern.is_for_folders)
                    ]
                )
                for names in (True, False)
            )
            for is_folder in (False, True)
        )

    def __bool__(self) -> bool:
        return bool(self._excludes)

    def excludes(self, path: bytes, is_folder: bool) -> bool | None:
        """Whether the last pattern that matches excludes the path; None if none matches.

        Only the path itself is looked at, not the folders above it.
        """
        of_names, of_paths = self._of_folders if is_folder else self._of_files
        number = max(of_names.first(path.rpartition(b"/")[2]), of_paths.first(path))
        return None if number < 0 else self._excludes[number]


class _Alternatives:
    """Numbered expressions, of which the first in order that matches is wanted."""

    def __init__(self, numbered: list[tuple[int, bytes]]) -> None:
        self._numbers = [number for number, _ in numbered]
        whole = b"|".join(b"(%s)" % expression for _, expression in numbered)
        self._match = re.compile(whole).fullmatch if numbered else None

    def first(self, text: bytes) -> int:
        """The number of the first expression that matches all of a text, -1 if none does."""
        match = self._match(text) if self._match is not None else None
        return (
            -1 if match is None or match.lastindex is None else self._numbers[match.lastindex - 1]
        )


def read_patterns(text: bytes) -> Patterns:
    """The patterns of an ignore file's text."""
    lines = text.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    return Patterns(line.removesuffix(b"\r") for line in lines)


def read_line(line: bytes) -> Pattern | None:
    """One line of an ignore file; None for comments and for what can never match."""
    if line.startswith(b"#"):
        return None
    line = _without_trailing_spaces(line.partition(b"\0")[0])
    excludes = not line.startswith(b"!")
    line = line.removeprefix(b"!")
    is_for_folders = line.endswith(b"/")
    line = line.removesuffix(b"/")
    is_for_names = b"/" not in line
    expression = _expression(line if is_for_names else line.removeprefix(b"/"))
    if not line or expression is None:
        return None
    return Pattern(expression, excludes, is_for_names, is_for_folders)


def _without_trailing_spaces(line: bytes) -> bytes:
    bare = line.rstrip(b" ")
    backslashes = len(bare) - len(bare.rstrip(b"\\"))
    return line[: len(bare) + 1] if backslashes % 2 else bare


def _expression(pattern: bytes) -> bytes | None:
    """A pattern as a regular expression; None if it cannot match."""
    tokens = _tokens(pattern)
    if tokens is None:
        return None
    deep = [at for at, token in enumerate(tokens) if token in (FOLDERS, SOME_FOLDERS, REST)]
    pieces = [_segment(tokens[: deep[0] if deep else len(tokens)])]
    for at, following in pairwise([*deep, len(tokens)]):
        segment = _segment(tokens[at + 1 : following])
        if tokens[at] == REST:
            pieces.append(b"(?s:.*)")
        elif following < len(tokens):
            # Another run of folders follows: the first place that fits is as good as any later.
            times = b"*?" if tokens[at] == FOLDERS else b"+?"
            pieces.append(b"(?>(?:[^/]*/)%s%s)" % (times, segment))
        else:
            pieces.append(b"(?:[^/]*/)%s%s" % (b"*" if tokens[at] == FOLDERS else b"+", segment))
    return b"".join(pieces)


def _segment(tokens: list[bytes]) -> bytes:
    """An expression for tokens without runs of folders."""
    pieces: list[bytes] = []
    at = 0
    while at < len(tokens):
        if tokens[at] != STAR:
            pieces.append(tokens[at])
            at += 1
            continue
        end = at + 1
        while end < len(tokens) and tokens[end] not in SPECIAL:
            end += 1
        fixed = b"".join(tokens[at + 1 : end])
        is_followed = end < len(tokens) and tokens[end] == STAR
        pieces.append((b"(?>[^/]*?%s)" if is_followed else b"[^/]*%s") % fixed)
        at = end
    return b"".join(pieces)


def _tokens(pattern: bytes) -> list[bytes] | None:
    """Special tokens, and expressions for one byte each."""
    tokens: list[bytes] = []
    at, is_literal = 0, True  # git compares what comes before the first sign by itself
    while at < len(pattern):
        byte = pattern[at : at + 1]
        if byte == b"*":
            end = at
            while pattern[end : end + 1] == b"*":
                end += 1
            token, at = _stars(pattern, at, end, is_literal)
            tokens.append(token)
        elif byte == b"[":
            bracket = _bracket(pattern + b"\0", at + 1)
            if bracket is None:
                return None
            token, at = bracket
            tokens.append(token)
        else:
            if byte == b"\\":
                at += 1
            byte_meant = pattern[at : at + 1]
            if not byte_meant:
                return None
            tokens.append(b"[^/]" if byte == b"?" else re.escape(byte_meant))
            at += 1
        is_literal = is_literal and byte not in b"*?[\\"
    return tokens


def _stars(pattern: bytes, start: int, end: int, is_start: bool) -> tuple[bytes, int]:
    """The token for the stars in start..end, and where to read on."""
    begins = is_start or start == 0 or pattern[start - 1 : start] == b"/"
    if end - start > 1 and begins:
        if end == len(pattern):
            return REST, end
        if pattern[end : end + 1] == b"/":
            return FOLDERS, end + 1
        if pattern[end : end + 2] == b"\\/":
            return SOME_FOLDERS, end + 2
    return STAR, end


def _bracket(pattern: bytes, at: int) -> tuple[bytes, int] | None:
    """An expression for the set that begins after "[", and where to read on; None if malformed.

    `pattern` ends with a NUL, which stands in no pattern.
    """
    is_negated = pattern[at] in b"!^"
    at += is_negated
    found: set[int] = set()
    before = 0  # the byte that a range may begin with, 0 if none
    while True:
        byte = pattern[at]
        if not byte:
            return None
        if byte == ord("-") and before and pattern[at + 1] not in b"]\0":
            at += 1
            if pattern[at] == ord("\\"):
                at += 1
            if not pattern[at]:
                return None
            found.update(range(before, pattern[at] + 1))
            before = 0
        elif byte == ord("[") and pattern[at + 1] == ord(":"):
            end = pattern.find(b"]", at + 2)
            if end < 0:
                return None
            if end > at + 2 and pattern[end - 1] == ord(":"):
                kind = CLASSES.get(pattern[at + 2 : end - 1])
                if kind is None:
                    return None
                found.update(value for value in range(1, 256) if kind.match(bytes((value,))))
                before, at = 0, end
            else:
                found.add(byte)
                before = byte
        else:
            if byte == ord("\\"):
                at += 1
                byte = pattern[at]
                if not byte:
                    return None
            found.add(byte)
            before = byte
        at += 1
        if pattern[at] == ord("]"):
            break
    if is_negated:
        found = set(range(1, 256)) - found
    found.discard(ord("/"))
    one_of = b"".join(b"\\x%02x" % value for value in sorted(found))
    return (b"[%s]" % one_of if found else NEVER), at + 1
