"""Published tasks in their own formats: read, solved, run where nothing can be harmed."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsp_server.__main__ import main
from lsp_server.evaluation.published import BadTasks, read_tasks
from lsp_server.evaluation.sandbox import has_sandbox, run_python
from lsp_server.evaluation.solve import cut, prompt_of, references, solve, summary
from tests.lsp_server.check import FIM, PREFIX, continuing, scripted_model
from tests.support.scripted_runner import ScriptedRunner

needs_sandbox = pytest.mark.skipif(not has_sandbox(), reason="needs namespaces of Linux")

PROMPT = 'def add(a, b):\n    """Adds."""\n'
CHECK = "def check(candidate):\n    assert candidate(1, 2) == 3\n"
ROWS: dict[str, dict[str, Any]] = {
    "HumanEval": {
        "task_id": "HumanEval/0",
        "prompt": PROMPT,
        "canonical_solution": "    return a + b\n",
        "test": CHECK,
        "entry_point": "add",
    },
    "HumanEval-Infilling": {
        "task_id": "SingleLine/0",
        "prompt": PROMPT + "    total = ",
        "suffix": "\n    return total\n",
        "canonical_solution": "a + b",
        "test": CHECK,
        "entry_point": "add",
    },
    "MBPP": {
        "task_id": 2,
        "text": "Write a function to add.",
        "code": "def add(a, b):\r\n    return a + b\r\n",
        "test_list": ["assert add(1, 2) == 3"],
        "test_setup_code": "import math",
    },
    "RepoBench": {
        "repo_name": "shop",
        "file_path": "main.py",
        "context": [{"path": "price.py", "snippet": "def price_of(name): ...", "identifier": "p"}],
        "import_statement": "from price import price_of",
        "cropped_code": "total = 0",
        "next_line": "total += price_of(1)",
    },
    "CrossCodeEval": {
        "prompt": "from price import price_of\ntotal = ",
        "groundtruth": "price_of(1)",
        "right_context": "\nprint(total)\n",
        "metadata": {"repository": "shop", "file": "main.py", "task_id": "shop/1"},
        "crossfile_context": {"list": [{"filename": "price.py", "retrieved_chunk": "def price"}]},
    },
}


def written(folder: Path, *rows: Any) -> Path:
    file = folder / "tasks.jsonl.gz"
    file.write_bytes(gzip.compress("\n".join(map(json.dumps, rows)).encode() + b"\n\n"))
    return file


@pytest.mark.parametrize("name", ROWS)
def test_each_format_is_known_by_its_fields(tmp_path: Path, name: str) -> None:
    found = read_tasks(written(tmp_path, ROWS[name], ROWS[name]), 1)
    assert found.name == name and len(found.tasks) == 1
    (solution,) = references(found.tasks, execute=False)
    assert solution.exact and solution.similarity == 1 and solution.passed is None


@needs_sandbox
@pytest.mark.parametrize("name", ["HumanEval", "HumanEval-Infilling", "MBPP"])
def test_the_published_answer_passes_and_another_does_not(tmp_path: Path, name: str) -> None:
    (task,) = read_tasks(written(tmp_path, ROWS[name])).tasks
    (solution,) = references([task], execute=True)
    assert solution.passed is True, solution.reason
    assert task.program is not None
    wrong = task.program(task.target.replace("a + b", "a - b"))
    verdict = run_python(wrong, 10, 1024)
    assert not verdict.passed and "AssertionError" in verdict.reason


@needs_sandbox
def test_what_a_program_cannot_do(tmp_path: Path) -> None:
    outside = tmp_path / "mine.txt"
    outside.write_text("mine")
    forbidden = {
        f"open({str(outside)!r}, 'w')": "Read-only file system",
        f"import os; os.remove({str(outside)!r})": "Read-only file system",
        "import socket; socket.create_connection(('127.0.0.1', 9), 2)": "unreachable",
        "x = bytearray(2_000_000_000)": "MemoryError",
        "while True: pass": "more than",
        "import time; time.sleep(60)": "more than",
        "import os; os.fork(); os.setsid(); import time; time.sleep(60)": "",
        "raise SystemExit(3)": "ended with 3",
    }
    for program, reason in forbidden.items():
        verdict = run_python(program, 2, 1024)
        assert not verdict.passed and reason in verdict.reason, (program, verdict)
    assert outside.read_text() == "mine"
    assert run_python(
        "open('own.txt', 'w').write('1'); assert open('own.txt').read()", 10, 1024
    ).passed


async def test_a_model_solves_what_it_knows(tmp_path: Path) -> None:
    tasks = read_tasks(written(tmp_path, ROWS["CrossCodeEval"])).tasks
    for form in (PREFIX, FIM):
        model = scripted_model(ScriptedRunner(continuing("total = ", "price_of(1)\nrest")), form)
        (solution,) = await solve(model, tasks, 64, execute=False)
        assert solution.exact and solution.answer == "price_of(1)"
        prompt = model.engine.tokenizer.decode(prompt_of(model, tasks[0], 64))
        assert prompt.index("price.py") < prompt.index("main.py") < prompt.index("total = ")
        assert ("print(total)" in prompt) is (form is FIM)
        assert prompt.endswith("total = ")
        found = summary("x", [solution])
        assert found["exact"] == 1 and found["passed"] is None


def test_answers_end_at_stops() -> None:
    assert cut("\n\n    x = 1\ny", ("\n",)) == "\n\n    x = 1"
    assert cut("    return 1\n\ndef g(): ...", ("\ndef ", "\nclass ")) == "    return 1\n"
    assert cut("x", ("y",)) == "x"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "has no tasks"),
        (b"{", "line 1: not JSON"),
        (b"[]", "line 1: not a JSON object"),
        (b"{}", "none of the formats"),
        (b'{"prompt": "a", "groundtruth": 1}', "line 1: not a row of CrossCodeEval"),
        (b'{"prompt": "a", "groundtruth": "b"}\n{"x": 1}', "line 2: not a row of CrossCodeEval"),
        (b"\xff\xfe", "not JSON"),
    ],
)
def test_bad_files(tmp_path: Path, content: bytes, message: str) -> None:
    file = tmp_path / "tasks.jsonl"
    file.write_bytes(content)
    with pytest.raises(BadTasks, match=message):
        read_tasks(file)
    file = tmp_path / "tasks.jsonl.gz"
    file.write_bytes(b"no gzip")
    with pytest.raises(BadTasks):
        read_tasks(file)
    with pytest.raises(BadTasks, match="No such file"):
        read_tasks(tmp_path / "none.jsonl")


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


@given(st.sampled_from(sorted(ROWS)), st.data())
def test_any_values_in_a_row(tmp_path_factory: Any, name: str, data: st.DataObject) -> None:
    row = dict(ROWS[name])
    row[data.draw(st.sampled_from(sorted(row)))] = data.draw(values)
    file = tmp_path_factory.mktemp("rows") / "tasks.jsonl"
    file.write_text(json.dumps(row))
    try:
        found = read_tasks(file)
    except BadTasks:
        return
    references(found.tasks, execute=False)


def test_the_command(tmp_path: Path, capsys: Any) -> None:
    file = written(tmp_path, ROWS["RepoBench"])
    assert main(["eval", "--tasks", str(file), "--reference", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["tasks"], found["n"], found["exact"]) == ("RepoBench", 1, 1.0)
    assert found["each"] == [{"name": "shop/main.py", "exact": True, "passed": None, "why": ""}]
    assert main(["eval", "--tasks", str(file), "--max-tokens", "8"]) == 0
    assert "exact" in capsys.readouterr().out
    assert main(["eval"]) == 2
    assert "give a folder, or --tasks FILE" in capsys.readouterr().err
    assert main(["eval", "--tasks", str(tmp_path / "none")]) == 1
    assert "No such file" in capsys.readouterr().err
