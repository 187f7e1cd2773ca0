"""What is hidden, and that the same is hidden again."""

from __future__ import annotations

from pathlib import Path

import pytest

from indexer import Close, Document, Index, language_of, statements
from lsp_server.evaluation.holes import KINDS, Hole, Kind, cut_holes
from tests.support.fixture import index_of_disk, parse

SOURCE = """\
-- shop/price.py --
def price_of(name, taxed=True):
    \"\"\"What a thing costs.\"\"\"
    base = len(name) * 10
    extra = base // 5 if taxed else 0
    return base + extra


class Cart:
    def __init__(self, names):
        self.names = list(names)
        self.is_open = True

    def total(self):
        prices = [price_of(name) for name in self.names]
        return sum(prices)


def shown(cart):
    print(cart.total())
    return cart.names
-- main.py --
from shop.price import Cart, price_of

NAMES = ["tea", "milk", "bread"]
LIMIT = 100


def main(names):
    cart = Cart(names)
    first = names[0]
    single = price_of(first, taxed=False)
    if single > LIMIT:
        print("too dear", first)
        return None
    again = price_of(first)
    amount = single + again
    print(amount)
    return cart.total()


def other(values):
    kept = [value for value in values if value]
    return sorted(kept, key=len)
"""


@pytest.fixture
def index(tmp_path: Path) -> Index:
    return closed_index(tmp_path)


def closed_index(root: Path) -> Index:
    """An index of SOURCE on disk, with nothing open."""
    fixture = parse(SOURCE, root.as_posix())
    found = index_of_disk(fixture, root)
    found.apply(Close(fixture.path))
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_holes_of_each_kind(index: Index, kind: Kind) -> None:
    found = cut_holes(index, [kind], 3, 0)[kind]
    assert found
    assert found == cut_holes(index, [kind], 3, 0)[kind], "the same by seed"
    for hole in found:
        assert hole.text == index.text_of(hole.path)
        before, after = hole.holed[: hole.start], hole.holed[hole.start :]
        assert before + hole.target.encode() + after == hole.text
        assert hole.target == hole.target.strip() and hole.target
        assert not hole.target.startswith(("import", "from"))
    assert not list(index.documents()), "nothing stays open"


def test_what_each_kind_hides(index: Index) -> None:
    found = cut_holes(index, KINDS, 8, 1)
    for hole in found["line"]:
        assert "\n" not in hole.target and not _before(hole).strip()
    for hole in (*found["rest"], *found["crossfile"], *found["control"]):
        assert "\n" not in hole.target and _before(hole).strip()
    assert {hole.name for hole in found["crossfile"]} <= {"Cart", "price_of", "total"}
    assert all(hole.target.startswith(hole.name) for hole in found["crossfile"])
    fresh = {hole.name for hole in found["crossfile"] if hole.fresh}
    assert "price_of" not in fresh, "it is used twice"
    assert any("\n" in hole.target for hole in found["statement"])
    for hole in found["block"]:
        above = hole.text[: hole.start].decode().rstrip()
        assert above.endswith((":", '"""'))


def _before(hole: Hole) -> str:
    return hole.text[: hole.start].decode().rsplit("\n", 1)[-1]


def test_statements_are_whole_lines() -> None:
    text = b"def f(a):\n    x = [\n        1,\n    ]; y = 2\n    return x\n\nz = 1\nu = 2  # so\n"
    language = language_of("a.py")
    document = Document("a.py", language, 1, text, 1000)
    found = [text[start:end].split(b"\n")[0] for start, end in statements(document)]
    assert found == [b"def f(a):", b"return x", b"z = 1"]
    assert statements(Document("a.unknown", None, 1, text, 1000)) == []
