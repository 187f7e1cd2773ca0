"""Where the user will want to edit next, and how, after what was just edited.

The index knows the places: uses of what was renamed, calls of what has other parameters, text like
that which was changed twice in the same way. No model is asked, so an answer costs milliseconds.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from indexer import Index, Symbol, language_of
from lsp_server.features.edit_history import EditHistory, Episode, trimmed
from lsp_server.features.parameters import NAME_FIRST, BracketList, Item, bracket_list

MAX_EDITS = 50
_MAX_USES = 300
_MAX_CALLS = 100
_IDENTIFIER = re.compile(r"[^\W\d]\w*")
_WORD = re.compile(rb"[\w$\x80-\xff]")
_FUNCTIONS = ("function", "method")
# So much text around a change makes it an example: a lone comma is none.
_LEAST_PATTERN = 4
_CONTEXT = 24


@dataclass(frozen=True, slots=True)
class NextEdit:
    """The bytes [start, end) of a file should become `text`; `why` is for a person."""

    path: str
    start: int
    end: int
    text: str
    why: str
    certain: bool = True


def next_edits(index: Index, history: EditHistory, path: str, offset: int) -> list[NextEdit]:
    """What follows from the latest episode, the place nearest behind the cursor first.

    `path` and `offset` are the cursor's; edits in its file come before those in others.
    """
    return ordered(filter(None, found_edits(index, history, path)), path, offset)


def found_edits(index: Index, history: EditHistory, path: str) -> Iterator[NextEdit | None]:
    """The same in no order, one by one; None now and then, where the caller may pause.

    After a pause in which the index or the history has changed, what follows is worthless.
    """
    if not history.episodes:
        return
    latest = history.episodes[0]
    for kind in (_renamed(index, latest), _new_parameters(index, latest)):
        is_any = False
        for edit in kind:
            is_any = is_any or edit is not None
            yield edit
        if is_any:
            return
    yield from _repeated(index, history, path)


def ordered(found: Iterable[NextEdit], path: str, offset: int) -> list[NextEdit]:
    """Edits by nearness to a cursor: behind it, before it, in other files."""
    edits = {(edit.path, edit.start, edit.end): edit for edit in found}

    def order(edit: NextEdit) -> tuple[bool, bool, str, int]:
        is_here = edit.path == path
        return (not is_here, is_here and edit.start < offset, edit.path, edit.start)

    return sorted(edits.values(), key=order)[:MAX_EDITS]


# Renamed


def _renamed(index: Index, episode: Episode) -> Iterator[NextEdit | None]:
    """Uses of a name that was changed where it is defined, or that nothing defines any more."""
    text = _text(index, episode.path)
    if text is None:
        return
    start, old, new = _words(text, trimmed(episode))
    if old == new or not (_IDENTIFIER.fullmatch(old) and _IDENTIFIER.fullmatch(new)):
        return
    symbol = next((one for one in index.symbols(episode.path) if one.name_start == start), None)
    why = f"{old} was renamed to {new}"
    if symbol is None:
        around = _function_around(index, episode.path, start)
        occurrences = index.occurrences_in(episode.path, start)
        binds = any(use.start == start and use.role == "definition" for use in occurrences)
        if around is not None and binds:
            yield from _uses_within(index, around, old, new, why)
            if around.name_end <= start < around.signature_end:
                yield from _keywords(index, around, old, new, why)
            return
        if not index.definitions_at(episode.path, start) or index.definitions_of(old):
            return
    for use in index.references_of(old)[:_MAX_USES]:
        # What still means something else is none of it.
        is_lost = not index.definitions_at(use.path, use.start)
        yield NextEdit(use.path, use.start, use.end, new, why) if is_lost else None


def _words(text: bytes, change: Episode) -> tuple[int, str, str]:
    """The whole word that a change is in: where it begins now, what it was, what it is."""
    start, end = change.start, change.end
    while start > 0 and _WORD.match(text, start - 1):
        start -= 1
    while end < len(text) and _WORD.match(text, end):
        end += 1
    head, tail = text[start : change.start], text[change.end : end]
    old = (head + change.old + tail).decode("utf-8", "replace")
    return start, old, text[start:end].decode("utf-8", "replace")


def _function_around(index: Index, path: str, offset: int) -> Symbol | None:
    around = [
        symbol
        for symbol in index.symbols(path)
        if symbol.kind in _FUNCTIONS and symbol.start <= offset < symbol.end
    ]
    return min(around, key=lambda symbol: symbol.end - symbol.start, default=None)


def _uses_within(
    index: Index, function: Symbol, old: str, new: str, why: str
) -> Iterator[NextEdit]:
    facts = index.facts(function.path)
    for use in facts.references_named(old) if facts is not None else ():
        if function.start <= use.start < function.end and use.role != "attribute":
            yield NextEdit(function.path, use.start, use.end, new, why)


def _keywords(index: Index, function: Symbol, old: str, new: str, why: str) -> Iterator[NextEdit]:
    """Arguments that are given by the name of a parameter that was renamed."""
    for path, arguments, text in _calls(index, function):
        for item in arguments.items:
            if item.keyword == old:
                start = _bytes(text, item.start)
                yield NextEdit(path, start, start + len(old.encode()), new, why)


# Other parameters


def _new_parameters(index: Index, episode: Episode) -> Iterator[NextEdit]:
    """Calls of a function whose list of parameters has one more or one less."""
    language, text = language_of(episode.path), _text(index, episode.path)
    function = _function_around(index, episode.path, episode.start)
    if text is None or function is None or language is None or language.name not in NAME_FIRST:
        return
    if not function.name_end <= episode.start <= function.signature_end:
        return
    whole = text.decode("utf-8", "replace")
    now = bracket_list(whole, len(text[: function.name_end].decode("utf-8", "replace")))
    old = text[: episode.start] + episode.old + text[episode.end :]
    before = bracket_list(
        old.decode("utf-8", "replace"), len(old[: function.name_end].decode("utf-8", "replace"))
    )
    if now is None or before is None:
        return
    receivers = language.receivers
    mine = [item for item in now.items if item.name not in receivers]
    theirs = [item for item in before.items if item.name not in receivers]
    gone = [at for at, item in enumerate(theirs) if item.name not in {one.name for one in mine}]
    new = [at for at, item in enumerate(mine) if item.name not in {one.name for one in theirs}]
    if len(gone) == 1 and not new:
        yield from _remove_argument(index, function, theirs, gone[0])
    elif len(new) == 1 and not gone and not mine[new[0]].has_default:
        yield from _add_argument(index, function, mine[new[0]].name, new[0], len(theirs))


def _remove_argument(
    index: Index, function: Symbol, parameters: list[Item], number: int
) -> Iterator[NextEdit]:
    name = parameters[number].name
    why = f"{function.name} has no parameter {name} any more"
    for path, arguments, text in _calls(index, function):
        keywords = [item.keyword for item in arguments.items]
        positional = next((at for at, keyword in enumerate(keywords) if keyword), len(keywords))
        if name in keywords:
            at = keywords.index(name)
        elif number < positional:
            at = number
        else:
            continue
        start, end = arguments.without(at)
        yield NextEdit(path, _bytes(text, start), _bytes(text, end), "", why, certain=False)


def _add_argument(
    index: Index, function: Symbol, name: str, number: int, before: int
) -> Iterator[NextEdit]:
    why = f"{function.name} has a new parameter {name}"
    for path, arguments, text in _calls(index, function):
        if len(arguments.items) > before or name in {item.keyword for item in arguments.items}:
            continue
        keywords = [at for at, item in enumerate(arguments.items) if item.keyword]
        if keywords and number >= keywords[0]:
            place, inserted = arguments.place_for(len(arguments.items), f"{name}={name}")
        elif number <= len(arguments.items):
            place, inserted = arguments.place_for(number, name)
        else:
            continue
        at = _bytes(text, place)
        yield NextEdit(path, at, at, inserted, why, certain=False)


def _calls(index: Index, function: Symbol) -> Iterator[tuple[str, BracketList, str]]:
    for call in index.callers(function)[:_MAX_CALLS]:
        text = _text(index, call.path)
        if text is None:
            continue
        whole = text.decode("utf-8", "replace")
        found = bracket_list(whole, len(text[: call.end].decode("utf-8", "replace")))
        if found is not None:
            yield call.path, found, whole


# The same again


def _repeated(index: Index, history: EditHistory, path: str) -> Iterator[NextEdit]:
    """Places like two that were changed in the same way."""
    text = _text(index, path)
    examples = [trimmed(one) for one in history.episodes if one.path == path][:4]
    if text is None or len(examples) < 2:
        return
    first = examples[0]
    second = next(
        (one for one in examples[1:] if (one.old, one.new) == (first.old, first.new)), None
    )
    if second is None or b"\n" in first.old + first.new:
        return
    before = _common_end(text[: first.start], text[: second.start])
    behind = _common_start(text[first.end :], text[second.end :])
    # As little around the change as makes it one of a kind.
    for left, right in ((b"", b""), (b"", behind), (before, behind)):
        pattern = left + first.old + right
        if len(re.findall(rb"\w", pattern)) >= _LEAST_PATTERN:
            break
    else:
        return
    new, why = first.new.decode("utf-8", "replace"), "the same was changed at two places"
    for match in re.finditer(re.escape(pattern), text):
        start = match.start() + len(left)
        is_done = any(one.start - len(left) <= match.start() < one.end for one in examples)
        if not is_done and _is_whole(text, *match.span()) and not _is_result(text, start, first):
            yield NextEdit(path, start, start + len(first.old), new, why)


def _is_whole(text: bytes, start: int, end: int) -> bool:
    """Whether words at both ends of a match end there."""
    goes_on = start > 0 and _WORD.match(text, start - 1) and _WORD.match(text, start)
    return not goes_on and not (
        end < len(text) and _WORD.match(text, end) and _WORD.match(text, end - 1)
    )


def _is_result(text: bytes, start: int, change: Episode) -> bool:
    """Whether the change has been made there already: what it adds stands there."""
    if not change.new.startswith(change.old) and not change.new.endswith(change.old):
        return False
    head = start - (len(change.new) - len(change.old))
    places = (text[max(0, head) : start + len(change.old)], text[start : start + len(change.new)])
    return change.new in places


def _common_end(one: bytes, other: bytes) -> bytes:
    """What two texts end with, on one line, in whole words and not more than matters."""
    size = 0
    while (
        size < min(len(one), len(other), _CONTEXT)
        and one[-1 - size] == other[-1 - size]
        and one[-1 - size] != ord("\n")
    ):
        size += 1
    common = one[len(one) - size :]
    # A word that goes on to the left differently is no part of it.
    cut = 0
    while cut < len(common) and _WORD.match(common, cut) and len(common) < len(one):
        cut += 1
    return common[cut:] if cut < len(common) else common


def _common_start(one: bytes, other: bytes) -> bytes:
    """What two texts begin with, likewise, and of a call no more than what is called."""
    size = 0
    while (
        size < min(len(one), len(other), _CONTEXT)
        and one[size] == other[size]
        and one[size] != ord("\n")
    ):
        size += 1
    common = one[: one.find(b"(", 0, size) + 1 or size]
    end = len(common)
    while end > 0 and _WORD.match(common, end - 1):
        end -= 1
    return common[:end] if end > 0 else common


def _text(index: Index, path: str) -> bytes | None:
    document = index.document(path)
    return document.text if document is not None else index.text_of(path)


def _bytes(text: str, offset: int) -> int:
    return len(text[:offset].encode("utf-8", "replace"))
