"""Context for prompts: what comes in, in which order, within which budget."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from inline_snapshot import snapshot

from indexer import ByteEdit, Edit, Index, Open, RecentSpan, Replace, Snippet
from tests.indexer.checks import render_snippets
from tests.support.fixture import Fixture, index_of, parse

SHOP = '''\
-- shop/orders.py --
from shop.models import Customer, Order, Shelf
from shop import mail
import shop.rates as rates


class Checkout(Order):
    def price(self, customer: Customer) -> int:
        return rates.base()

    def close(self, customer: Customer) -> None:
        $0
-- shop/__init__.py --
-- shop/models.py --
class Model:
    def save(self, force: bool = False) -> None: ...
    def delete(self) -> None: ...
class Customer(Model):
    """Somebody who buys."""
    name = "?"
    def charge(self, amount: int) -> bool: ...
    def chart(self) -> str: ...
class Order(Model):
    def __init__(self, lines: list[str]) -> None: ...
    def total(self) -> int: ...
    def close(self, customer: Customer) -> None: ...
class Shelf(Model):
    def take(self, count: int) -> None: ...
-- shop/mail.py --
def send(to: str, text: str) -> None: ...
def queue(to: str) -> None: ...
-- shop/rates.py --
def base() -> int: ...
def for_country(code: str) -> int: ...
-- shop/returns.py --
from shop.models import Order
from shop import mail
class Return(Order):
    def close(self, customer) -> None:
        mail.send(customer.name, "returned")
-- shop/desk.py --
from shop.orders import Checkout
def serve(checkout: Checkout, who) -> None:
    checkout.close(who)
'''


WHOLE = ("imported", "beside this file", "near this file")


def typed(index: Index, path: str, text: bytes, offset: int, line: str) -> list[list[Snippet]]:
    """The contexts while a line is typed at an offset, character by character."""
    index.apply(Replace(path, 1, text))
    found = [index.context(path, offset, 2_000)]
    for number, character in enumerate(line):
        piece = character.encode()
        index.apply(Edit(path, number + 2, (ByteEdit(offset, offset, character),)))
        offset += len(piece)
        found.append(index.context(path, offset, 2_000))
    return found


def test_what_a_method_needs() -> None:
    fixture = parse(SHOP)
    index = index_of(fixture)
    found = index.context(fixture.path, fixture.offset, 2_000)
    assert render_snippets(index, found) == snapshot('''\
shop/mail.py (offered by mail)
    def send(to: str, text: str) -> None: ...
    def queue(to: str) -> None: ...
shop/models.py (definition of Shelf; definition of Customer; base of Checkout)
    class Model:
        def save(self, force: bool = False) -> None: ...
        def delete(self) -> None: ...
    class Customer(Model):
        """Somebody who buys."""
        name = "?"
        def charge(self, amount: int) -> bool: ...
        def chart(self) -> str: ...
    class Order(Model):
        def __init__(self, lines: list[str]) -> None: ...
        def total(self) -> int: ...
        def close(self, customer: Customer) -> None: ...
    class Shelf(Model):
        def take(self, count: int) -> None: ...
shop/rates.py (offered by rates)
    def base() -> int: ...
    def for_country(code: str) -> int: ...
shop/returns.py (similar to lines 1-12)
    from shop.models import Order
    from shop import mail
    class Return(Order):
        def close(self, customer) -> None:
            mail.send(customer.name, "returned")
shop/desk.py (calls close)
    from shop.orders import Checkout
    def serve(checkout: Checkout, who) -> None:
        checkout.close(who)
''')


def test_the_line_adds_what_it_asks_for() -> None:
    fixture = parse(SHOP.replace("$0", "rates.$0"))
    index = index_of(fixture)
    found = index.context(fixture.path, fixture.offset, 150)
    empty = parse(SHOP)
    base = index_of(empty).context(empty.path, empty.offset, 150)
    assert [told(one) for one in found[: len(base)]] == [told(one) for one in base]
    assert render_snippets(index, found[len(base) :]) == snapshot("""\
shop/rates.py (offered by rates)
    def for_country(code: str) -> int: ...
""")


@pytest.mark.parametrize(
    "line",
    [
        "customer.charge(self.total())",
        "mail.send(customer.name, 'x')  # é",
        "if (rates.for_country('de') or [",
        "super().close(customer)",
        'text = """',
    ],
)
def test_typing_in_a_line_only_adds(line: str) -> None:
    fixture = parse(SHOP)
    lists = typed(index_of(fixture), fixture.path, fixture.text, fixture.offset, line)
    for before, after in pairwise(lists):
        assert after[: len(before)] == before


def told(snippet: Snippet) -> tuple[str, str, str]:
    """All but the score: how rare words are changes a little with each line that is written."""
    return snippet.path, snippet.why, snippet.text


pieces = st.sampled_from(
    [
        "customer",
        ".",
        "mail",
        "charge",
        "self",
        "(",
        ")",
        " ",
        "rates",
        "é",
        '"',
        "Order",
        "::",
        "\t",
    ]
)


@settings(max_examples=30, deadline=None)
@given(st.lists(pieces, max_size=12).map("".join))
def test_typing_anything_in_a_line_only_adds(line: str) -> None:
    fixture = parse(SHOP)
    lists = typed(index_of(fixture), fixture.path, fixture.text, fixture.offset, line)
    for before, after in pairwise(lists):
        assert after[: len(before)] == before


@settings(max_examples=20, deadline=None)
@given(st.sampled_from(["customer.charge(3)", "x = mail.queue('a')", "return rates.base()", ""]))
def test_what_is_remembered_is_what_a_new_index_finds(line: str) -> None:
    fixture = parse(SHOP)
    kept = typed(index_of(fixture), fixture.path, fixture.text, fixture.offset, line)[-1]
    text = fixture.text[: fixture.offset] + line.encode() + fixture.text[fixture.offset :]
    fresh = index_of(Fixture({**fixture.files, fixture.path: text}, fixture.path, ()))
    found = fresh.context(fixture.path, fixture.offset + len(line), 2_000)
    assert [told(one) for one in kept] == [told(one) for one in found]


def test_a_change_elsewhere_is_seen_at_once() -> None:
    fixture = parse(SHOP)
    index = index_of(fixture)
    before = index.context(fixture.path, fixture.offset, 2_000)
    assert "def refund" not in "".join(one.text for one in before)
    models = fixture.path.replace("orders", "models")
    text = fixture.files[models].replace(b"def total", b"def refund(self): ...\n    def total")
    index.apply(Replace(models, 2, text))
    after = index.context(fixture.path, fixture.offset, 2_000)
    assert "def refund" in "".join(one.text for one in after)


@pytest.mark.parametrize("budget", [0, 10, 50, 200, 1_000, 5_000, 50_000])
def test_the_budget_is_kept(budget: int) -> None:
    fixture = parse(SHOP)
    found = index_of(fixture).context(fixture.path, fixture.offset, budget)
    assert sum(-(-len(one.text.encode()) // 4) for one in found) <= budget
    assert bool(found) == (budget >= 10)


def test_tokens_are_counted_as_the_caller_says() -> None:
    fixture = parse(SHOP)
    index = index_of(fixture)
    found = index.context(fixture.path, fixture.offset, 500, count=len)
    assert 0 < sum(len(one.text) for one in found) <= 500


def test_places_edited_recently_come_with_their_function() -> None:
    fixture = parse(SHOP)
    index = index_of(fixture)
    back = fixture.path.replace("orders", "returns")
    desk = fixture.path.replace("orders", "desk")
    recent = (RecentSpan(desk, 2, 2), RecentSpan(back, 4, 4), RecentSpan(back, 99, 99))
    found = index.context(fixture.path, fixture.offset, 4_000, recent=recent)
    shown = [one for one in found if one.why == "edited or viewed"]
    assert [(one.path, one.start_line, one.end_line) for one in shown] == [
        (desk, 1, 2),
        (back, 3, 4),
    ]


def test_relatives_and_callers() -> None:
    filler = "".join(f"value_{number} = {number}\n" for number in range(60))
    body = "        customer.wait()\n" * 12
    source = SHOP.replace("class Return", filler + "class Return").replace(
        "        mail.send", body + "        mail.send"
    )
    fixture = parse(source.replace("def serve", filler + "def serve"))
    index = index_of(fixture)
    found = index.context(fixture.path, fixture.offset, 6_000)
    texts = {one.why: one.text for one in found}
    assert "customer.wait()" in texts["close of Return, which has the base Order too"]
    assert "checkout.close(who)" in texts["calls close"]


def test_nothing_is_shown_where_nothing_is_known() -> None:
    fixture = parse("zebra = 1\n$0\n-- a.py --\nx = 1\n")
    assert index_of(fixture).context(fixture.path, fixture.offset, 4_000) == []
    fixture = parse("-- notes.txt --\nfoo $0")
    assert index_of(fixture).context(fixture.path, fixture.offset, 4_000) == []


def test_a_deadline_in_the_past_gives_nothing_and_is_not_remembered() -> None:
    fixture = parse(SHOP)
    index = index_of(fixture)
    assert index.context(fixture.path, fixture.offset, 2_000, time.monotonic() - 1) == []
    assert index.context(fixture.path, fixture.offset, 2_000) != []


def test_whole_files_for_large_budgets() -> None:
    fixture = parse(SHOP)
    index = index_of(fixture)
    found = index.context(fixture.path, fixture.offset, 100_000)
    whole = [one for one in found if one.why.startswith(WHOLE)]
    assert [index.relative(one.path) for one in whole] == snapshot(
        ["shop/models.py", "shop/mail.py", "shop/rates.py", "shop/desk.py", "shop/returns.py"]
    )
    for one in whole:
        assert one.text.encode() == fixture.files[one.path]


def test_the_order_of_whole_files_does_not_depend_on_the_cursor() -> None:
    fixture = parse(SHOP)
    index = index_of(fixture)

    def files(offset: int) -> list[str]:
        found = index.context(fixture.path, offset, 100_000)
        return [one.path for one in found if one.why.startswith(WHOLE)]

    assert files(fixture.offset) == files(fixture.text.index(b"return rates"))


def test_a_document_that_is_not_open_has_no_context() -> None:
    fixture = parse(SHOP)
    index = index_of(fixture)
    assert index.context("/repo/shop/none.py", 0, 1_000) == []
    index.apply(Open("/repo/empty.py", None, 1, ""))
    assert index.context("/repo/empty.py", 0, 1_000) == []


PACKAGE = """\
-- src/main/java/shop/Till.java --
package shop;
import shop.tax.Rates;
class Till {
    void close() { $0 }
}
-- src/main/java/shop/Basket.java --
package shop;
class Basket { int total() { return 1; } }
-- src/main/java/shop/tax/Rates.java --
package shop.tax;
import shop.tax.deep.Table;
public class Rates { public int base() { return 1; } }
-- src/main/java/shop/tax/deep/Table.java --
package shop.tax.deep;
public class Table { }
-- src/test/java/shop/TillTest.java --
package shop;
class TillTest { void opens() { new Till().close(); } }
-- src/test/java/shop/Fakes.java --
package shop;
class Fakes { static Basket basket() { return null; } }
"""


def test_what_is_no_test_is_not_shown_tests_as_what_it_sees() -> None:
    fixture = parse(PACKAGE)
    index = index_of(fixture)
    shown = {
        snippet.path.rsplit("/", 1)[-1]
        for snippet in index.context(fixture.path, fixture.offset, 2_000)
        if "visible" in snippet.why
    }
    assert shown == {"Basket.java"}
    test = parse(PACKAGE.replace("$0", "").replace("Till().close();", "Till().close(); $0"))
    index = index_of(test)
    shown = {
        snippet.path.rsplit("/", 1)[-1]
        for snippet in index.context(test.path, test.offset, 2_000)
        if "visible" in snippet.why
    }
    assert {"Basket.java", "Fakes.java"} <= shown


def test_whole_files_come_by_what_speaks_for_them() -> None:
    fixture = parse(PACKAGE)
    index = index_of(fixture)
    found = index.context(fixture.path, fixture.offset, 40_000)
    order = [
        (snippet.path.rsplit("/", 1)[-1], snippet.why) for snippet in found if snippet.name is None
    ]
    assert order == snapshot(
        [
            ("TillTest.java", "calls close"),
            ("Rates.java", "imported"),
            ("Basket.java", "beside this file"),
            ("TillTest.java", "beside this file"),
            ("Table.java", "imported by Rates.java"),
            ("Fakes.java", "near this file"),
        ]
    )
