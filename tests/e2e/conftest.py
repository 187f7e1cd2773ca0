"""Real processes with the default model."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.fixture import parse, write

SHOP = """\
-- .git/HEAD --
ref: refs/heads/main
-- shop/price.py --
def price_of(name: str, taxed: bool = True) -> float:
    return 1.0


def discount_for(customer: str, amount: float) -> float:
    return amount * 0.1
-- shop/cart.py --
from shop.price import discount_for, price_of


def total_of(names: list[str], customer: str) -> float:
    amount = sum(price_of(name) for name in names)
    return amount - discount_for(customer, amount)
-- shop/report.py --
from shop.price import discount_for, price_of


def report(names: list[str], customer: str) -> float:
    amount = sum(price_of(name) for name in names)
    return amount - discount_for(customer, amount)
-- main.py --
from shop.price import discount_for, price_of


def main(names: list[str], customer: str) -> float:
    amount = sum(price_of(name) for name in names)

"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A small repository on disk whose line to be completed stands in two other files."""
    write(parse(SHOP, str(tmp_path)), tmp_path)
    return tmp_path
