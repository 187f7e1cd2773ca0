from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.fixture import parse, write


def test_files_and_a_cursor() -> None:
    fixture = parse("-- a.py --\nx = 1\n-- b/c.py --\né.$0y\n")
    assert fixture.files == {"/repo/a.py": b"x = 1\n", "/repo/b/c.py": "é.y\n".encode()}
    assert (fixture.path, fixture.offset, fixture.selection) == ("/repo/b/c.py", 3, (3, 3))


def test_a_selection_and_a_nameless_file() -> None:
    fixture = parse("a$0bc$0d\n-- other.py --\n")
    assert (fixture.path, fixture.selection) == ("/repo/main.py", (1, 3))
    assert fixture.text == b"abcd\n"
    with pytest.raises(ValueError, match="2 marks"):
        _ = fixture.offset


def test_without_a_mark_the_first_file_counts() -> None:
    fixture = parse("-- z.py --\n-- a.py --\n")
    assert (fixture.path, fixture.offsets) == ("/repo/z.py", ())


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("-- a.py --\n$0\n-- b.py --\n$0\n", "marks .* in several files"),
        ("$0$0$0", "3 marks"),
        ("-- a.py --\n-- a.py --\n", "two files a.py"),
    ],
)
def test_unclear_fixtures_are_refused(source: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse(source)


def test_writing_to_disk(tmp_path: Path) -> None:
    fixture = parse("-- a/b.py --\nx\n", root=str(tmp_path))
    write(fixture, tmp_path)
    assert (tmp_path / "a/b.py").read_text() == "x\n"
