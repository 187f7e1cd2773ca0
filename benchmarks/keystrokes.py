"""How many tokens does a keystroke cost? Replays the typing of real commits through the pipeline.

Takes commits of a git repository, newest first, and types the lines that they added to a file, key
by key, into what the file was before; after each key a completion is asked as an editor would, up
to the prompt, and the engine computes what it does not hold. Only keys inside a line count: a new
line moves the prompt's window. The index and the memory hold the repository as it is now, without
the file that is typed in.

    python -m benchmarks.keystrokes [--repository DIR] [--keys 1500] [--bundle DIR] [--write]
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from indexer import Crawler, Index, IndexConfig, Open, Replace, Rules, language_of
from lsp_server.features.completion import Ask, Prepared, prepare
from lsp_server.features.model import Model
from lsp_server.features.tokens import TokenCache
from lsp_server.settings import Settings, from_client
from runtime import EngineConfig, InlineEngine, Usage, build_engine
from runtime.bundle import Bundle, default_bundle_path
from runtime.prompt_format import PromptFormat

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "keystrokes.md"
MAX_FILE = 100_000


@dataclass(frozen=True)
class Typing:
    """Lines that were added to a file at `offset`, in one piece."""

    path: str
    before: bytes
    offset: int
    added: str


@dataclass(frozen=True)
class Key:
    """What one keystroke cost: prompt tokens, those of them computed, and milliseconds."""

    prompt: int
    computed: int
    prepare_ms: float
    prefill_ms: float
    is_inside: bool  # whether the key before was in the same line


def git(repository: Path, *arguments: str) -> bytes:
    command = ["git", "-C", str(repository), *arguments]
    return subprocess.run(command, check=True, capture_output=True).stdout


def typings(repository: Path) -> Iterator[Typing]:
    """Additions of the repository's commits to files of languages that we know, newest first."""
    for commit in git(repository, "log", "--no-merges", "--format=%H", "-n", "300").split():
        name = commit.decode()
        diff = git(repository, "show", "--unified=0", "--format=", "--no-renames", name).decode(
            "utf-8", "replace"
        )
        for part in diff.split("\ndiff --git "):
            lines = part.split("\n")
            path = next((line[6:] for line in lines if line.startswith("+++ b/")), None)
            if (
                path is None
                or language_of(path) is None
                or any("/dev/null" in x for x in lines[:6])
            ):
                continue
            yield from _hunks(repository, name, path, lines)


def _hunks(repository: Path, commit: str, path: str, lines: list[str]) -> Iterator[Typing]:
    """Pieces that only add, each typed into the file as the commit left it but for the piece."""
    after = git(repository, "show", f"{commit}:{path}")
    if len(after) > MAX_FILE:
        return
    rows = after.splitlines(keepends=True)
    for number, line in enumerate(lines):
        if not line.startswith("@@ ") or "," not in line.split()[1] or ",0" not in line.split()[1]:
            continue
        added: list[str] = []
        for follower in lines[number + 1 :]:
            if not follower.startswith("+"):
                break
            added.append(follower[1:])
        first = int(line.split()[2].lstrip("+").split(",")[0]) - 1
        if 1 <= len(added) <= 30 and any(text.strip() for text in added):
            before = b"".join(rows[:first])
            yield Typing(
                str(repository / path),
                before + b"".join(rows[first + len(added) :]),
                len(before),
                "\n".join(added) + "\n",
            )


def build_index(repository: Path) -> Index:
    config, roots = IndexConfig(), (repository.as_posix(),)
    index = Index(config, roots)
    for batch in Crawler(Rules(roots, config)).crawl():
        for change in batch.changes:
            index.apply(change)
    return index


async def replay(
    index: Index, model: Model, typing: Typing, settings: Settings, limit: int
) -> list[Key]:
    """Types one addition, at most `limit` keys of it."""
    keys: list[Key] = []
    language = language_of(typing.path)
    name = language.name if language is not None else None
    index.apply(Open(typing.path, name, 0, typing.before))
    is_inside = False
    for count in range(1, min(len(typing.added), limit) + 1):
        typed = typing.added[:count].encode()
        text = typing.before[: typing.offset] + typed + typing.before[typing.offset :]
        index.apply(Replace(typing.path, count, text))
        if typed.endswith(b"\n"):
            is_inside = False
            continue
        began = time.perf_counter()
        ask = Ask(typing.path, text, typing.offset + len(typed), name, count)
        prepared = prepare(index, model, ask, settings, time.monotonic)
        if not isinstance(prepared, Prepared):
            continue
        took = (time.perf_counter() - began) * 1e3
        request = prepared.attempts[0].request
        request = replace(request, sampling=replace(request.sampling, max_tokens=1))
        async with model.engine.generate(request) as generation:
            result = await generation.result()
        keys.append(_key(result.usage, took, result.timings.prefill, is_inside))
        is_inside = True
    return keys


def _key(usage: Usage, took: float, prefill: float, is_inside: bool) -> Key:
    return Key(usage.prompt, usage.prompt - usage.reused, took, prefill, is_inside)


async def measure(repository: Path, bundle_path: Path, wanted: int) -> list[Key]:
    bundle = Bundle.open(bundle_path)
    engine = build_engine(bundle, EngineConfig())
    model = Model(
        bundle.name,
        InlineEngine(engine),
        TokenCache(engine.tokenizer.encode),
        PromptFormat.from_manifest(bundle.prompt_format, engine.tokenizer),
        min(bundle.context, engine.runner.max_context),
        bundle.sampling,
    )
    settings, _ = from_client({"context.deadlineMs": 1000}, Settings())
    index = build_index(repository)
    keys: list[Key] = []
    async with model.engine:
        for typing in typings(repository):
            keys += await replay(index, model, typing, settings, 200)
            if len(keys) >= wanted:
                break
    return keys[:wanted]


def report(keys: list[Key], repository: Path, bundle: Path) -> str:
    inside = [key for key in keys if key.is_inside]
    rows = [
        "| keys | number | tokens computed p50 | p95 | max | of a prompt of (p50) |"
        " prompt ms p50 | prefill ms p50 | p95 |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, chosen in (("inside a line", inside), ("all", keys)):
        computed = np.array([key.computed for key in chosen])
        prefill = np.array([key.prefill_ms for key in chosen])
        rows.append(
            f"| {name} | {len(chosen)} | {np.percentile(computed, 50):.0f} |"
            f" {np.percentile(computed, 95):.0f} | {computed.max()} |"
            f" {np.median([key.prompt for key in chosen]):.0f} |"
            f" {np.median([key.prepare_ms for key in chosen]):.1f} |"
            f" {np.percentile(prefill, 50):.1f} | {np.percentile(prefill, 95):.1f} |"
        )
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    return "\n".join(
        [
            "# Keystrokes",
            "",
            f"`python -m benchmarks.keystrokes --keys {len(keys)}` on the commits of"
            f" {repository.name}, model {bundle.name}.",
            "",
            f"{platform.machine()}, {os.cpu_count()} CPUs, load {load:.1f},"
            f" Python {platform.python_version()}.",
            "",
            *rows,
            "",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repository", type=Path, default=ROOT)
    parser.add_argument("--keys", type=int, default=1500)
    parser.add_argument("--bundle", type=Path, default=default_bundle_path())
    parser.add_argument("--write", action="store_true", help="save the table in results/")
    options = parser.parse_args()
    keys = asyncio.run(measure(options.repository.resolve(), options.bundle, options.keys))
    text = report(keys, options.repository.resolve(), options.bundle)
    print(text)
    if options.write:
        RESULTS.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
