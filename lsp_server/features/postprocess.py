"""From what the model wrote to what is shown: small filters in one ordered table.

Each takes the text and the place and returns the text that is left; an empty text means that
nothing is shown. Each exists because of a failure that was seen in the field, and has its test.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from lsp_server.features.place import Place, indent_of, opens_block

Filter = Callable[[str, Place], str]

_MARKER = re.compile(r"<\|[a-z_]{2,24}\|>|<(?:PRE|SUF|MID|EOT)>|</?think>")
_FENCE = re.compile(r"^(?:```|diff --git )", re.MULTILINE)
_END_OF_LINE_REPEATS = re.compile(r"(.{3,}?)\1{5,}$|(.{10,}?)\2{3,}$")
_OPEN = {"(": ")", "[": "]", "{": "}"}
_CLOSE = {closer: opener for opener, closer in _OPEN.items()}


@dataclass(frozen=True, slots=True)
class Filtered:
    """What is left of a text; `dropped_by` names the filter that left nothing."""

    text: str
    dropped_by: str | None = None


def postprocess(text: str, place: Place) -> Filtered:
    """The text after all filters, in the order of the table below."""
    for rule in FILTERS:
        text = rule(text, place)
        if not text.strip():
            return Filtered("", rule.__name__)
    return Filtered(text)


def cut_at_markers(text: str, place: Place) -> str:
    """Stop at text that only a prompt or a chat has: control tokens, fences, diff headers."""
    match = _MARKER.search(text)
    text = text[: match.start()] if match else text
    if place.language not in ("markdown", "restructuredtext"):
        match = _FENCE.search(text)
        text = text[: match.start()] if match else text
    return text


def cut_lines(text: str, place: Place) -> str:
    """One line, unless several belong here. CR LF becomes LF; the editor's own comes back later."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text if place.multiline else text.split("\n", 1)[0]


def cut_at_scope_end(text: str, place: Place) -> str:
    """Stop where the block ends: at a line that is less indented than the block's first.

    A line of closing brackets still belongs to the block, unless it stands below already.
    """
    if not place.multiline:
        return text
    lines = text.split("\n")
    return "\n".join(lines[: _scope_end(lines, place)])


def cut_repetition(text: str, place: Place) -> str:
    """Stop before the model goes round in circles, within a line or over lines."""
    kept: list[str] = []
    for line in text.split("\n"):
        if _END_OF_LINE_REPEATS.search(line):
            break
        kept.append(line)
        surplus = _surplus(kept)
        if surplus:
            return "\n".join(kept[:-surplus])
    return "\n".join(kept)


def cut_at_text_below(text: str, place: Place) -> str:
    """Stop where the suggestion begins to write what already stands below the cursor."""
    below = place.line_below.strip()
    if len(below) < 3:
        return text
    lines = text.split("\n")
    for number, line in enumerate(lines):
        whole = place.line_before + line if number == 0 else line
        if whole.strip() == below:
            return "\n".join(lines[:number])
    return text


def drop_copy_of_line_above(text: str, place: Place) -> str:
    """A line that is the one above over again is nearly always a mistake."""
    first = (place.line_before + text.split("\n", 1)[0]).strip()
    if len(first) >= 8 and first == place.line_above.strip():
        return ""
    return text


def match_indentation(text: str, place: Place) -> str:
    """Indent as the file does: no tabs where it has spaces, no spaces where it has tabs."""
    if "\n" not in text:
        return text
    indents = [line[0] for line in (*place.above, *place.below) if line[:1] in (" ", "\t")]
    if not indents:
        return text
    wants_tabs = indents.count("\t") > indents.count(" ")
    first, *rest = text.split("\n")
    return "\n".join([first, *(_reindent(line, wants_tabs, place.tab_size) for line in rest)])


def strip_trailing_space(text: str, place: Place) -> str:
    """No white space at the ends of lines, and no blank lines at the end."""
    return "\n".join(line.rstrip() for line in text.split("\n")).rstrip()


def drop_double_space(text: str, place: Place) -> str:
    """No second space where the cursor already follows one."""
    if place.line_before.endswith((" ", "\t")) and place.line_before.strip():
        return text.lstrip(" \t")
    return text


def drop_noise(text: str, place: Place) -> str:
    """An empty comment, or a lone quote or comma, helps nobody."""
    if text.strip() in ("#", "//", "/*", "*/", "--", '"', "'", '"""', "'''", "`", ",", ";", "\\"):
        return ""
    return text


FILTERS: tuple[Filter, ...] = (
    cut_at_markers,
    cut_lines,
    cut_at_scope_end,
    cut_repetition,
    cut_at_text_below,
    drop_copy_of_line_above,
    match_indentation,
    drop_double_space,
    strip_trailing_space,
    drop_noise,
)


def is_enough(text: str, place: Place) -> bool:
    """Whether what follows would be cut off anyway: then the model need not write it."""
    if not place.multiline:
        return "\n" in text
    whole = text.split("\n")[:-1]
    if not whole:
        return False
    end = _scope_end(whole, place)
    return (
        end < len(whole)
        or _scope_has_closed(whole, place)
        or any(_surplus(whole[:count]) for count in range(1, len(whole) + 1))
    )


def replaced_after(text: str, place: Place) -> int:
    """How many characters behind the cursor the suggestion replaces.

    An editor closes brackets by itself, and a model that cannot see behind the cursor closes them
    again. Among the ways to overlap the suggestion with the rest of the line, the longest that
    leaves the brackets balanced wins.
    """
    after = place.line_after
    if not after.strip() or "\n" in text:
        return 0
    ways = {size for size in range(1, len(after) + 1) if text.endswith(after[:size])}
    closing = after.rstrip()
    if _is_subsequence(closing, text):
        ways.add(len(closing))
    if not ways:
        return 0
    wanted = bracket_balance(place.line_before + after)
    balanced = [
        size
        for size in sorted({0, *ways}, reverse=True)
        if bracket_balance(place.line_before + text + after[size:]) == wanted
    ]
    return balanced[0] if balanced else max(ways)


def unclosed(text: str) -> str:
    """The closers of brackets that the text opens and leaves open, in the order of closing."""
    stack: list[str] = []
    for character in code_only(text):
        if character in _OPEN:
            stack.append(_OPEN[character])
        elif stack and character == stack[-1]:
            stack.pop()
    return "".join(reversed(stack))


def first_unmatched_closer(text: str) -> int | None:
    """Where the text closes a bracket that it did not open."""
    stack: list[str] = []
    for place, character in enumerate(code_only(text)):
        if character in _OPEN:
            stack.append(character)
        elif character in _CLOSE:
            if not stack or stack[-1] != _CLOSE[character]:
                return place
            stack.pop()
    return None


def bracket_balance(text: str) -> tuple[int, ...]:
    """Opened minus closed, for each kind of bracket."""
    code = code_only(text)
    return tuple(code.count(opener) - code.count(closer) for opener, closer in _OPEN.items())


def code_only(text: str) -> str:
    """The text with the insides of simple strings blanked, offsets unchanged."""
    return re.sub(
        r"\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'", lambda match: "_" * len(match[0]), text
    )


def _scope_end(lines: list[str], place: Place) -> int:
    """How many of the lines belong to the block at the cursor; the first continues its line."""
    base = _base_indent(lines, place)
    for number, line in enumerate(lines[1:], 1):
        if line.strip() and indent_of(line) < base:
            closes = _only_closes(line) and not _only_closes(place.line_below)
            return number + 1 if closes else number
    return len(lines)


def _scope_has_closed(lines: list[str], place: Place) -> bool:
    return (
        len(lines) > 1
        and _only_closes(lines[-1])
        and indent_of(lines[-1]) < _base_indent(lines, place)
    )


def _base_indent(lines: list[str], place: Place) -> int:
    """The indentation that the block's lines have at least."""
    if place.line_before.strip() and not opens_block(place.line_before):
        return indent_of(place.line_before)
    first = next((line for line in lines[1:] if line.strip()), "")
    if not place.line_before.strip():
        return indent_of(place.line_before + lines[0]) if lines[0].strip() else indent_of(first)
    # Behind an opener: less than one step deeper means that the block stays empty.
    return max(indent_of(first), indent_of(place.line_before) + 1)


def _only_closes(line: str) -> bool:
    code = line.strip()
    return bool(code) and all(character in ")]};," for character in code)


def _reindent(line: str, tabs: bool, size: int) -> str:
    code = line.lstrip(" \t")
    width = indent_of(line, size)
    return ("\t" * (width // size) + " " * (width % size) if tabs else " " * width) + code


def _surplus(lines: list[str]) -> int:
    """How many of the last lines only say again what the lines before them say.

    Two or more lines that repeat as a group, or the last of four that are alike.
    """
    said = [line.strip() for line in lines]
    if len(said) >= 4 and said[-1] and len(set(said[-4:])) == 1:
        return 3
    for size in range(2, len(said) // 2 + 1):
        if said[-size:] == said[-2 * size : -size] and sum(map(bool, said[-size:])) >= 2:
            return size
    return 0


def _is_subsequence(short: str, long: str) -> bool:
    rest = iter(long)
    return all(character in rest for character in short)
