"""`lsp-server complete`: one completion in the terminal, with its receipt."""

from __future__ import annotations

import argparse
import asyncio
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from indexer import Open, language_of
from lsp_server.cli.options import (
    BadInput,
    Target,
    add_settings,
    folder,
    offset_of,
    parse_target,
    read_settings,
    read_text,
    root_of,
)
from lsp_server.cli.output import fail, write, write_json
from lsp_server.features.completion import Ask, Completion, Prepared, Receipt, Silence, finish
from lsp_server.receipt import prompt_pieces, receipt_fields
from lsp_server.session import Session, Status
from lsp_server.settings import Settings

DESCRIPTION = """\
Prints what would be suggested at a place, and why: the same pipeline as in the editor.

  lsp-server complete src/app.py:12:9          at line 12, in front of column 9 (counted from 1)
  lsp-server complete src/app.py:12:9 --json   the same for a script
  lsp-server complete src/app.py:12:9 --explain   and the whole prompt, as the model got it
  lsp-server complete app.py:3:1 --root . --set engine.bundle=~/bundles/mine
"""
PATIENCE_MS = 2000


class Quiet:
    """Nobody listens to progress; how long each job took is noted."""

    def __init__(self) -> None:
        self.began: dict[str, float] = {}
        self.took: dict[str, float] = {}

    def status(self, status: Status) -> None:
        pass

    def warn(self, message: str) -> None:
        sys.stderr.write(f"lsp-server: {message}\n")

    def progress(self, job: str, message: str | None, percentage: int | None) -> None:
        now = asyncio.get_running_loop().time()
        if message is None:
            self.took[job] = (now - self.began.get(job, now)) * 1e3
        else:
            self.began.setdefault(job, now)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="lsp-server complete",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("target", metavar="FILE:LINE:COL", help="the place, counted from 1")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--explain", action="store_true", help="print the prompt too")
    parser.add_argument("--root", type=Path, help="the workspace (default: the repository around)")
    parser.add_argument(
        "--max-tokens", type=int, metavar="N", help="as --set completion.maxTokens=N"
    )
    add_settings(parser)
    options = parser.parse_args(arguments)
    try:
        pairs = options.settings
        if options.max_tokens is not None:
            pairs = [*pairs, f"completion.maxTokens={options.max_tokens}"]
        settings = read_settings(pairs)
        # One answer is not worth a process that stays.
        settings = replace(settings, engine=replace(settings.engine, shared=False))
        target = parse_target(options.target)
        root = folder(options.root) if options.root else root_of(target.file.absolute())
        text = read_text(target.file, root, settings)
        offset = offset_of(text, target)
    except BadInput as error:
        return fail(str(error))
    return asyncio.run(run(target, root, text, offset, settings, options))


async def run(
    target: Target,
    root: Path,
    text: bytes,
    offset: int,
    settings: Settings,
    options: argparse.Namespace,
) -> int:
    listener = Quiet()
    # In a terminal nobody types on meanwhile, so the search for context may take its time.
    patience = max(PATIENCE_MS, settings.context.deadline_ms)
    settings = replace(settings, context=replace(settings.context, deadline_ms=patience))
    session = Session(listener, settings)
    try:
        path = str(target.file.resolve()).replace("\\", "/")
        session.set_roots((root.as_posix(),))
        session.index.apply(Open(path, None, 1, text))
        session.start(asyncio.create_task)
        await session.jobs.finished()
        if session.model_problem is not None:
            return fail(session.model_problem)
        language = language_of(path)
        ask = Ask(path, text, offset, language.name if language else None, automatic=False)
        prepared = session.prepare(ask)
        found: Completion | Silence | Prepared = prepared
        if isinstance(prepared, Prepared):
            found = await finish(prepared, settings, session.clock)
        assert not isinstance(found, Prepared)
        pieces: list[dict[str, Any]] = []
        if options.explain and found.receipt is not None and session.model is not None:
            pieces = prompt_pieces(found.receipt, session.model)
        if options.json:
            prompt = {"prompt": pieces} if options.explain else {}
            write_json(as_fields(found, text, listener.took) | prompt)
        else:
            write(as_text(target, found, text, listener.took))
            write(
                "".join(
                    f"<{piece['control']}>" if "control" in piece else piece["text"]
                    for piece in pieces
                )
            )
        return 0
    finally:
        session.stop()
        if session.model is not None:
            await session.model.engine.aclose()


def spelled(piece: dict[str, Any]) -> str:
    """A piece of the prompt; control tokens are named in angle brackets."""
    return f"<{piece['control']}>" if "control" in piece else str(piece["text"])


def as_fields(
    found: Completion | Silence, text: bytes, loading: dict[str, float]
) -> dict[str, Any]:
    receipt = receipt_fields(found.receipt) if found.receipt else {}
    return {
        "text": found.text if isinstance(found, Completion) else None,
        "replaces": replaced(found, text),
        "reason": found.reason if isinstance(found, Silence) else None,
        "loading": {name: round(value, 1) for name, value in loading.items()},
        **receipt,
    }


def replaced(found: Completion | Silence, text: bytes) -> str:
    return text[found.start : found.end].decode() if isinstance(found, Completion) else ""


def as_text(
    target: Target, found: Completion | Silence, text: bytes, loading: dict[str, float]
) -> str:
    where = f"{target.file}:{target.line}:{target.column}"
    if isinstance(found, Silence):
        parts = [f"{where}: nothing is suggested: {found.reason}"]
    else:
        parts = [where, "", *(f"  | {line}" for line in found.text.split("\n"))]
        behind = replaced(found, text)
        if behind:
            parts.append(f"  in place of {behind!r} behind the cursor")
    if found.receipt is not None:
        parts += ["", *receipt_lines(found.receipt)]
    times = [f"{name} {value:.0f}" for name, value in loading.items()]
    return "\n".join([*parts, f"loading     {', '.join(times)} ms", ""])


def receipt_lines(receipt: Receipt) -> list[str]:
    sections, usage = receipt.sections, receipt.usage
    lines = [
        f"context     {span.path}:{span.start_line + 1}-{span.end_line + 1}, "
        f"{span.tokens} tokens, score {span.score:.2f}: {span.why}"
        for span in receipt.context
    ] or ["context     none"]
    times = [f"{name} {value:.1f}" for name, value in receipt.milliseconds.items()]
    return [
        *lines,
        f"prompt      {sections.get('all', 0)} tokens: {sections.get('context', 0)} of context, "
        f"{sections.get('above', 0)} above, {sections.get('below', 0)} below, "
        f"{sections.get('line', 0)} in the line",
        f"tokens      {usage.reused} reused, {usage.computed} computed, "
        f"{usage.generated} generated",
        f"model       {receipt.model}, confidence {receipt.confidence:.2f}, "
        f"ended by {receipt.finish_reason or 'nothing'}",
        f"time        {', '.join(times)} ms",
    ]
