"""The code in a chat model's answer, however the answer is cut into pieces."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.remote.fences import MAX_PREAMBLE, FencedCode


def code_of(*pieces: str) -> str:
    fence = FencedCode()
    return "".join(map(fence.push, pieces)) + fence.flush()


CASES = [
    ("```python\nfoo(1)\n```", "foo(1)"),
    ("```\nfoo(1)\n```\n", "foo(1)"),
    ("Here you are:\n\n```py\na\n\n  b\n```\nThat was it.\n```\nno\n```", "a\n\n  b"),
    ("~~~\n```\n~~~", "```"),
    ("````md\n```py\nx\n```\n````\n", "```py\nx\n```"),
    ("```\n```", ""),
    ("```\n\n```", ""),
    ("```\nx\n``` and more\n```\n", "x\n``` and more"),
    ("```\nnot ended", "not ended"),
    ("```\nnot ended\n", "not ended\n"),
    ("```\nended in the fence\n``", "ended in the fence"),
    ("  ```\n  x\n  ```\n", "  x"),
    ("<think>\n```\nno\n```\n</think>\n```\nyes\n```", "yes"),
    ("<think>never ended ```\nx\n```", ""),
    ("plain()", "plain()"),
    ("\nplain(\n    1)\n\n", "plain(\n    1)"),
    ("<think>hm</think>\n\nplain()", "plain()"),
    ("`inline` code", "`inline` code"),
    ("", ""),
]


@pytest.mark.parametrize(("answer", "code"), CASES)
def test_the_first_block_is_the_code(answer: str, code: str) -> None:
    assert code_of(answer) == code


@given(st.sampled_from(CASES), st.lists(st.integers(0, 100), max_size=8))
def test_pieces_make_no_difference(case: tuple[str, str], places: list[int]) -> None:
    answer, code = case
    edges = sorted({0, len(answer), *(place % (len(answer) + 1) for place in places)})
    pieces = [answer[low:high] for low, high in pairwise(edges)]
    assert code_of(*pieces) == code
    assert code_of(*answer) == code


def test_code_is_shown_before_its_block_ends() -> None:
    fence = FencedCode()
    assert [fence.push(piece) for piece in ("```py\n", "foo(", "1)\n", "  ", "bar")] == [
        "",
        "foo(",
        "1)",
        "",
        "\n  bar",
    ]
    assert fence.push("\n```\n") == "" and fence.is_done
    assert fence.push("more") == fence.flush() == ""


@given(st.text(st.sampled_from("`~\nx "), max_size=40))
def test_what_is_shown_is_never_taken_back(answer: str) -> None:
    fence = FencedCode()
    shown = ""
    for character in f"```\n{answer}":
        shown += fence.push(character)
    assert code_of(f"```\n{answer}").startswith(shown)


def test_an_answer_that_only_talks_is_given_up() -> None:
    fence = FencedCode()
    while not fence.is_done:
        assert fence.push("so I think that " * 100) == ""
    assert fence.flush() == ""
    assert MAX_PREAMBLE < 100_000
