"""What follows from an edit: text in, places and texts out."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer import ByteEdit, Edit, Index
from lsp_server.features.edit_history import EditHistory, Episode, trimmed
from lsp_server.features.next_edit import next_edits
from lsp_server.features.parameters import bracket_list
from tests.support.fixture import index_of, parse


class Editor:
    """Open documents, and edits that are noted as a server notes them."""

    def __init__(self, source: str) -> None:
        self.fixture = parse(source)
        self.index: Index = index_of(self.fixture)
        self.history = EditHistory()
        for path in self.fixture.files:
            self.index.symbols(path)

    def path(self, name: str) -> str:
        return f"/repo/{name}"

    def text(self, name: str) -> str:
        document = self.index.document(self.path(name))
        assert document is not None
        return document.text.decode()

    def change(self, name: str, old: str, new: str, nth: int = 0) -> None:
        """Replaces the nth `old`, key by key as a user does."""
        start = [match.start() for match in re.finditer(re.escape(old), self.text(name))][nth]
        start = len(self.text(name)[:start].encode())
        self.edit(name, start, start + len(old.encode()), "")
        for at, key in enumerate(new):
            offset = start + len(new[:at].encode())
            self.edit(name, offset, offset, key)

    def edit(self, name: str, start: int, end: int, text: str) -> None:
        before = self.text(name).encode()
        edits = (ByteEdit(start, end, text.encode()),)
        self.index.apply(Edit(self.path(name), 1, edits))
        self.history.note(self.path(name), before, edits)

    def next(self, name: str, offset: int = 0) -> list[str]:
        """`file: line, with [old -> new]` for each edit that is proposed."""
        found = []
        for edit in next_edits(self.index, self.history, self.path(name), offset):
            text = self.text(edit.path.removeprefix("/repo/")).encode()
            start = text.rfind(b"\n", 0, edit.start) + 1
            end = text.find(b"\n", edit.end)
            line = text[start : edit.start] + b"[" + text[edit.start : edit.end] + b" -> "
            line += edit.text.encode() + b"]" + text[edit.end : end]
            sure = "" if edit.certain else "?"
            found.append(f"{edit.path.removeprefix('/repo/')}{sure}: {line.decode().strip()}")
        return found


SHOP = """\
-- shop.py --
def price_of(name, taxed=True):
    amount = len(name)
    if taxed:
        amount += 1
    return amount

def other(amount):
    return amount
-- main.py --
from shop import price_of

def main(name):
    print(price_of(name))
    print(price_of(name, taxed=False))
    return price_of("amount")
-- unrelated.py --
def price_of_it(amount):
    return amount
"""


def test_a_function_that_is_renamed_takes_its_uses_along() -> None:
    editor = Editor(SHOP)
    editor.change("shop.py", "price_of", "cost_of")
    assert editor.next("shop.py") == [
        "main.py: from shop import [price_of -> cost_of]",
        "main.py: print([price_of -> cost_of](name))",
        "main.py: print([price_of -> cost_of](name, taxed=False))",
        'main.py: return [price_of -> cost_of]("amount")',
    ]


def test_after_one_use_was_mended_the_others_follow() -> None:
    editor = Editor(SHOP)
    editor.change("shop.py", "price_of", "cost_of")
    editor.change("main.py", "price_of", "cost_of")
    at = editor.text("main.py").index("price_of(name))")
    assert editor.next("main.py", at)[0] == "main.py: print([price_of -> cost_of](name))"
    assert editor.next("main.py", at + 1)[0].endswith("(name, taxed=False))")
    assert len(editor.next("main.py")) == 3


def test_a_local_name_stays_in_its_function() -> None:
    editor = Editor(SHOP)
    editor.change("shop.py", "amount", "total")
    assert editor.next("shop.py") == [
        "shop.py: [amount -> total] += 1",
        "shop.py: return [amount -> total]",
    ]


def test_a_parameter_takes_its_keywords_along() -> None:
    editor = Editor(SHOP)
    editor.change("shop.py", "taxed", "with_tax")
    assert editor.next("shop.py") == [
        "shop.py: if [taxed -> with_tax]:",
        "main.py: print(price_of(name, [taxed -> with_tax]=False))",
    ]


def test_a_parameter_that_is_gone() -> None:
    editor = Editor(SHOP)
    editor.change("shop.py", ", taxed=True", "")
    assert editor.next("main.py") == ["main.py?: print(price_of(name[, taxed=False -> ]))"]


def test_a_new_parameter() -> None:
    editor = Editor(SHOP)
    editor.change("shop.py", "(name,", "(name, shop,")
    assert editor.next("main.py") == [
        "main.py?: print(price_of(name[ -> , shop]))",
        "main.py?: print(price_of(name, [ -> shop, ]taxed=False))"
        if False
        else "main.py?: print(price_of(name, taxed=False[ -> , shop=shop]))",
        'main.py?: return price_of("amount"[ -> , shop])',
    ]


def test_a_new_parameter_with_a_default_asks_for_nothing() -> None:
    editor = Editor(SHOP)
    editor.change("shop.py", "taxed=True", "taxed=True, shop=None")
    assert editor.next("main.py") == []


def test_what_was_changed_twice_is_changed_again() -> None:
    source = """\
-- a.py --
async def f(client):
    one = client.get("a")
    two = client.get("b")
    three = client.get("c")
    four = await client.get("d")
    return client.get(one)
"""
    editor = Editor(source)
    editor.change("a.py", "one = client", "one = await client")
    assert editor.next("a.py") == [], "once is no pattern"
    editor.change("a.py", "two = client", "two = await client")
    assert editor.next("a.py") == [
        'a.py: three = [ -> await ]client.get("c")',
        "a.py: return [ -> await ]client.get(one)",
    ]


def test_a_replacement_is_repeated_below_first() -> None:
    lines = "".join(f"x{n} = api.fetch_old({n})\n" for n in range(5))
    editor = Editor(f"-- a.py --\n{lines}")
    editor.change("a.py", "fetch_old(2", "fetch_new(2")
    editor.change("a.py", "fetch_old(3", "fetch_new(3")
    at = editor.text("a.py").index("x3")
    assert editor.next("a.py", at) == [
        "a.py: x4 = api.fetch_[old -> new](4)",
        "a.py: x0 = api.fetch_[old -> new](0)",
        "a.py: x1 = api.fetch_[old -> new](1)",
    ]


def test_other_files_do_not_repeat_what_has_another_meaning() -> None:
    editor = Editor("-- a.py --\ndef f():\n    return 1\n-- b.py --\ndef f():\n    return 2\nf()\n")
    editor.change("a.py", "def f", "def g")
    assert editor.next("a.py") == []


@pytest.mark.parametrize(
    ("text", "items"),
    [
        ("(a, b=f(1, 2), *c)", ["a", "b=f(1, 2)", "*c"]),
        ("()", []),
        ("(a, 'x,)', [1, 2],)", ["a", "'x,)'", "[1, 2]"]),
        ("(a", None),
        ("x", None),
    ],
)
def test_lists_in_brackets(text: str, items: list[str] | None) -> None:
    found = bracket_list(text, 0)
    assert (None if found is None else [item.text for item in found.items]) == items


# Episodes

changes = st.lists(
    st.tuples(st.integers(0, 40), st.integers(0, 5), st.text("ab\n é", max_size=4)), max_size=12
)


@given(st.text("abc\n", max_size=30), changes)
def test_an_episode_undone_gives_the_text_before_it(
    text: str, edits: list[tuple[int, int, str]]
) -> None:
    """Whatever is edited: `new` stands where the latest episode says, `old` was there before."""
    history, now = EditHistory(), text.encode()
    texts = {now}
    for start, length, inserted in edits:
        start = min(start, len(now))
        end = min(start + length, len(now))
        history.note("a", now, [ByteEdit(start, end, inserted.encode())])
        now = now[:start] + inserted.encode() + now[end:]
        for episode in history.episodes:
            assert now[episode.start : episode.end] == episode.new
        if history.episodes:
            latest = history.episodes[0]
            before = now[: latest.start] + latest.old + now[latest.end :]
            assert before in texts
            small = trimmed(latest)
            assert now[: small.start] + small.old + now[small.end :] == before
        texts.add(now)


def test_touching_edits_are_one_episode() -> None:
    history = EditHistory()
    history.note("a", b"x = foo\n", [ByteEdit(4, 7, b"")])
    for at, key in enumerate(b"bar"):
        history.note("a", b"x = " + b"bar"[:at] + b"\n", [ByteEdit(4 + at, 4 + at, bytes([key]))])
    assert history.episodes == [Episode("a", 4, b"foo", b"bar")]
    history.note("a", b"x = bar\n", [ByteEdit(0, 0, b"# so\n")])
    assert history.episodes == [Episode("a", 0, b"", b"# so\n"), Episode("a", 9, b"foo", b"bar")]
