"""`lsp-server eval`: how good the suggestions are in a repository, and what each part adds."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lsp_server.cli.options import BadInput, add_settings, folder, read_settings
from lsp_server.cli.output import fail, write, write_json
from lsp_server.session import Session, Status

if TYPE_CHECKING:
    from lsp_server.settings import Settings

DESCRIPTION = """\
Hides code of a repository, asks for it as an editor would, and compares.

  lsp-server eval DIR                            60 holes of each kind, with the settings that ship
  lsp-server eval DIR --kinds rest,crossfile --holes 300
  lsp-server eval DIR --ablate                   the same with each part switched off
  lsp-server eval DIR --report report.html --csv report.csv
  lsp-server eval DIR --replay                   types the hidden code key by key: keys that are
                                                 saved, and milliseconds from a key to its answer

or lets the model solve tasks that others have published, in their own files:

  lsp-server eval --tasks HumanEval.jsonl.gz       also HumanEval-Infilling and MBPP, whose answers
                                                   are run (no network, no file of yours can be
                                                   changed, 10 s, 1 GB), RepoBench, CrossCodeEval
  lsp-server eval --tasks FILE --limit 20 --reference    the published answers, to check the set-up

kinds of holes
  rest         the rest of a line, from a place inside it
  line         a whole line, from its indentation on
  statement    a statement of one to eight lines
  block        the body of a function, up to twenty lines
  crossfile    the rest of a line from a name that another file defines
  control      the rest of a line whose names are all of this file or of the language

what the columns say
  shown        how many holes got a suggestion; exact: how many got the hidden text itself, with the
               95 % interval; first: its first line; of shown: how many of the shown ones
  alike        edit similarity of what was shown; names: F1 of its identifiers
  errors       shown suggestions that add a syntax error, brackets left open for the user apart;
               unknown: that name what nothing knows
  + and -      holes that only this variant, or only the default, got right
  p50, p95     milliseconds from the request to the answer after a switch to another file; what is
               asked again with parts switched off finds much of that computed already

The report holds code of the repository and stays on this machine.
"""


class Progress:
    """Told on stderr: a line that is written over on a terminal, nothing in a pipe."""

    def __init__(self) -> None:
        self.is_terminal = sys.stderr.isatty()

    def status(self, status: Status) -> None:
        pass

    def warn(self, message: str) -> None:
        sys.stderr.write(f"lsp-server: {message}\n")

    def progress(self, job: str, message: str | None, percentage: int | None) -> None:
        self.line(message or "")

    def line(self, text: str) -> None:
        if self.is_terminal:
            sys.stderr.write(f"\r\033[K{text}")
            sys.stderr.flush()


def main(arguments: list[str]) -> int:
    from lsp_server.evaluation.holes import KINDS
    from lsp_server.evaluation.variants import RAW, SWITCHES

    parser = argparse.ArgumentParser(
        prog="lsp-server eval",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("folder", type=Path, metavar="DIR", nargs="?", help="the repository")
    add("--tasks", type=Path, metavar="FILE", help="published tasks instead of a repository")
    add("--limit", type=int, default=0, metavar="N", help="of the tasks only so many")
    add("--max-tokens", type=int, default=256, metavar="N", help="of an answer to a task")
    add("--no-execute", action="store_true", help="compare answers to tasks, run none")
    add("--reference", action="store_true", help="judge the published answers, not the model's")
    add("--holes", type=int, default=60, metavar="N", help="holes of each kind (default 60)")
    add("--kinds", default=",".join(KINDS), metavar="A,B", help="kinds of holes (default: all)")
    add("--seed", type=int, default=0, help="another number draws other holes (default 0)")
    add(
        "--ablate",
        nargs="?",
        const=",".join((*SWITCHES, RAW)),
        default="",
        metavar="A,B",
        help=f"also with parts switched off, all or some of {', '.join((*SWITCHES, RAW))}",
    )
    add("--replay", action="store_true", help="type the holes key by key")
    add("--csv", type=Path, metavar="FILE", help="write the table, without times")
    add("--report", type=Path, metavar="FILE", help="write a page with plots and examples")
    add("--json", action="store_true", help="print JSON")
    add_settings(parser)
    options = parser.parse_args(arguments)
    try:
        if (options.folder is None) is (options.tasks is None):
            raise BadInput("give a folder, or --tasks FILE; lsp-server eval --help explains both")
        root = folder(options.folder) if options.folder else None
        settings = read_settings(options.settings)
        kinds = _named("--kinds", options.kinds, KINDS)
        switches = _named("--ablate", options.ablate, (*SWITCHES, RAW))
        if options.holes < 1:
            raise BadInput(f"--holes must be at least 1, not {options.holes}")
        for file in (options.csv, options.report):
            if file is not None and not file.absolute().parent.is_dir():
                raise BadInput(f"{file}: there is no folder {file.absolute().parent}")
    except BadInput as error:
        return fail(str(error))
    settings = replace(settings, engine=replace(settings.engine, shared=False))
    if root is None:
        return asyncio.run(run_tasks(settings, options))
    return asyncio.run(run(root, settings, kinds, switches, options))


async def run_tasks(settings: Settings, options: argparse.Namespace) -> int:
    from lsp_server.evaluation.published import BadTasks, read_tasks
    from lsp_server.evaluation.sandbox import NoSandbox
    from lsp_server.evaluation.solve import references, solve, summary
    from lsp_server.models import open_model
    from runtime import EngineError

    progress, execute = Progress(), not options.no_execute
    try:
        tasks = read_tasks(options.tasks, options.limit)
        if options.reference:
            found = references(tasks.tasks, execute)
        else:
            model = await open_model(settings)
            try:
                found = await solve(
                    model,
                    tasks.tasks,
                    options.max_tokens,
                    execute,
                    told=lambda done: progress.line(f"{done} of {len(tasks.tasks)} tasks"),
                )
            finally:
                await model.engine.aclose()
    except (BadTasks, NoSandbox, EngineError) as error:
        return fail(str(error), 1)
    progress.line("")
    result = summary(tasks.name, found)
    if options.json:
        each = [
            {"name": one.task.name, "exact": one.exact, "passed": one.passed, "why": one.reason}
            for one in found
        ]
        write_json({**result, "each": each})
    else:
        _print(result, False)
    return 0


def _print(found: Mapping[str, object], as_json: bool) -> None:
    if as_json:
        write_json(found)
    else:
        write("".join(f"{name:16} {_shown(name, value)}\n" for name, value in found.items()))


def _shown(name: str, value: object) -> str:
    if isinstance(value, float):
        return f"{value:.1f}" if name.endswith("_ms") else f"{value:.1%}"
    if isinstance(value, tuple):
        return " to ".join(_shown(name, each) for each in value)
    return "-" if value is None else str(value)


def _named(option: str, text: str, known: tuple[str, ...]) -> list[Any]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if name not in known:
            raise BadInput(f"{option} {name}: there are {', '.join(known)}")
    return names


async def run(
    root: Path,
    settings: Settings,
    kinds: list[Any],
    switches: list[str],
    options: argparse.Namespace,
) -> int:
    from lsp_server.evaluation.holes import cut_holes
    from lsp_server.evaluation.replay import replay
    from lsp_server.evaluation.report import report
    from lsp_server.evaluation.run import evaluate
    from lsp_server.evaluation.table import as_text, rows, write_csv
    from lsp_server.evaluation.variants import variants

    progress = Progress()
    session = Session(progress, settings)
    try:
        session.set_roots((root.as_posix(),))
        session.start(asyncio.create_task)
        await session.jobs.finished()
        if session.model_problem is not None or session.model is None:
            return fail(session.model_problem or "no model is loaded", 1)
        progress.line("cutting holes")
        cut = cut_holes(session.index, kinds, options.holes, options.seed)
        holes = [hole for kind in kinds for hole in cut[kind]]
        if not holes:
            return fail(f"{root} has no code with holes of these kinds: {', '.join(kinds)}", 1)
        total = len(holes)
        if options.replay:
            typed = await replay(
                session, holes, lambda done: progress.line(f"{done} of {total} holes")
            )
            progress.line("")
            _print(typed.summary(), options.json)
            return 0
        compared = variants(settings, switches)
        outcomes = await evaluate(
            session, holes, compared, lambda done: progress.line(f"{done} of {total} holes")
        )
        progress.line("")
        found = rows(outcomes)
        if options.csv is not None:
            write_csv(found, options.csv)
        if options.report is not None:
            options.report.write_text(
                report(root.name, session.model.name, compared, found, outcomes), "utf-8"
            )
        if options.json:
            write_json([asdict(row) for row in found])
        else:
            write(as_text(found))
        return 0
    finally:
        session.stop()
        if session.model is not None:
            await session.model.engine.aclose()
