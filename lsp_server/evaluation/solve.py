"""Lets a model solve published tasks: its own prompt format, greedy, then run or compared."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lsp_server.evaluation.metrics import edit_similarity, identifier_match, interval
from lsp_server.evaluation.published import Task
from lsp_server.evaluation.sandbox import Verdict, run_python
from lsp_server.features.model import Model
from runtime import Request, SamplingParams

_FILES_SHARE = 0.5
_SUFFIX_SHARE = 0.2


@dataclass(frozen=True, slots=True)
class Solution:
    """An answer, judged. `passed` is None where it was compared and not run."""

    task: Task
    answer: str
    exact: bool
    similarity: float
    identifiers: float
    passed: bool | None
    reason: str


async def solve(
    model: Model,
    tasks: Sequence[Task],
    max_tokens: int,
    execute: bool,
    seconds: float = 10.0,
    megabytes: int = 1024,
    told: Callable[[int], None] = lambda _: None,
) -> list[Solution]:
    """Answers to all tasks, in their order. Raises NoSandbox where one has to be run."""
    found = []
    for number, task in enumerate(tasks):
        answer = cut(await _answer(model, task, max_tokens), task.stops)
        found.append(judge(task, answer, execute, seconds, megabytes))
        told(number + 1)
    return found


def references(tasks: Sequence[Task], execute: bool) -> list[Solution]:
    """The published answers themselves: what is not right here is wrong with the files, or here."""
    return [judge(task, task.target, execute, 10.0, 1024) for task in tasks]


def judge(task: Task, answer: str, execute: bool, seconds: float, megabytes: int) -> Solution:
    verdict: Verdict | None = None
    if execute and task.program is not None:
        verdict = run_python(task.program(answer), seconds, megabytes)
    first, wanted = (text.strip().split("\n", 1)[0] for text in (answer, task.target))
    return Solution(
        task,
        answer,
        answer.strip() == task.target.strip() or (task.stops == ("\n",) and first == wanted),
        edit_similarity(answer.strip(), task.target.strip()),
        identifier_match(answer, task.target),
        verdict.passed if verdict else None,
        verdict.reason if verdict else "",
    )


def cut(answer: str, stops: Sequence[str]) -> str:
    """Up to the first of the stops; line ends before any code do not count."""
    lead = len(answer) - len(answer.lstrip("\n")) if stops == ("\n",) else 0
    ends = [at for stop in stops if (at := answer.find(stop, lead)) >= 0]
    return answer[: min(ends)] if ends else answer


async def _answer(model: Model, task: Task, max_tokens: int) -> str:
    prompt = prompt_of(model, task, max_tokens)
    room = max(1, min(max_tokens, model.context - len(prompt)))
    sampling = SamplingParams(max_tokens=room, stop_ids=model.sampling.stop_ids)
    text = ""
    async with model.engine.generate(Request(tuple(prompt), sampling)) as generation:
        async for output in generation:
            text += output.text
            if cut(text, task.stops) != text:
                generation.cancel()
                break
        await generation.result()
    return text


def prompt_of(model: Model, task: Task, max_tokens: int) -> list[int]:
    """The model's own layout; what does not fit is left out: the furthest first."""
    encode, form = model.engine.tokenizer.encode, model.prompt_format
    room = max(16, model.context - max_tokens - 64)
    suffix = encode(task.suffix)[: int(room * _SUFFIX_SHARE)] if form.layout == "fim" else []
    path = encode(task.path)
    room -= len(suffix) + len(path)
    line_start = task.prefix.rfind("\n") + 1
    above, line = encode(task.prefix[:line_start]), encode(task.prefix[line_start:])
    budget = max(int(room * _FILES_SHARE), room - len(above) - len(line))
    files = []
    for name, text in task.files:
        part = (encode(name), encode(f"{text}\n"))
        cost = len(part[0]) + len(part[1]) + 2
        if cost <= budget:
            budget -= cost
            room -= cost
            files.append(part)
    return form.render(
        repo=encode(task.repository) if task.repository else None,
        files=files[::-1],
        current_path_ids=path,
        prefix_ids=above[max(0, len(above) - max(0, room - len(line))) :],
        suffix_ids=suffix,
        line_ids=line,
    )


def summary(name: str, found: Sequence[Solution]) -> dict[str, object]:
    """Rates with 95 % intervals."""
    n, run = len(found), [one for one in found if one.passed is not None]
    exact, passed = sum(one.exact for one in found), sum(bool(one.passed) for one in run)
    return {
        "tasks": name,
        "n": n,
        "exact": exact / n,
        "exact_interval": interval(exact, n),
        "similarity": sum(one.similarity for one in found) / n,
        "identifiers": sum(one.identifiers for one in found) / n,
        "run": len(run),
        "passed": passed / len(run) if run else None,
        "passed_interval": interval(passed, len(run)) if run else None,
    }
