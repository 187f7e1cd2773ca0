"""Holes are asked for, judged, counted and reported, with a model that knows the answer."""

from __future__ import annotations

import csv
import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from lsp_server.__main__ import main
from lsp_server.evaluation.holes import Hole, cut_holes
from lsp_server.evaluation.replay import replay
from lsp_server.evaluation.report import report
from lsp_server.evaluation.run import Outcome, evaluate
from lsp_server.evaluation.table import as_text, rows, write_csv
from lsp_server.evaluation.variants import SWITCHES, variants
from lsp_server.session import Session, Status
from lsp_server.settings import Settings
from tests.lsp_server.check import continuing, scripted_model, settings_with
from tests.lsp_server.evaluation.test_holes import SOURCE, closed_index
from tests.support.fixture import parse
from tests.support.scripted_runner import ScriptedRunner


class Nobody:
    def status(self, status: Status) -> None: ...
    def warn(self, message: str) -> None: ...
    def progress(self, job: str, message: str | None, percentage: int | None) -> None: ...


def session_of(root: Path, text: str, line: str) -> Session:
    """A session over SOURCE whose model writes `text` behind the line."""
    session = Session(Nobody(), settings_with(min_confidence=0))
    session.index = closed_index(root)
    session.model = scripted_model(ScriptedRunner(continuing(line, text)))
    return session


async def outcome_of(root: Path, text: str) -> Outcome:
    line, target = "    amount = ", "single + again"
    session = session_of(root, text, line)
    path = next(path for path in session.index.paths() if path.endswith("main.py"))
    whole = session.index.text_of(path)
    assert whole is not None
    start = whole.index((line + target).encode()) + len(line)
    hole = Hole(path, "rest", whole, start, start + len(target))
    (found,) = await evaluate(session, [hole], variants(session.settings, []))
    assert not session.documents and session.index.document(path) is None
    return found


async def test_the_truth_is_exact(tmp_path: Path) -> None:
    found = await outcome_of(tmp_path, "single + again")
    assert (found.exact, found.similarity, found.identifiers) == (True, 1.0, 1.0)
    assert (found.new_errors, found.unknown) == (0, 0)


async def test_something_else_is_not(tmp_path: Path) -> None:
    found = await outcome_of(tmp_path, "single * 2")
    assert found.shown and not found.exact
    assert 0 < found.similarity < 1 and 0 < found.identifiers < 1


async def test_silence_has_its_reason(tmp_path: Path) -> None:
    found = await outcome_of(tmp_path, "nobody_knows")
    assert not found.shown and "nobody_knows" in found.reason


async def test_unfiltered_text_is_judged_as_it_is(tmp_path: Path) -> None:
    session = session_of(tmp_path, "nobody_knows(", "    amount = ")
    path = next(path for path in session.index.paths() if path.endswith("main.py"))
    whole = session.index.text_of(path)
    assert whole is not None
    start = whole.index(b"    amount = ") + len("    amount = ")
    hole = Hole(path, "rest", whole, start, whole.index(b"\n", start))
    found = await evaluate(session, [hole], variants(session.settings, ["no-filters"]))
    assert [one.variant for one in found] == ["default", "no-filters"]
    assert not found[0].shown


async def test_a_table_counts_and_a_report_is_whole(tmp_path: Path) -> None:
    session = session_of(tmp_path, "single + again", "    amount = ")
    cut = cut_holes(session.index, ["rest", "crossfile"], 4, 0)
    holes = [*cut["rest"], *cut["crossfile"]]
    compared = variants(session.settings, ["no-names"])
    outcomes = await evaluate(session, holes, compared)
    table = rows(outcomes)
    assert {(row.kind, row.variant) for row in table} >= {("rest", "default"), ("rest", "no-names")}
    for row in table:
        assert row.low <= row.exact <= row.high and 0 <= row.shown <= 1
        assert row.variant != "default" or (row.gained, row.lost, row.chance) == (0, 0, 1.0)
    file = tmp_path / "a.csv"
    write_csv(table, file)
    with file.open(newline="") as stream:
        read = list(csv.DictReader(stream))
    assert len(read) == len(table) and "p50_ms" not in read[0]
    assert as_text(table).count("\n") == len(table) + 1
    page = report("a<b>", "m&m", compared, table, outcomes)
    assert "a&lt;b&gt;" in page and "m&amp;m" in page and "a<b>" not in page
    assert "http" not in page.replace("http-equiv", ""), "nothing is fetched"
    HTMLParser().feed(page)


def test_every_switch_changes_a_setting() -> None:
    settings = Settings()
    compared = variants(settings, list(SWITCHES))
    assert len({one.settings for one in compared}) == len(compared)
    with pytest.raises(KeyError):
        variants(settings, ["no-such"])


def run(capsys: Any, *arguments: object) -> tuple[int, str, str]:
    code = main(["eval", *map(str, arguments)])
    out, err = capsys.readouterr()
    return code, out, err


def test_the_command(tmp_path: Path, capsys: Any) -> None:
    for path, text in parse(SOURCE, "").files.items():
        file = tmp_path / "repo" / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text)
    page, table = tmp_path / "a.html", tmp_path / "a.csv"
    options = ("--holes", 2, "--kinds", "rest,line", "--ablate", "no-names", "--json")
    cache = ("--set", "index.cacheMb=0")
    code, out, err = run(
        capsys, tmp_path / "repo", *options, *cache, "--report", page, "--csv", table
    )
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert [(row["kind"], row["variant"], row["n"]) for row in found] == [
        ("rest", "default", 2),
        ("rest", "no-names", 2),
        ("line", "default", 2),
        ("line", "no-names", 2),
    ]
    assert page.read_text().startswith("<!doctype html>") and table.read_text().count("\n") == 5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nowhere",), "nowhere: no such folder"),
        ((".", "--kinds", "words"), "--kinds words: there are rest, line"),
        ((".", "--ablate", "no-such"), "--ablate no-such: there are no-retrieval"),
        ((".", "--holes", "0"), "--holes must be at least 1, not 0"),
        ((".", "--csv", "no/such/a.csv"), "there is no folder"),
        ((".", "--set", "completion.nonsense=1"), "is not a setting"),
    ],
)
def test_bad_input(
    tmp_path: Path, capsys: Any, monkeypatch: Any, arguments: tuple[str, ...], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (2, "") and message in err and err.count("\n") == 1


def test_a_folder_without_code(tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "a.json").write_text("{}")
    code, _, err = run(capsys, tmp_path, "--set", "index.cacheMb=0")
    assert code == 1 and "has no code with holes" in err


async def test_a_replay_takes_what_is_right(tmp_path: Path) -> None:
    session = session_of(tmp_path, "single + again", "    amount = ")
    path = next(path for path in session.index.paths() if path.endswith("main.py"))
    whole = session.index.text_of(path)
    assert whole is not None
    start = whole.index(b"    amount = ") + len("    amount = ")
    right = Hole(path, "rest", whole, start, start + len("single + again"))
    found = await replay(session, [right])
    assert (found.characters, found.keys, found.accepted, found.shown) == (14, 1, 1, 1)
    wrong = session_of(tmp_path, "again + single", "    amount = ")
    found = await replay(wrong, [right])
    assert found.accepted == 0 and found.keys == found.characters == 14
    assert found.shown >= 1 and len(found.milliseconds) == 14
    assert wrong.index.text_of(path) == whole, "the file is as it was"


def test_the_command_types(tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "a.py").write_text("".join(f"value_{n} = compute({n}, {n})\n" for n in range(40)))
    code, out, err = run(
        capsys, tmp_path, "--replay", "--holes", 2, "--kinds", "line", "--set", "index.cacheMb=0"
    )
    assert (code, err) == (0, "")
    assert "saved" in out and "%" in out and "p95_ms" in out
