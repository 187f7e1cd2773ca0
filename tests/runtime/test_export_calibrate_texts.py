"""Texts for a calibration: from a folder, a file or rows, the same windows each time."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from runtime.export.calibrate_progress import Progress
from runtime.export.calibrate_texts import MIN_TOKENS, WINDOW, read_texts, read_windows
from runtime.export.errors import ExportError
from runtime.prompt_format import PromptFormat
from runtime.tokenizer import Tokenizer
from tests.support.tiny_tokenizer import tokenizer_definition

FORM = PromptFormat("prefix")


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer(tokenizer_definition())


def test_a_folder_is_one_repository(tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    for name in ("b.py", "a/z.py", "a/b.py", ".git/config", ".env", "a/empty.py"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("" if "empty" in name else f"text of {name}")
    (folder / "image.png").write_bytes(b"PNG\0\0")
    (folder / "latin.txt").write_bytes(b"caf\xe9")
    (folder / "large.txt").write_text("x" * 1_000_001)
    (folder / "link.py").symlink_to(folder / "b.py")
    texts = read_texts(folder)
    assert [(text.repo, text.path) for text in texts] == [
        ("shop", "b.py"),
        ("shop", "a/b.py"),
        ("shop", "a/z.py"),
    ]
    assert texts[0].text == "text of b.py"


def test_rows_may_name_repository_and_path(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    rows = [{"repo": "r", "path": "p.py", "text": "one"}, {"text": "two"}, {"text": ""}]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert [(text.repo, text.path, text.text) for text in read_texts(file)] == [
        ("r", "p.py", "one"),
        ("", "", "two"),
    ]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("rows.jsonl", b'{"text": "a"}\n{"text"', "line 2, is not JSON"),
        ("rows.jsonl", b'["text"]\n', 'line 1: give an object with a string "text"'),
        ("rows.jsonl", b'{"text": 5}\n', 'line 1: give an object with a string "text"'),
        ("rows.jsonl", b"", "holds no texts"),
        ("rows.jsonl", b"\xff\n", "line 1, is not JSON"),
        ("text.bin", b"\0\1", "is no text in UTF-8"),
        ("text.txt", b"\xe9", "is no text in UTF-8"),
    ],
)
def test_what_is_no_text_is_named(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ExportError, match=message) as raised:
        read_texts(tmp_path / name)
    assert "\n" not in str(raised.value)


def test_a_folder_without_texts_is_named(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="holds no texts"):
        read_texts(tmp_path)


def test_windows_are_cut_the_same_way_each_time(tmp_path: Path, tokenizer: Tokenizer) -> None:
    for number in range(9):
        (tmp_path / f"{number}.py").write_text(f"value_{number} = {number}\n" * 200)
    once, again = (read_windows(tmp_path, tokenizer, FORM, 6000, 4096) for _ in range(2))
    assert [window.tolist() for window in once] == [window.tolist() for window in again]
    assert 6000 <= sum(map(len, once)) < 6000 + WINDOW
    assert all(window.dtype == np.int64 and len(window) <= WINDOW for window in once)
    # Short of text, they come from elsewhere in the same files.
    assert len({tuple(window.tolist()) for window in once}) == len(once) > 9
    short = read_windows(tmp_path, tokenizer, FORM, 6000, 100)
    assert max(map(len, short)) == 100


def test_too_little_text_is_refused(tmp_path: Path, tokenizer: Tokenizer) -> None:
    (tmp_path / "a.py").write_text("print('hello')\n")
    with pytest.raises(ExportError, match=f"only 0 tokens.*needs {MIN_TOKENS}.*more text"):
        read_windows(tmp_path, tokenizer, FORM, 6000, 4096)


def test_progress_tells_rate_and_time_left() -> None:
    now = 0.0
    lines: list[str] = []
    progress = Progress(lines.append, [6_000_000, 6_000_000], lambda: now)
    for layer in (0, 1):
        for _ in range(6):
            now += 7
            progress.add(layer, 1_000_000)
    assert lines == [
        "calibrating: layer 1 of 2, 16.7 %, 0.14 M weights/s, 1 min left",
        "calibrating: layer 1 of 2, 33.3 %, 0.14 M weights/s, 56 s left",
        "calibrating: layer 1 of 2, 50.0 %, 0.14 M weights/s, 42 s left",
        "calibrating: layer 2 of 2, 66.7 %, 0.14 M weights/s, 28 s left",
        "calibrating: layer 2 of 2, 83.3 %, 0.14 M weights/s, 14 s left",
        "calibrating: layer 2 of 2, 100.0 %, 0.14 M weights/s, took 1 min",
    ]
