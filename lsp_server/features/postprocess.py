"""From what the model wrote to what is shown: small filters in one ordered table.

Each takes the text and the place and returns the text that is left; an empty text means that
nothing is shown. Each exists because of a failure that was seen in the field, and has its test.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from lsp_server.features.brackets import bracket_balance
from lsp_server.features.place import Place, indent_of, opens_block
from lsp_server.features.repetition import are_near, cut_repetition, surplus

Filter = Callable[[str, Place], str]

_MARKER = re.compile(r"<\|[a-z_]{2,24}\|>|<(?:PRE|SUF|MID|EOT)>|</?think>")
_FENCE = re.compile(r"^(?:```|diff --git )", re.MULTILINE)
_THOUGHT = re.compile(r"\A\s*<think>.*?(?:</think>\s*|\Z)", re.DOTALL)
_PREAMBLE = re.compile(
    r"\A\s*(?:sure|certainly|of course|okay|here(?:'s| is| are)|the (?:completed|missing)) "
    r"?[^\n(){}=]*:[ \t]*\n\s*?(?=\S)",
    re.IGNORECASE,
)
_FENCED = re.compile(r"\A\s*```[\w+#.-]*[ \t]*\n(.*?)(?:^[ \t]*```.*|\Z)", re.DOTALL | re.MULTILINE)
# A comment, or nothing but it, that names a file: the head of the next file of a prompt.
_FILE_HEADER = re.compile(
    r"^[ \t]*(?:(?:#|//|--|/\*)[ \t]*)?(?:(?:file|path|filename):[ \t]*)?"
    r"(?:[\w@-][\w.@-]*/)+[\w@-][\w.@-]*\.\w{1,5}[ \t]*(?:\*/)?[ \t]*$",
    re.MULTILINE | re.IGNORECASE,
)
_PROSE = frozenset(("markdown", "restructuredtext", "latex", "plaintext"))
# Lines of these may be nothing but a path.
_PATHS = _PROSE | {"yaml", "toml", "json", "bash", "html", None}
_ONLY_CLOSES = re.compile(r"[)\]};,]+|end[)\];,.]*|fi|done|esac")
_NOISE = frozenset(("#", "//", "/*", "*/", "--", '"', "'", '"""', "'''", "`", "\\", "<!--", "-->"))
_SHORT = 3


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


def unwrap_answer(text: str, place: Place) -> str:
    """Without what a chat model puts around code: thoughts, a sentence before it, a fence."""
    text = _THOUGHT.sub("", text)
    if place.language in _PROSE:
        return text
    text = _PREAMBLE.sub("", text)
    fenced = _FENCED.match(text)
    return fenced[1] if fenced else text


def cut_at_markers(text: str, place: Place) -> str:
    """Stop at text that only a prompt or a chat has: control tokens, fences, diff headers."""
    match = _MARKER.search(text)
    text = text[: match.start()] if match else text
    if place.language not in _PROSE:
        match = _FENCE.search(text)
        text = text[: match.start()] if match else text
    return text


def cut_at_file_header(text: str, place: Place) -> str:
    """Stop where the model begins another file, as its prompts do: a line that is a path."""
    if place.language in _PATHS:
        return text
    for match in _FILE_HEADER.finditer(text):
        # What continues the cursor's line is part of its code.
        if match.start() or not place.line_before.strip():
            return text[: match.start()]
    return text


def cut_lines(text: str, place: Place) -> str:
    """One line, unless several belong here. CR LF becomes LF; the editor's own comes back later."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text if place.multiline else text.split("\n", 1)[0]


def cut_at_scope_end(text: str, place: Place) -> str:
    """Stop where the block ends: at a line that is less indented than the block's first.

    A line that only closes still belongs to the block, unless it stands below already.
    """
    if not place.multiline:
        return text
    lines = text.split("\n")
    return "\n".join(lines[: _scope_end(lines, place)])


def cut_at_text_below(text: str, place: Place) -> str:
    """Stop where the suggestion begins to write what already stands below the cursor.

    Long lines count as the same if they nearly are.
    """
    below = place.line_below.strip()
    if len(below) < 3:
        return text
    lines = text.split("\n")
    for number, line in enumerate(lines):
        whole = place.line_before + line if number == 0 else line
        if are_near(whole.strip(), below, 0.05):
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
    """An empty comment helps nobody, nor do a few signs that neither open nor close anything."""
    code = text.strip()
    if code in _NOISE:
        return ""
    is_short = len(code) <= _SHORT and not any(sign.isalnum() or sign in "([{:" for sign in code)
    if is_short and place.line_before.strip():
        before = bracket_balance(place.line_before)
        after = bracket_balance(place.line_before + code)
        closes = sum(map(abs, after)) < sum(map(abs, before))
        return text if closes else ""
    return text


FILTERS: tuple[Filter, ...] = (
    unwrap_answer,
    cut_at_markers,
    cut_at_file_header,
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
    text = unwrap_answer(text, place)
    if not place.multiline:
        return "\n" in text
    whole = text.split("\n")[:-1]
    if not whole:
        return False
    end = _scope_end(whole, place)
    return (
        end < len(whole)
        or _scope_has_closed(whole, place)
        or any(surplus(whole[:count]) for count in range(1, len(whole) + 1))
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
    return _ONLY_CLOSES.fullmatch(line.strip()) is not None


def _reindent(line: str, tabs: bool, size: int) -> str:
    code = line.lstrip(" \t")
    width = indent_of(line, size)
    return ("\t" * (width // size) + " " * (width % size) if tabs else " " * width) + code
