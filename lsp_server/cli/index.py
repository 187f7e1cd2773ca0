"""`lsp-server index`: builds the index of a folder, says what it cost, and answers from it."""

from __future__ import annotations

import argparse
import gc
import sys
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from indexer import Crawler, FileFound, Index, IndexConfig, LineIndex, Open, Rules, Snippet, Symbol
from indexer.costs import PHASES, Costs, peak_bytes
from indexer.store import Store
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
from lsp_server.session import index_config
from lsp_server.settings import SECTION, Settings

DESCRIPTION = """\
Indexes a folder as the server would: counts, cost, and the reasons for what is left out; or what
the index answers. Facts of files are kept, so a second run is quick.

  lsp-server index .                              counts, seconds of CPU by phase, memory
  lsp-server index . --skipped                    each file that was left out, with the reason
  lsp-server index . --set index.exclude='["docs/"]'
  lsp-server index . --no-store                   as if for the first time, and nothing is kept
  lsp-server index . --symbols parsreq            symbols by the letters of their names
  lsp-server index . --map --budget 1000          the most important definitions in 1000 tokens
  lsp-server index --context src/app.py:12:9 --budget 2000
                                                  what a prompt for that place would hold
  lsp-server index . --symbols Request --json     any of them for a script
"""
DEFAULT_BUDGET, DEFAULT_LIMIT = 1024, 20
MEGABYTE = 1_000_000


@dataclass(slots=True)
class Built:
    """An index, and what it took to build it."""

    index: Index
    root: str
    config: IndexConfig
    languages: Counter[str] = field(default_factory=Counter)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    seconds: float = 0.0
    cpu: dict[str, float] = field(default_factory=dict)  # by phase, "apply" and "all" too
    worker_bytes: int = 0


def main(arguments: list[str]) -> int:
    options = _parser().parse_args(arguments)
    try:
        settings = read_settings(options.settings)
        budget = _budget(options)
        target = parse_target(options.context) if options.context else None
        if options.folder is not None or target is None:
            root = folder(options.folder or Path())
        else:
            root = root_of(target.file.absolute())
        text = read_text(target.file, root, settings) if target is not None else b""
        offset = offset_of(text, target) if target is not None else 0
        config = _config(settings, options)
    except BadInput as error:
        return fail(str(error))
    built = build(root.as_posix(), config, shows_progress=not options.json)
    if target is not None:
        found = _context(built.index, target, text, offset, budget)
        _show(options.json, snippet_fields(built.index, found), snippets_text(built.index, found))
    elif options.map:
        found = built.index.repository_map(budget)
        _show(options.json, snippet_fields(built.index, found), snippets_text(built.index, found))
    elif options.symbols is not None:
        symbols = built.index.symbols_matching(options.symbols, options.limit)
        rows = symbol_fields(built.index, symbols)
        _show(options.json, rows, "".join(map(symbol_line, rows)) or "no symbol matches\n")
    else:
        fields = report_fields(built)
        _show(options.json, fields, report_text(fields, options.skipped))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lsp-server index",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", metavar="DIR", type=Path, nargs="?", help="default: here")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--skipped", action="store_true", help="name every file left out")
    question = parser.add_mutually_exclusive_group()
    question.add_argument("--symbols", metavar="QUERY", help="find symbols by name")
    question.add_argument("--map", action="store_true", help="the repository in few words")
    question.add_argument(
        "--context", metavar="FILE:LINE:COL", help="other code that helps at a place"
    )
    parser.add_argument(
        "--budget", metavar="N", type=int, help=f"tokens (default: {DEFAULT_BUDGET})"
    )
    parser.add_argument(
        "--limit", metavar="N", type=int, default=DEFAULT_LIMIT, help="symbols to show"
    )
    store = parser.add_mutually_exclusive_group()
    store.add_argument("--store", metavar="DIR", type=Path, help="keep facts of files here")
    store.add_argument("--no-store", action="store_true", help="neither use nor keep facts")
    add_settings(parser)
    return parser


def _budget(options: argparse.Namespace) -> int:
    if options.budget is not None and not (options.map or options.context):
        raise BadInput("--budget counts tokens of --map or --context; neither is asked for")
    if options.symbols is not None and not options.symbols.strip():
        raise BadInput("--symbols needs some letters of a name")
    budget: int = DEFAULT_BUDGET if options.budget is None else options.budget
    for name, value in (("--budget", budget), ("--limit", options.limit)):
        if value < 1:
            raise BadInput(f"{name} {value}: must be 1 or more")
    return budget


def _config(settings: Settings, options: argparse.Namespace) -> IndexConfig:
    """The limits of the index. Raises BadInput for a store that cannot be used."""
    config = index_config(settings.index)
    if options.no_store:
        return replace(config, store_folder="")
    if options.store is not None:
        config = replace(config, store_folder=str(options.store.absolute()))
    if config.store_folder:
        store = Store(config.store_folder, config.max_store_bytes)
        store.close()
        if store.problem and options.store is not None:
            raise BadInput(f"--store {options.store}: {store.problem}")
        if store.problem:
            sys.stderr.write(
                f"lsp-server: nothing is kept for the next time: {store.problem} "
                f"(setting {SECTION}.index.cacheFolder)\n"
            )
    return config


def build(root: str, config: IndexConfig, shows_progress: bool) -> Built:
    """Crawls a folder into an index."""
    built = Built(Index(config, (root,)), root, config)
    crawler = Crawler(Rules((root,), config))
    began, cpu = time.perf_counter(), _cpu_seconds()
    told = began if shows_progress and sys.stderr.isatty() else float("inf")
    applied = Costs()
    gc.freeze()
    gc.disable()  # Nothing here is garbage, and looking for it takes longer the more there is.
    try:
        for batch in crawler.crawl():
            built.skipped += batch.skipped
            with applied.phase("apply"):
                built.index.apply_found(batch.changes)
            built.languages.update(
                change.facts.language for change in batch.changes if isinstance(change, FileFound)
            )
            if time.perf_counter() > told + 0.1:
                told = time.perf_counter()
                _progress(f"indexing: {batch.progress.done} of {batch.progress.found} files")
    finally:
        gc.enable()
        if told < float("inf"):
            _progress("")
    built.seconds = time.perf_counter() - began
    built.cpu = crawler.costs.seconds | applied.seconds | {"all": _cpu_seconds() - cpu}
    built.worker_bytes = crawler.costs.peak_bytes
    return built


def _progress(text: str) -> None:
    sys.stderr.write(f"\r\x1b[K{text}")
    sys.stderr.flush()


def _cpu_seconds() -> float:
    """Of this process and of workers that have ended."""
    try:
        import resource
    except ImportError:
        return time.process_time()
    others = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + others.ru_utime + others.ru_stime


def _context(index: Index, target: Target, text: bytes, offset: int, budget: int) -> list[Snippet]:
    path = target.file.resolve().as_posix()
    index.apply(Open(path, None, 1, text))
    return index.context(path, offset, budget)


def _show(as_json: bool, fields: Any, text: str) -> None:
    if as_json:
        write_json(fields)
    else:
        write(text)


def report_fields(built: Built) -> dict[str, Any]:
    counts = built.index.status()
    return {
        "root": built.root,
        "files": counts.files,
        "languages": dict(built.languages.most_common()),
        "symbols": counts.symbols,
        "references": counts.references,
        "chunks": counts.chunks,
        "seconds": round(built.seconds, 3),
        "cpu_seconds": {name: round(value, 3) for name, value in built.cpu.items()},
        "peak_bytes": {"parent": peak_bytes(), "worker": built.worker_bytes},
        "store": built.config.store_folder or None,
        "skipped": [
            {"path": built.index.relative(path), "reason": reason} for path, reason in built.skipped
        ],
    }


def report_text(found: dict[str, Any], names_skipped: bool) -> str:
    languages = ", ".join(f"{count} {name}" for name, count in found["languages"].items())
    cpu, peak = found["cpu_seconds"], found["peak_bytes"]
    phases = [f"{name} {cpu[name]:.2f}" for name in (*PHASES, "apply") if name in cpu]
    memory = f"{peak['parent'] // MEGABYTE} MB here"
    if peak["worker"]:
        memory += f", {peak['worker'] // MEGABYTE} MB in a worker"
    lines = [
        f"{found['root']}: {found['files']} files ({languages or 'none in a known language'}), "
        f"{found['symbols']} symbols, {found['references']} references, "
        f"{found['chunks']} chunks in {found['seconds']:.1f} s",
        f"  cpu      {cpu['all']:.2f} s: {', '.join(phases)}",
        f"  memory   at most {memory}",
        f"  store    {found['store'] or 'none'}",
    ]
    if names_skipped:
        lines += [f"  {each['path']}: {each['reason']}" for each in found["skipped"]]
    else:
        reasons = Counter(each["reason"] for each in found["skipped"])
        lines += [f"  {count} left out: {reason}" for reason, count in reasons.most_common()]
    return "\n".join(lines) + "\n"


def symbol_fields(index: Index, symbols: list[Symbol]) -> list[dict[str, Any]]:
    """Where symbols are, lines and columns counted from 1 as editors show them."""
    rows: list[dict[str, Any]] = []
    for symbol in symbols:
        text = index.text_of(symbol.path) or b""
        at = min(symbol.name_start, len(text))
        line, column = LineIndex(text).position_of(at, "utf-32")
        rows.append(
            {
                "path": index.relative(symbol.path),
                "line": line + 1,
                "column": column + 1,
                "kind": str(symbol.kind),
                "name": symbol.qualified_name,
            }
        )
    return rows


def symbol_line(row: dict[str, Any]) -> str:
    return f"{row['path']}:{row['line']}:{row['column']} {row['kind']} {row['name']}\n"


def snippet_fields(index: Index, snippets: list[Snippet]) -> list[dict[str, Any]]:
    return [
        {
            "path": index.relative(snippet.path),
            "start_line": snippet.start_line + 1,
            "end_line": snippet.end_line + 1,
            "why": snippet.why,
            "score": round(snippet.score, 4),
            "text": snippet.text,
        }
        for snippet in snippets
    ]


def snippets_text(index: Index, snippets: list[Snippet]) -> str:
    parts = [
        f"{row['path']}:{row['start_line']}-{row['end_line']} ({row['why']})\n"
        + "".join(f"    {line}\n" if line else "\n" for line in row["text"].splitlines())
        for row in snippet_fields(index, snippets)
    ]
    return "\n".join(parts) or "nothing that helps was found\n"
