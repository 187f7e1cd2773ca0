"""What was typed, pasted, deleted or undone, and what follows for suggestions."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from indexer import ByteEdit
from lsp_server.features.typing import UNWANTED_SECONDS, Typing

PATH = "a.py"


class Editor:
    """A text, its changes, and what is known of them."""

    def __init__(self, text: str) -> None:
        self.text, self.now, self.typing = text.encode(), 0.0, Typing()

    def change(self, *edits: tuple[int, int, str], accepted: bool = False, path: str = PATH) -> str:
        before = self.text
        changes = [ByteEdit(start, end, text.encode()) for start, end, text in edits]
        for start, end, text in edits:
            self.text = self.text[:start] + text.encode() + self.text[end:]
        self.typing.note(path, before, self.text, changes, accepted, self.now)
        return self.why()

    def type(self, text: str) -> str:
        for character in text:
            self.change((len(self.text), len(self.text), character))
        return self.why()

    def why(self, after_deletion: bool = True) -> str:
        return self.typing.why_not(PATH, after_deletion) or ""


def test_typing_is_welcome() -> None:
    editor = Editor("x = 1\n")
    assert editor.type("y = foo(") == ""
    size = len(editor.text)
    assert editor.change((size, size, "\n    ")) == "", "a new line with its indentation"
    assert editor.change((size, size, "()")) == "", "a bracket with the one that closes it"


def test_a_paste_is_no_reason_to_suggest_but_what_is_typed_then_is() -> None:
    editor = Editor("")
    assert "pasted" in editor.change((0, 0, "a = 1\nb = 2\nc = 3\n"))
    assert "pasted" in editor.change((0, 0, "x" * 300))
    assert editor.type("d") == ""


def test_a_suggestion_of_ours_is_no_paste() -> None:
    editor = Editor("def f():\n    ")
    assert editor.change((13, 13, "a = 1\n    b = 2\n    return a + b"), accepted=True) == ""


def test_an_undo_is_known_by_the_text_that_it_brings_back() -> None:
    editor = Editor("x = ")
    editor.type("name")
    assert "undone" in editor.change((4, 8, "")), "the word at once, as editors do"
    assert editor.type("n") == ""
    editor.type("ame")
    assert editor.change((7, 8, "")) == "", "one backspace is no undo"
    editor.change((4, 7, "other"))
    assert "undone" in editor.change((4, 9, "nam")), "a replaced selection comes back"


def test_several_cursors_and_formatters() -> None:
    editor = Editor("a\nb\nc\nd\n")
    assert "several" in editor.change((0, 0, "x"), (3, 3, "x"), (6, 6, "x"))
    # A burst of keys on one line comes in one message from some clients.
    assert editor.change((1, 1, "y"), (2, 2, "z")) == ""


def test_deletions_may_be_silent() -> None:
    editor = Editor("x = foo")
    assert editor.change((6, 7, "")) == ""
    assert "afterDeletion" in editor.why(after_deletion=False)
    editor.type("o")
    assert editor.why(after_deletion=False) == ""


def test_what_was_deleted_is_unwanted_for_a_while() -> None:
    editor = Editor("a = 1\n    x = foo(bar)\n")
    end = len(editor.text) - 1
    editor.change((end - 1, end, ""))
    editor.change((end - 4, end - 1, ""))
    assert editor.typing.unwanted(PATH, editor.now) == {"x = foo(bar)", "x = foo(bar"}
    assert editor.typing.unwanted("b.py", editor.now) == frozenset()
    assert editor.typing.unwanted(PATH, editor.now + UNWANTED_SECONDS + 1) == frozenset()


def test_another_document_begins_anew() -> None:
    editor = Editor("")
    editor.change((0, 0, "a = 1\nb = 2\nc = 3\n"))
    assert editor.typing.why_not("b.py", True) is None
    editor.change((0, 1, "x"), path="b.py")
    assert editor.why() == ""


edits = st.lists(
    st.tuples(st.integers(0, 30), st.integers(0, 6), st.text("ab\n é", max_size=8)), max_size=3
)


@given(st.text("ab\n", max_size=30), st.lists(edits, max_size=12))
def test_any_changes(text: str, changes: list[list[tuple[int, int, str]]]) -> None:
    editor = Editor(text)
    for change in changes:
        size = len(editor.text)
        made, length = [], size
        for start, removed, inserted in change:
            start = min(start, length)
            end = min(start + removed, length)
            made.append((start, end, inserted))
            length += len(inserted.encode()) - (end - start)
        editor.change(*made)
        assert all(line == line.strip() for line in editor.typing.unwanted(PATH, 0.0))
