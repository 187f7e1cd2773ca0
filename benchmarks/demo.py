"""Does it work here, and how fast? A real lsp-server completes holes in this very repository.

Starts `lsp-server --stdio` as an editor would, opens files of this repository with one line hidden,
types the first characters of that line key by key, and asks for ghost text after the last key.
Prints the ghost text beside the truth, its tokens, milliseconds and the context that was used.
Suggestions of any confidence are shown: an editor shows those alone that are likely to be kept.

    python benchmarks/demo.py [--holes 24] [--seed 0] [--root DIR] [--save FILE.md]
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lsprotocol import types
from pygls.lsp.client import LanguageClient

import indexer

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Hole:
    """A line of `path` from which `hidden` was cut after `typed`."""

    path: Path
    before: str
    typed: str
    hidden: str
    after: str

    @property
    def line(self) -> int:
        return self.before.count("\n")


@dataclass(frozen=True)
class Answer:
    """What the server suggested for a hole, with the time the editor waited (milliseconds)."""

    hole: Hole
    text: str
    waited: float
    parses: bool
    receipt: dict[str, Any] | None


def find_holes(root: Path, count: int, seed: int) -> list[Hole]:
    """Lines of code from all over the repository, the same ones for the same seed."""
    listed = subprocess.run(
        ["git", "ls-files", "*.py"], cwd=root, check=True, capture_output=True, text=True
    ).stdout.split()
    random_source = random.Random(seed)
    random_source.shuffle(listed)
    holes = []
    for name in listed:
        text = (root / name).read_text(encoding="utf-8")
        lines = text.splitlines(keepends=True)
        candidates = [n for n, line in enumerate(lines) if n > 15 and is_worth_hiding(line)]
        if not candidates:
            continue
        holes.append(make_hole(root / name, lines, random_source.choice(candidates), random_source))
        if len(holes) == count:
            break
    return holes


def is_worth_hiding(line: str) -> bool:
    """Lines whose rest follows from what is there: not prose, and no name still to be invented."""
    code = line.strip()
    if not 16 <= len(code) <= 80 or '"""' in code or code.startswith(("def ", "class ")):
        return False
    return code[0].isalpha() and code[-1] in "):]," and any(mark in code for mark in "=(:.[")


def make_hole(path: Path, lines: list[str], number: int, source: random.Random) -> Hole:
    line = lines[number].rstrip("\n")
    indent = len(line) - len(line.lstrip())
    # A person has typed a word or two when ghost text comes: cut at the end of a word.
    ends = [
        i
        for i in range(indent + 3, len(line) - 5)
        if line[i - 1].isalnum() and not line[i].isalnum() and line[i] != "_"
    ]
    cut = source.choice(ends[: max(1, len(ends) // 2)]) if ends else indent + 4
    return Hole(
        path=path,
        before="".join(lines[:number]),
        typed=line[:cut],
        hidden=line[cut:],
        after="".join(lines[number + 1 :]),
    )


class Editor(LanguageClient):
    """The editor's side: it only waits for the server to say that it is ready."""

    def __init__(self) -> None:
        super().__init__("sopilka-demo", "1")
        self.ready = asyncio.Event()
        self.last_status = ""
        self.is_broken = False

        @self.feature("didChangeStatus")
        def on_status(params: Any) -> None:
            if params.message and params.message != self.last_status:
                self.last_status = params.message
                say(f"  {params.kind}: {params.message}")
            if params.kind == "Error" or (not params.busy and params.kind != "Inactive"):
                self.is_broken = params.kind == "Error"
                self.ready.set()

        @self.feature(types.WINDOW_SHOW_MESSAGE)
        def on_message(params: types.ShowMessageParams) -> None:
            say(f"  server: {params.message}")

        @self.feature(types.WINDOW_WORK_DONE_PROGRESS_CREATE)
        def on_create(_: types.WorkDoneProgressCreateParams) -> None:
            return None

    async def start(self, root: Path) -> types.InitializeResult:
        # -P: a repository's own folders must not be taken for our packages.
        command = (sys.executable, "-P", "-m", "lsp_server", "--stdio")
        await self.start_io(*command, cwd=str(root))
        result = await self.initialize_async(
            types.InitializeParams(
                initialization_options={"completion": {"minConfidence": 0}},
                capabilities=types.ClientCapabilities(
                    general=types.GeneralClientCapabilities(
                        position_encodings=[types.PositionEncodingKind.Utf16]
                    ),
                    text_document=types.TextDocumentClientCapabilities(
                        inline_completion=types.InlineCompletionClientCapabilities()
                    ),
                    window=types.WindowClientCapabilities(work_done_progress=True),
                ),
                root_uri=root.as_uri(),
                workspace_folders=[types.WorkspaceFolder(uri=root.as_uri(), name=root.name)],
            )
        )
        self.initialized(types.InitializedParams())
        return result

    async def complete(self, hole: Hole) -> Answer:
        """Opens the file without the line, types `hole.typed` key by key, asks, closes."""
        uri = hole.path.as_uri()
        self.text_document_did_open(
            types.DidOpenTextDocumentParams(
                types.TextDocumentItem(uri, "python", 1, f"{hole.before}\n{hole.after}")
            )
        )
        for column, key in enumerate(hole.typed):
            self.text_document_did_change(typing_change(uri, column + 2, hole.line, column, key))
        asked = time.perf_counter()
        found = await self.text_document_inline_completion_async(
            types.InlineCompletionParams(
                context=types.InlineCompletionContext(types.InlineCompletionTriggerKind.Automatic),
                text_document=types.TextDocumentIdentifier(uri),
                position=types.Position(hole.line, len(hole.typed)),
            )
        )
        waited = (time.perf_counter() - asked) * 1e3
        items = found.items if isinstance(found, types.InlineCompletionList) else found or []
        text, receipt = "", None
        if items:
            text = str(items[0].insert_text)
            receipt = await self.receipt(items[0])
        self.text_document_did_close(
            types.DidCloseTextDocumentParams(types.TextDocumentIdentifier(uri))
        )
        return Answer(hole, text, waited, parses(hole, text), receipt)

    async def receipt(self, item: types.InlineCompletionItem) -> dict[str, Any] | None:
        if item.command is None or not item.command.arguments:
            return None
        reply = await self.protocol.send_request_async(
            "sopilka/explainCompletion", {"id": item.command.arguments[0]}
        )
        return plain(reply)  # type: ignore[no-any-return]


def typing_change(
    uri: str, version: int, line: int, column: int, key: str
) -> types.DidChangeTextDocumentParams:
    here = types.Position(line, column)
    return types.DidChangeTextDocumentParams(
        types.VersionedTextDocumentIdentifier(version, uri),
        [types.TextDocumentContentChangePartial(range=types.Range(here, here), text=key)],
    )


def plain(value: Any) -> Any:
    """pygls hands unknown results over as nested tuples with names; this makes them JSON again."""
    if hasattr(value, "_asdict"):
        return {name: plain(item) for name, item in value._asdict().items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def parses(hole: Hole, suggestion: str) -> bool:
    """Whether the file with the suggestion in it has no syntax error that it has not without it."""
    without = f"{hole.before}{hole.after}".encode()
    with_it = f"{hole.before}{hole.typed}{suggestion}\n{hole.after}".encode()
    return indexer.syntax_errors("python", with_it) <= indexer.syntax_errors("python", without)


def say(text: str) -> None:
    print(text, flush=True)


def show(number: int, answer: Answer, root: Path) -> None:
    hole = answer.hole
    say(f"\n[{number}] {hole.path.relative_to(root)}:{hole.line + 1}")
    say(f"    typed  {hole.typed.strip()}")
    say(f"    ghost  {answer.text.rstrip() or '(nothing)'}")
    say(f"    truth  {hole.hidden.strip()}")
    usage = (answer.receipt or {}).get("usage") or {}
    say(
        f"    {answer.waited:.0f} ms, parses: {'yes' if answer.parses else 'NO'}, "
        f"tokens: {usage.get('generated', 0)} generated, {usage.get('computed', 0)} computed, "
        f"{usage.get('reused', 0)} reused"
    )
    for span in (answer.receipt or {}).get("context") or []:
        say(f"    from   {span_line(span)}")


def span_line(span: dict[str, Any]) -> str:
    lines = f"{span.get('start_line', 0) + 1}-{span.get('end_line', 0) + 1}"
    return f"{span.get('path')}:{lines} ({span.get('tokens')} tokens): {span.get('why')}"


def summarise(answers: list[Answer]) -> str:
    waits = sorted(answer.waited for answer in answers)
    given = [answer for answer in answers if answer.text]
    exact = sum(answer.text.strip() == answer.hole.hidden.strip() for answer in given)
    parsed = sum(answer.parses for answer in given)
    p90 = waits[min(len(waits) - 1, int(len(waits) * 0.9))]
    return (
        f"{len(answers)} holes: {len(given)} suggestions, {parsed} parse, {exact} equal the truth; "
        f"editor waits p50 {statistics.median(waits):.0f} ms, p90 {p90:.0f} ms, "
        f"max {waits[-1]:.0f} ms"
    )


async def run(root: Path, count: int, seed: int) -> str:
    holes = find_holes(root, count, seed)
    editor = Editor()
    began = time.perf_counter()
    result = await editor.start(root)
    server = result.server_info
    say(f"{server.name if server else 'server'} answered after {time.perf_counter() - began:.1f} s")
    await asyncio.wait_for(editor.ready.wait(), timeout=300)
    if editor.is_broken:
        raise SystemExit(f"the server cannot complete: {editor.last_status}")
    say(f"ready after {time.perf_counter() - began:.1f} s (index, repository memory and model)")
    await editor.complete(holes[0])  # the first request of a process is not what a user feels later
    answers = []
    for number, hole in enumerate(holes, 1):
        answers.append(await editor.complete(hole))
        show(number, answers[-1], root)
    await editor.shutdown_async(None)
    editor.exit(None)
    await editor.stop()
    return summarise(answers)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--holes", type=int, default=24, help="how many lines to hide")
    parser.add_argument("--seed", type=int, default=0, help="which lines to hide")
    parser.add_argument("--root", type=Path, default=ROOT, help="the repository to work in")
    parser.add_argument("--save", type=Path, help="append the summary to this file")
    arguments = parser.parse_args()
    summary = asyncio.run(run(arguments.root.resolve(), arguments.holes, arguments.seed))
    say(f"\n{summary}")
    if arguments.save:
        with arguments.save.open("a", encoding="utf-8") as file:
            file.write(f"{summary}\n")


if __name__ == "__main__":
    main()
