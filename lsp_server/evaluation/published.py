"""Tasks that others have published, read from their own files: JSON lines, also compressed.

The format is known by the fields of the first row: HumanEval (Chen et al., arXiv 2107.03374) and
its infilling (Bavarian et al., 2207.14255), MBPP (Austin et al., 2108.07732), RepoBench (Liu et
al., 2306.03091) and CrossCodeEval (Ding et al., 2310.11248).
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_MAX_ROW = 10_000_000
_STOPS = ("\nclass ", "\ndef ", "\n#", "\nif ", "\nprint(", "\n@", "\nassert ", '\n"""')


class BadTasks(Exception):
    """A file that is no set of tasks; the message says what was wrong with it."""


@dataclass(frozen=True, slots=True)
class Task:
    """What stands before and behind a hole, other files, and what is right there.

    `program` makes of an answer a program that fails if the answer is wrong; without one, answers
    are compared with the target. Answers end before any of `stops`.
    """

    name: str
    prefix: str
    suffix: str = ""
    path: str = "solution.py"
    repository: str = ""
    files: tuple[tuple[str, str], ...] = ()
    target: str = ""
    stops: tuple[str, ...] = ("\n",)
    program: Callable[[str], str] | None = None


@dataclass(frozen=True, slots=True)
class TaskSet:
    name: str
    tasks: tuple[Task, ...]


def read_tasks(file: Path, limit: int = 0) -> TaskSet:
    """The first `limit` tasks of a file, 0 for all. Raises BadTasks."""
    name, tasks = "", list[Task]()
    for number, row in enumerate(_rows(file), 1):
        if not name:
            name = _format_of(row, file)
        try:
            tasks.append(_READERS[name](row))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise BadTasks(f"{file}, line {number}: not a row of {name}: {error!r:.80}") from error
        if len(tasks) == limit:
            break
    if not tasks:
        raise BadTasks(f"{file} has no tasks")
    return TaskSet(name, tuple(tasks))


def _rows(file: Path) -> Iterator[Mapping[str, Any]]:
    opened = gzip.open if file.suffix == ".gz" else open
    try:
        with opened(file, "rb") as stream:
            number = 0
            while line := stream.readline(_MAX_ROW):
                number += 1
                if not line.strip():
                    continue
                row = json.loads(line)
                if not isinstance(row, dict):
                    raise BadTasks(f"{file}, line {number}: not a JSON object")
                yield row
    except OSError as error:
        raise BadTasks(f"{file}: {error.strerror or error}") from error
    except (ValueError, RecursionError, EOFError) as error:
        raise BadTasks(f"{file}, line {number}: not JSON: {error!s:.80}") from error


def _format_of(row: Mapping[str, Any], file: Path) -> str:
    for name, fields in _FIELDS.items():
        if fields <= set(row):
            return name
    raise BadTasks(f"{file} is in none of the formats that are known: {', '.join(_FIELDS)}")


def _human_eval(row: Mapping[str, Any]) -> Task:
    prompt, check = _text(row, "prompt"), _text(row, "test")
    call = f"\ncheck({_text(row, 'entry_point')})\n"
    return Task(
        name=_text(row, "task_id"),
        prefix=prompt,
        target=_text(row, "canonical_solution"),
        stops=_STOPS,
        program=lambda answer: f"{prompt}{answer}\n{check}{call}",
    )


def _infilling(row: Mapping[str, Any]) -> Task:
    prompt, suffix, check = _text(row, "prompt"), _text(row, "suffix"), _text(row, "test")
    call = f"\ncheck({_text(row, 'entry_point')})\n"
    target = _text(row, "canonical_solution")
    return Task(
        name=_text(row, "task_id"),
        prefix=prompt,
        suffix=suffix,
        target=target,
        stops=("\n",) if "\n" not in target.strip("\n") else _STOPS,
        program=lambda answer: f"{prompt}{answer}{suffix}\n{check}{call}",
    )


def _mbpp(row: Mapping[str, Any]) -> Task:
    tests = "\n".join(str(test) for test in row["test_list"])
    setup, asked = str(row.get("test_setup_code") or ""), str(row.get("text") or row.get("prompt"))
    return Task(
        name=f"mbpp/{row['task_id']}",
        prefix=f'"""\n{asked}\n{tests}\n"""\n',
        target=_text(row, "code").replace("\r\n", "\n"),
        stops=_STOPS[2:],
        program=lambda answer: f"{setup}\n{answer}\n{tests}\n",
    )


def _repo_bench(row: Mapping[str, Any]) -> Task:
    context = row.get("context") or ()
    if isinstance(context, str):  # The first version has all of it in one piece.
        context = [{"path": "context.py", "snippet": context}]
    files = tuple((str(part.get("path", "")), str(part.get("snippet", ""))) for part in context)
    imports = str(row.get("import_statement") or "")
    code = str(row.get("cropped_code") or row.get("code") or "")
    return Task(
        name=f"{row['repo_name']}/{row['file_path']}",
        prefix=f"{imports}\n{code}\n" if imports else f"{code}\n",
        path=str(row["file_path"]),
        repository=str(row["repo_name"]),
        files=files,
        target=_text(row, "next_line"),
    )


def _cross_code_eval(row: Mapping[str, Any]) -> Task:
    meta = row.get("metadata") or {}
    context = row.get("crossfile_context") or {}
    listed = context.get("list") or () if isinstance(context, dict) else ()
    return Task(
        name=str(meta.get("task_id") or meta.get("file") or "task"),
        prefix=_text(row, "prompt"),
        suffix=str(row.get("right_context") or ""),
        path=str(meta.get("file") or "main.py"),
        repository=str(meta.get("repository") or ""),
        files=tuple((str(part["filename"]), str(part["retrieved_chunk"])) for part in listed),
        target=_text(row, "groundtruth"),
    )


def _text(row: Mapping[str, Any], name: str) -> str:
    value = row[name]
    if not isinstance(value, str):
        raise TypeError(f"{name} is no text")
    return value


# In the order in which they are tried: the infilling has all fields of HumanEval.
_FIELDS: dict[str, set[str]] = {
    "HumanEval-Infilling": {"task_id", "prompt", "suffix", "canonical_solution", "test"},
    "HumanEval": {"task_id", "prompt", "canonical_solution", "test", "entry_point"},
    "MBPP": {"task_id", "code", "test_list"},
    "RepoBench": {"repo_name", "file_path", "next_line"},
    "CrossCodeEval": {"prompt", "groundtruth"},
}
_READERS: dict[str, Callable[[Mapping[str, Any]], Task]] = {
    "HumanEval-Infilling": _infilling,
    "HumanEval": _human_eval,
    "MBPP": _mbpp,
    "RepoBench": _repo_bench,
    "CrossCodeEval": _cross_code_eval,
}
