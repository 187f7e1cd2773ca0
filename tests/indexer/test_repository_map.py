"""The map of the repository."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from indexer import ByteEdit, Edit, Index
from tests.support.fixture import ROOT, index_of, parse

SOURCE = """
-- core.py --
from util import format_name
class Account:
    limit_of_account = 3
    def __init__(self, owner): self.owner_of_account = owner
    def deposit_money(
        self, amount
    ):
        # a comment
        return format_name(amount)
def helper_function(): ...
def unused_function(): ...
-- util.py --
def format_name(name):
    def inner_function(): ...
    return name
-- one.py --
from core import Account
Account(1).deposit_money(2)
-- two.py --
from core import Account, helper_function
Account(1).deposit_money(helper_function())
-- three.py --
from util import format_name
inner_function, Account
-- tests/test_core.py --
class Account: ...
"""


def shown(index: Index, budget: int, focus: tuple[str, ...] = ()) -> dict[str, str]:
    found = index.repository_map(budget, [f"{ROOT}/{path}" for path in focus])
    return {one.path.removeprefix(ROOT + "/"): one.text for one in found}


def test_skeletons_of_what_others_use() -> None:
    assert shown(index_of(parse(SOURCE)), 400) == {
        "core.py": (
            "class Account:\n    def deposit_money(\n        self, amount\n    ):\n"
            "def helper_function(): ...\n"
        ),
        "util.py": "def format_name(name):\n",
    }


def test_files_in_focus_are_left_out_and_what_they_use_comes_first() -> None:
    index = index_of(parse(SOURCE))
    assert "core.py" not in shown(index, 400, ("core.py",))
    assert next(iter(shown(index, 400, ("three.py",)))) == "util.py"


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 120))
def test_texts_and_paths_fit_the_budget(budget: int) -> None:
    index = index_of(parse(SOURCE))
    found = index.repository_map(budget)
    size = sum(len(one.path.encode()) + 2 + len(one.text.encode()) for one in found)
    assert size <= 4 * budget
    assert found == index.repository_map(budget) == index_of(parse(SOURCE)).repository_map(budget)


def test_lines_of_the_map_stand_in_their_files() -> None:
    fixture = parse(SOURCE)
    for one in index_of(fixture).repository_map(400):
        lines = fixture.files[one.path].decode().split("\n")
        assert one.text.rstrip("\n").split("\n") == [lines[line] for line in one.lines]
        assert one.why and one.score > 0


def test_edits_change_the_next_map() -> None:
    index = index_of(parse(SOURCE))
    assert "brand_new_thing" not in str(shown(index, 400))
    index.apply(Edit(f"{ROOT}/util.py", 2, (ByteEdit(0, 0, "def brand_new_thing(): ...\n"),)))
    index.apply(Edit(f"{ROOT}/one.py", 2, (ByteEdit(0, 0, "brand_new_thing()\n"),)))
    assert "def brand_new_thing(): ..." in shown(index, 400)["util.py"]


def test_nothing_to_show() -> None:
    assert index_of(parse("x = 1\n")).repository_map(1000) == []
    assert index_of(parse(SOURCE)).repository_map(0) == []
