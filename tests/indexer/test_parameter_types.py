"""Types of parameters that say none: from the method that is overridden, from a test's fixtures."""

from __future__ import annotations

import pytest

from tests.support.fixture import index_of, parse

SHOP = """\
-- shop/desk.py --
from shop.base import Handler
class Desk(Handler):
    def serve(self, customer, count):
        customer.$0
-- shop/base.py --
from shop.people import Customer
class Handler:
    def serve(self, customer: Customer, count: "int" = 1) -> None: ...
-- shop/people.py --
class Person:
    def greet(self) -> str: ...
class Customer(Person):
    def pay(self, amount: int) -> bool: ...
-- shop/till.py --
class Till:
    def __init__(self, name: str) -> None: ...
    def open_drawer(self) -> None: ...
-- tests/conftest.py --
import pytest
from shop.till import Till
from shop.people import Customer
@pytest.fixture
def till():
    return Till("one")
@pytest.fixture
def customer() -> Customer:
    return Customer()
-- tests/unit/test_till.py --
def test_it(till, customer, other):
    pass
"""


def check_offered(source: str, *texts: str) -> None:
    fixture = parse(source)
    shown = index_of(fixture).context(fixture.path, fixture.offset, 2_000)
    every = "".join(snippet.text for snippet in shown)
    for text in texts:
        assert text in every


def test_a_parameter_is_what_the_overridden_method_says() -> None:
    check_offered(SHOP, "def pay(self, amount: int)", "def greet(self)")


@pytest.mark.parametrize(
    ("name", "member"), [("till", "open_drawer"), ("customer", "pay"), ("customer", "greet")]
)
def test_a_parameter_of_a_test_is_its_fixture(name: str, member: str) -> None:
    source = SHOP.replace("$0", "").replace("    pass\n", f"    {name}.$0\n")
    check_offered(source, f"def {member}(")
    fixture = parse(source)
    assert member in index_of(fixture).names_in_scope(fixture.path, fixture.offset)


def test_a_parameter_elsewhere_is_no_fixture() -> None:
    source = SHOP.replace("$0", "").replace("    pass\n", "    till.$0\n")
    fixture = parse(source.replace("test_till.py", "helpers.py"))
    assert "open_drawer" not in index_of(fixture).names_in_scope(fixture.path, fixture.offset)
