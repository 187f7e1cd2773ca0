"""Builds the corpus: fetch by name, check licences, filter, deduplicate, and write the manifest.

    $ python -m training.corpus --out FOLDER [--stdlib PREFIX] [--locked]

writes train.jsonl, dev.jsonl and heldout.jsonl (rows repo, path, lang, text) into FOLDER and the
manifest beside this file. Held-out and development repositories are read first, so that a training
file which repeats one of theirs is the one to go.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path

from training import licences
from training.fetch import Archive, FetchError, fetch, members, npm_manifest, standard_library
from training.filters import Deduplicator, language, reject_reason

log = logging.getLogger(__name__)
HERE = Path(__file__).parent
ROLES = ("held-out", "dev", "train")
_TEST_PARTS = frozenset({"test", "tests", "idle_test", "test_", "__tests__", "lib2to3"})


@dataclass(frozen=True)
class Source:
    """One name of packages.toml; `role` is one of ROLES, an empty version means the newest.

    With a `sha256`, an archive of another digest is skipped.
    """

    kind: str
    name: str
    role: str
    version: str = ""
    sha256: str = ""


@dataclass(frozen=True)
class Row:
    """One file of the corpus, as it stands in the JSONL files."""

    repo: str
    path: str
    lang: str
    text: str


@dataclass
class Entry:
    """One package in the manifest; `skipped` says why it gave nothing, `rejected` counts files."""

    name: str
    kind: str
    role: str
    version: str = ""
    file: str = ""
    sha256: str = ""
    licence: str = ""
    files: int = 0
    bytes: int = 0
    skipped: str = ""
    rejected: dict[str, int] = field(default_factory=dict)


def read_sources(path: Path) -> tuple[list[Source], float]:
    """Return the sources of a packages.toml, held-out first, and the cap in MB per package."""
    table = tomllib.loads(path.read_text())
    sources = [
        Source(kind, name, role)
        for role in ROLES
        for kind in ("python", "npm")
        for name in table[kind].get(role, {}).get("names", [])
    ]
    return sources, float(table["cap_mb"])


def lock(sources: list[Source], manifest: Path) -> list[Source]:
    """Return the sources with the versions and digests that the manifest recorded."""
    rows = json.loads(manifest.read_text())["packages"]
    recorded = {(row["kind"], row["name"]): (row["version"], row["sha256"]) for row in rows}
    return [
        Source(each.kind, each.name, each.role, *recorded.get((each.kind, each.name), ()))
        for each in sources
    ]


def describe(archive: Archive) -> tuple[str, str]:
    """Return (version, licence) of a fetched package; the licence is empty where unknown."""
    if archive.kind == "stdlib":
        text = (archive.path / "LICENSE.txt").read_text()
        return archive.path.name.removeprefix("python"), licences.from_text(text)
    if archive.kind == "npm":
        manifest = npm_manifest(archive)
        version, licence = str(manifest.get("version", "")), licences.from_npm_manifest(manifest)
    else:
        version, licence = _describe_python(archive)
    return version, licence or _licence_file(archive)


def _describe_python(archive: Archive) -> tuple[str, str]:
    for name, contents in members(archive):
        if name.endswith((".dist-info/METADATA", "PKG-INFO")):
            text = contents.decode(errors="replace")
            version = next(
                line.split(":", 1)[1].strip()
                for line in text.split("\n")
                if line.startswith("Version:")
            )
            return version, licences.from_python_metadata(text)
    return "", ""


def _licence_file(archive: Archive) -> str:
    for name, contents in members(archive):
        if name.rsplit("/", 1)[-1].upper().startswith(("LICENSE", "LICENCE", "COPYING")):
            return licences.from_text(contents.decode(errors="replace"))
    return ""


def rows_of(archive: Archive, entry: Entry, seen: Deduplicator, cap: float) -> Iterator[Row]:
    """Yield the files of a package worth keeping, about `cap` bytes of them, counted in `entry`.

    Files come in the order of a hash of their path: a cap then takes a fair sample of a project,
    and sources come before compiled copies of them, so that the copies are the duplicates.
    """
    rejected: Counter[str] = Counter()
    for path, contents in sorted(members(archive), key=lambda each: _preference(each[0])):
        lang = language(path)
        if not lang or (archive.kind == "stdlib" and _TEST_PARTS & set(path.split("/"))):
            continue
        try:
            text = contents.decode().replace("\r\n", "\n")
        except UnicodeDecodeError:
            rejected["encoding"] += 1
            continue
        reason = reject_reason(path, text) or ("" if seen.is_new(text) else "duplicate")
        if reason or entry.bytes + len(contents) > cap:
            rejected[reason or "cap"] += 1
            continue
        entry.files += 1
        entry.bytes += len(text.encode())
        yield Row(entry.name, path, lang, text)
    entry.rejected = dict(sorted(rejected.items()))


def _preference(path: str) -> tuple[bool, bool, bool, bytes]:
    compiled = any(part in {"dist", "build", "cjs", "esm", "lib-esm"} for part in path.split("/"))
    declares = path.endswith((".pyi", ".d.ts", ".d.mts", ".d.cts"))
    digest = hashlib.blake2b(path.encode(), digest_size=8).digest()
    return not path.startswith("src/"), compiled, declares, digest


def collect(
    source: Source, archive: Archive, seen: Deduplicator, cap: float
) -> tuple[Entry, list[Row]]:
    """Return a package's manifest entry and its rows; none where its licence is not allowed."""
    version, licence = describe(archive)
    entry = Entry(source.name, source.kind, source.role, version, archive.path.name)
    entry.sha256, entry.licence = archive.sha256(), licence
    if source.sha256 not in {"", entry.sha256}:
        entry.skipped = "the digest differs from the manifest's"
        return entry, []
    if not licences.is_allowed(licence):
        entry.skipped = f"licence not allowed: {licence or 'unknown'}"
        return entry, []
    return entry, list(rows_of(archive, entry, seen, cap))


def build(sources: list[Source], cap: float, cache: Path, stdlib: Path | None, out: Path) -> None:
    """Write the three JSONL files under `out` and the manifest; a failed fetch is recorded."""
    out.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(4) as pool:
        fetched = list(pool.map(lambda each: _try_fetch(each, cache), sources))
    if stdlib is not None:
        sources = [*sources, Source("stdlib", "cpython", "train")]
        fetched.append(standard_library(stdlib))
    seen, entries = Deduplicator(), []
    files = {
        role: (out / f"{role.replace('-', '')}.jsonl").open("w", encoding="utf-8") for role in ROLES
    }
    for source, archive in zip(sources, fetched, strict=True):
        if isinstance(archive, str):
            entries.append(Entry(source.name, source.kind, source.role, skipped=archive))
            continue
        limit = cap if source.role == "train" and source.kind != "stdlib" else float("inf")
        entry, rows = collect(source, archive, seen, limit)
        entries.append(entry)
        for row in rows:
            files[source.role].write(json.dumps(asdict(row)) + "\n")
        log.info("%-10s %-24s %8d bytes %s", source.role, source.name, entry.bytes, entry.skipped)
    for file in files.values():
        file.close()
    _write_manifest(entries, HERE / "manifest.json")


def _try_fetch(source: Source, cache: Path) -> Archive | str:
    try:
        return fetch(source.kind, source.name, source.version, cache)
    except (FetchError, OSError) as error:
        return f"not fetched: {error}"


def _write_manifest(entries: list[Entry], path: Path) -> None:
    totals: Counter[str] = Counter()
    for entry in entries:
        totals[entry.role] += entry.bytes
    document = {"bytes": dict(totals), "packages": [asdict(entry) for entry in entries]}
    path.write_text(json.dumps(document, indent=1) + "\n")


def main() -> None:
    """Read the command line and build the corpus."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(message)s")
    parser = argparse.ArgumentParser(description="Build the training corpus.")
    parser.add_argument("--out", type=Path, required=True, help="folder for the JSONL files")
    parser.add_argument("--stdlib", type=Path, help="prefix of the Python whose library is read")
    parser.add_argument("--locked", action="store_true", help="take the manifest's versions")
    options = parser.parse_args()
    sources, cap_mb = read_sources(HERE / "packages.toml")
    if options.locked:
        sources = lock(sources, HERE / "manifest.json")
    build(sources, cap_mb * 1e6, options.out / "cache", options.stdlib, options.out)


if __name__ == "__main__":
    main()
