"""Chunks that look like the code at the cursor."""

from __future__ import annotations

from collections import Counter

from inline_snapshot import snapshot

from indexer.chunks import name_parts, terms_of
from tests.indexer.checks import check_similar
from tests.support.fixture import index_of, parse


def body(verb: str, count: int = 24) -> str:
    lines = "".join(f"    {verb}_step_{n}(order, invoice, {n})\n" for n in range(count))
    return f"def {verb}_all(order, invoice):\n{lines}"


def test_the_chunk_with_the_rare_words_comes_first() -> None:
    check_similar(
        f"-- main.py --\ndef ship(parcel, customs_form):\n    $0\n"
        f"-- a.py --\n{body('charge')}\n{body('refund')}\n"
        "-- b.py --\ndef send(parcel, customs_form):\n    customs_form.stamp()\n",
        snapshot("b.py:1-2 similar to lines 1-3"),
        limit=1,
    )


def test_the_window_itself_and_near_copies_of_it_are_left_out() -> None:
    check_similar(
        f"-- main.py --\n{body('charge')}    $0\n-- copy.py --\n{body('charge')}\n"
        f"-- other.py --\n{body('charge', 10)}\ndef more(order): ...\n",
        snapshot("other.py:1-13 similar to lines 6-27"),
    )


def test_other_parts_of_the_same_file_count() -> None:
    far = "\n".join("# ..." for n in range(120))
    check_similar(
        f"-- main.py --\n{body('charge')}\n{far}\n\n\ndef again(order, invoice):\n"
        "    charge_step_1(order, invoice, 1)\n    $0\n",
        snapshot("main.py:1-35 similar to lines 131-152"),
        limit=1,
    )


def test_the_best_chunk_comes_with_the_lines_that_follow() -> None:
    fixture = parse(
        "-- main.py --\nparcel.customs_form.stamp()\n$0\n-- a.py --\n"
        + "def f(parcel):\n    parcel.customs_form.stamp()\n"
        + "\n".join(f"    follow_{n}()" for n in range(60))
    )
    (snippet,) = index_of(fixture).similar_chunks(fixture.path, fixture.offset, 1)
    assert "stamp" in snippet.text
    assert snippet.end_line - snippet.start_line > 40


def test_nothing_looks_like_nothing() -> None:
    check_similar("-- main.py --\n$0\n-- a.py --\nx = 1\n", snapshot(""))
    check_similar("-- main.py --\nzebra = 1\n$0\n-- a.py --\nx = 1\n", snapshot(""))


def test_words_of_names() -> None:
    assert [name_parts(name) for name in ("load", "get_user_id", "HTTPServerName", "x2")] == [
        (),
        ("get", "user", "id"),
        ("http", "server", "name"),
        (),
    ]
    assert terms_of(b"get_user(user)") == Counter({"user": 2, "get_user": 1, "get": 1})
