"""What is kept from query to query is what a fresh index would find, after any edits."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer import (
    Close,
    FileFound,
    FileGone,
    Index,
    IndexConfig,
    Open,
    Replace,
    extract,
    language_of,
)
from indexer.answers import MAX_READ, MISSING, Answer, Answers, Asking, definers_of
from indexer.files import FileTable
from indexer.history import History

PYTHON = (
    "from a import *\n",
    "from b import *\n",
    "from a import Shop, rate\n",
    "from b import Shop as Store, total\n",
    "from c import Shop\n",
    "from pack import rate, Basket\n",
    "from . import a\n",
    "import b\nimport pack\n",
    "class Shop:\n    def open(self): ...\n    def close_shop(self, rate): ...\n",
    "class Basket(Shop):\n    total: int = 0\n    def add(self, shop: Store): ...\n",
    "class Store(Basket):\n    def sell(self): return self.total\n",
    "def rate(shop: Shop) -> Basket: ...\n",
    "def total(basket): return b.rate(basket)\n",
    "opened = Shop()\nopened.close_shop(1)\n",
    "def use(shop: Basket):\n    shop.add(rate(opened))\n    return pack.total\n",
)
GO = (
    'package shop\nimport "fmt"\n',
    "package other\n",
    "type Shop struct {\n\tRate int\n}\n",
    "func (s *Shop) Open() Basket { return Basket{} }\n",
    "type Basket struct {\n\tShop\n\tTotal int\n}\n",
    "func rate(s Shop) int { return s.Rate }\n",
    "func Total(b Basket) int {\n\tx := rate(b.Shop)\n\treturn x\n}\n",
)
JAVA = (
    "package shop;\nimport shop.core.Basket;\n",
    "package shop.core;\nimport static shop.Shop.rate;\nimport shop.*;\n",
    "class Shop { static int rate(Basket b) { return b.total(); } void open() {} }\n",
    "class Basket extends Shop { int total() { open(); return 1; } }\n",
    "interface Store { Shop shop(); }\n",
)
KINDS = {
    "py": (PYTHON, ("a.py", "b.py", "c.py", "pack/__init__.py", "pack/a.py")),
    "go": (GO, ("shop/a.go", "shop/b.go", "shop/c_test.go", "other/d.go")),
    "java": (JAVA, ("Shop.java", "Basket.java", "core/Basket.java", "core/Store.java")),
}
numbers = st.integers(0, 30)
texts = st.lists(numbers, max_size=6)
steps = st.lists(
    st.tuples(st.sampled_from(("edit", "open", "close", "write", "remove")), numbers, texts),
    min_size=1,
    max_size=14,
)


class Workspace:
    """Files on disk and open documents, and the index that has seen how they came to be."""

    def __init__(self, root: str, kind: str) -> None:
        self.root = root
        self.blocks, self.names = KINDS[kind]
        self.index = self._index()
        self.on_disk: dict[str, str] = {}
        self.opened: dict[str, str] = {}

    def _index(self) -> Index:
        return Index(IndexConfig(workers=0), (self.root,))

    def step(self, what: str, where: int, chosen: Sequence[int]) -> None:
        path = f"{self.root}/{self.names[where % len(self.names)]}"
        text = "".join(self.blocks[number % len(self.blocks)] for number in chosen)
        if what == "open" and path not in self.opened:
            self.opened[path] = self.on_disk.get(path, text)
            self.index.apply(Open(path, None, 1, self.opened[path]))
        elif what == "edit" and path in self.opened:
            self.opened[path] = text
            self.index.apply(Replace(path, 2, text))
        elif what == "close" and path in self.opened:
            del self.opened[path]
            self.index.apply(Close(path))
        elif what == "write":
            self.on_disk[path] = text
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            Path(path).write_text(text)
            self.index.apply(self._found(path, text))
        elif what == "remove" and path in self.on_disk:
            del self.on_disk[path]
            Path(path).unlink()
            self.index.apply(FileGone(path))

    def _found(self, path: str, text: str) -> FileFound:
        language = language_of(path)
        assert language is not None
        return FileFound(path, extract(path, language, text.encode()))

    def fresh(self) -> Index:
        """An index that sees the files and documents for the first time."""
        index = self._index()
        for path, text in sorted(self.on_disk.items()):
            index.apply(self._found(path, text))
        for path, text in sorted(self.opened.items()):
            index.apply(Open(path, None, 1, text))
        return index

    def check(self, where: int, budget: int) -> None:
        fresh = self.fresh()
        for path, text in sorted(self.opened.items()):
            lines = text.split("\n")
            offset = len("\n".join(lines[: where % (len(lines) + 1)]))
            self.index._contexts._kept.clear()  # a line keeps what it had when it was begun
            for place in (offset, min(offset + 1, len(text)), max(0, offset - 7)):
                found = self.index.context(path, place, budget)
                assert found == fresh.context(path, place, budget)
            names = self.index.names_in_scope(path, offset)
            assert names == fresh.names_in_scope(path, offset)


@settings(max_examples=120, deadline=None)
@given(st.sampled_from(sorted(KINDS)), steps, st.sampled_from((1_000, 8_000, 30_000)))
def test_contexts_after_any_edits_are_those_of_a_fresh_index(
    kind: str, script: list[tuple[str, int, list[int]]], budget: int
) -> None:
    with tempfile.TemporaryDirectory() as root:
        workspace = Workspace(str(Path(root).resolve()), kind)
        for number in range(len(workspace.names)):
            workspace.step("write", number, [number, number + 2, number + 5, number + 9])
        workspace.step("open", 0, ())
        workspace.check(3, budget)
        for what, where, chosen in script:
            workspace.step(what, where, chosen)
            workspace.check(where, budget)


class Notebook:
    """Answers with the histories that they are forgotten by."""

    def __init__(self) -> None:
        self.files, self.changed, self.defined = FileTable(), History(), History()
        self.answers = Answers(self.files, self.changed, self.defined)
        self.answers.refresh()

    def keep(self, key: str, *read: str) -> None:
        self.answers.put(key, Answer(key.upper(), frozenset(read), 0))

    def kept(self, *keys: str) -> set[str]:
        self.answers.refresh()
        return {key for key in keys if self.answers.get(key) is not None}


def test_an_answer_is_forgotten_with_a_file_it_was_read_from() -> None:
    notes = Notebook()
    notes.keep("one", "a", "b")
    notes.keep("two", "b")
    notes.keep("three", definers_of("b"))
    notes.changed.record(("a", "c"))
    assert notes.kept("one", "two", "three") == {"two", "three"}
    notes.defined.record(("b",))
    assert notes.kept("two", "three") == {"two"}
    notes.files.add("z")
    assert notes.kept("two") == set()


def test_answers_are_bounded() -> None:
    notes = Notebook()
    for number in range(3 * MAX_READ // 100):
        notes.keep(f"k{number}", *(f"f{one}" for one in range(99)))
    assert len(notes.answers) <= MAX_READ // 100
    assert notes.kept(f"k{number}")


def test_answers_found_in_a_circle_are_not_kept() -> None:
    notes = Notebook()
    asking = Asking(notes.answers, 8)

    def ask(key: str) -> str:
        return asking.answer(key, "?", lambda: f"{key}({ask('b' if key == 'a' else 'a')})")

    assert asking.answer("outer", "", lambda: ask("a")) == "a(b(?))"
    assert asking.answer("apart", "", lambda: "x") == "x"
    assert notes.kept("outer", "a", "b", "apart") == {"apart"}


def test_answers_cut_off_at_a_depth_are_not_kept_and_deep_ones_not_used_too_deep() -> None:
    notes = Notebook()

    def ask(asking: Asking, place: int, depth: int) -> int:
        if depth > 3:
            asking.cut()
            return -1
        if place == 6:
            return 6
        known = asking.known(str(place), depth)
        if known is MISSING:
            known = asking.find(str(place), None, lambda: ask(asking, place + 1, depth + 1), depth)
        return int(known)

    assert ask(Asking(notes.answers, 3), 3, 0) == 6, "as deep as it may be"
    assert notes.kept("3", "4", "5") == {"3", "4", "5"}
    assert ask(Asking(notes.answers, 3), 1, 0) == -1, "as without what is kept"
    assert notes.kept("1", "2") == set()
    assert ask(Asking(notes.answers, 3), 3, 0) == 6


def test_what_is_read_from_the_document_at_hand_is_kept_for_the_query_only() -> None:
    notes = Notebook()
    asking = Asking(notes.answers, 8, own="a")

    def read(key: str, path: str) -> str:
        asking.read(path)
        return key

    assert asking.answer("mine", "", lambda: read("mine", "a")) == "mine"
    assert asking.answer("other", "", lambda: read("other", "b")) == "other"
    assert asking.answer("both", "", lambda: asking.answer("mine", "", lambda: "new")) == "mine"
    assert notes.kept("mine", "other", "both") == {"other"}


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_answers_are_used_again(kind: str) -> None:
    with tempfile.TemporaryDirectory() as root:
        workspace = Workspace(str(Path(root).resolve()), kind)
        for number in range(len(workspace.names)):
            workspace.step("write", number, range(number, number + 7))
        workspace.step("open", 0, ())
        path = next(iter(workspace.opened))
        workspace.index.context(path, 0, 8_000)
        answers = workspace.index._repository.answers
        before = dict(answers._kept)
        assert before
        workspace.step("edit", 0, range(8))
        workspace.index.context(path, 0, 8_000)
        assert any(answers._kept.get(key) is value for key, value in before.items())
