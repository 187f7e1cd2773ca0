"""`lsp-server index`: what of a folder is indexed, and why the rest is not."""

from __future__ import annotations

import argparse
import time
from collections import Counter
from pathlib import Path
from typing import Any

from indexer import Crawler, FileFound, Rules
from lsp_server.cli.options import BadInput, add_settings, folder, read_settings
from lsp_server.cli.output import fail, write, write_json
from lsp_server.session import index_config, new_index

DESCRIPTION = """\
Indexes a folder as the server would, and prints counts and the reasons for what is left out.

  lsp-server index .                     counts, and reasons with their numbers
  lsp-server index . --skipped           each file that was left out, with the reason
  lsp-server index . --set index.exclude='["docs/"]'
"""


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="lsp-server index",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", metavar="DIR", type=Path, nargs="?", default=Path())
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--skipped", action="store_true", help="name every file left out")
    add_settings(parser)
    options = parser.parse_args(arguments)
    try:
        settings = read_settings(options.settings)
        root = folder(options.folder).as_posix()
    except BadInput as error:
        return fail(str(error))
    index = new_index(settings.index, (root,))
    languages: Counter[str] = Counter()
    skipped: list[tuple[str, str]] = []
    began = time.perf_counter()
    for batch in Crawler(Rules((root,), index_config(settings.index))).crawl():
        skipped += batch.skipped
        for change in batch.changes:
            index.apply(change)
            if isinstance(change, FileFound):
                languages[change.facts.language] += 1
    counts = index.status()
    found = {
        "root": root,
        "files": counts.files,
        "languages": dict(languages.most_common()),
        "symbols": counts.symbols,
        "chunks": counts.chunks,
        "seconds": round(time.perf_counter() - began, 3),
        "skipped": [{"path": index.relative(path), "reason": reason} for path, reason in skipped],
    }
    if options.json:
        write_json(found)
    else:
        write(as_text(found, options.skipped))
    return 0


def as_text(found: dict[str, Any], names_skipped: bool) -> str:
    languages = ", ".join(f"{count} {name}" for name, count in found["languages"].items())
    lines = [
        f"{found['root']}: {found['files']} files ({languages or 'none in a known language'}), "
        f"{found['symbols']} symbols, {found['chunks']} chunks in {found['seconds']:.1f} s"
    ]
    if names_skipped:
        lines += [f"  {each['path']}: {each['reason']}" for each in found["skipped"]]
    else:
        reasons = Counter(each["reason"] for each in found["skipped"])
        lines += [f"  {count} left out: {reason}" for reason, count in reasons.most_common()]
    return "\n".join(lines) + "\n"
