"""Turns a source into a bundle in a folder of models: resumable, one at a time, atomic at the end.

While it runs, all it writes lies in a hidden folder beside the target; a killed import leaves that
folder, and the next one with the same source and options goes on there.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.bundle import WEIGHTS, Bundle
from runtime.export.calibrate_texts import Calibration
from runtime.export.decoder import Decoder
from runtime.export.errors import ExportError
from runtime.export.journal import Journal, WeightsFile
from runtime.export.sources import Source
from runtime.export.write import Options, calibrated, checked_config, prompt_format, write_files
from runtime.ops.expert_dispatch.pack import Quantized

_JOURNAL = "journal"
# Beside the weights: graph, tokenizer, journal, and what the file system takes for itself.
_SPARE_DISK = 200 * 2**20


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an import is: `done` of `total` bytes of the source, `kept` of them from before."""

    part: str
    sections: int
    all_sections: int
    done: int
    total: int
    kept: int


def working_folder(target: Path) -> Path:
    """Return where an import of `target` keeps what it has so far."""
    return target.with_name(f".{target.name}.importing")


def import_model(
    source: Source,
    target: Path,
    options: Options,
    size: int,
    report: Callable[[Progress], None],
    calibration: Calibration | None = None,
) -> Bundle:
    """Write the bundle `target` of about `size` bytes, and return it.

    `report` hears of progress after every piece of work. Raises ExportError: where another import
    of `target` is running, the disk is too small, or the source cannot be exported; what was
    written so far is then deleted. Any other exception leaves it, to go on from there.
    """
    config = checked_config(source, options)
    tokenizer = source.tokenizer()
    prompt = prompt_format(tokenizer, config, options.prompt_layout, source)
    target.parent.mkdir(parents=True, exist_ok=True)
    with _only_import(target):
        if target.exists() and not options.replace:
            raise ExportError(f"{target} exists already: choose another name, or add --force")
        folder = working_folder(target)
        _check_disk(folder, size)
        folder.mkdir(exist_ok=True)
        meter = _Meter(source, report)
        weights = WeightsFile(folder / WEIGHTS)
        rounding = calibrated(calibration, source, config, options.schemes, tokenizer, prompt)
        texts = None if rounding is None else rounding.fingerprint
        identity = _identity(source, options, asdict(config), texts)
        journal = Journal(folder / _JOURNAL, weights, identity, meter.finished)
        decoder = functools.partial(Decoder, tensors=meter, rounding=rounding)
        try:
            write_files(folder, weights, config, tokenizer, prompt, options, decoder, journal)
            weights.close()
        except ExportError:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        finally:
            weights.abandon()
            journal.close()
        (folder / _JOURNAL).unlink()
        Bundle.open(folder, verify=False)
        _move(folder, target)
    return Bundle.open(target, verify=False)


def _identity(
    source: Source, options: Options, config: dict[str, Any], texts: str | None
) -> dict[str, Any]:
    """All that decides which bytes are written, as JSON gives it back."""
    chosen = {**asdict(options), "replace": False}
    fingerprints = {"source": source.fingerprint(), "texts": texts}
    identity = {**fingerprints, "options": chosen, "config": config}
    return dict(json.loads(json.dumps(identity)))


def _check_disk(folder: Path, size: int) -> None:
    free = shutil.disk_usage(folder.parent).free
    weights = folder / WEIGHTS
    there = weights.stat().st_size if weights.exists() else 0
    missing = size - there + _SPARE_DISK
    if missing > free:
        held = f", {there / 1e9:.2f} GB of it written already" if there else ""
        raise ExportError(
            f"the bundle takes about {size / 1e9:.2f} GB{held}, and {folder.parent} has "
            f"{free / 1e9:.2f} GB free: make room, or choose another folder or fewer bits"
        )


@contextlib.contextmanager
def _only_import(target: Path) -> Iterator[None]:
    """Hold the right to import `target`. Raises ExportError where another process has it."""
    path = target.with_name(f".{target.name}.lock")
    while True:
        file = path.open("ab")
        if not _try_lock(file.fileno()):
            file.close()
            raise ExportError(
                f"{target.name} is being imported by another process: wait for it, or choose "
                "another name with --name"
            )
        # Whoever had it before may have deleted the file between our opening and our locking it.
        if path.exists() and os.path.samestat(path.stat(), os.fstat(file.fileno())):
            break
        file.close()
    try:
        yield
    finally:
        if sys.platform == "win32":  # There an open file cannot be deleted.
            file.close()
        path.unlink(missing_ok=True)
        file.close()


def _try_lock(descriptor: int) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _move(folder: Path, target: Path) -> None:
    """Let `folder` become `target` at once; an older one goes."""
    for path in folder.iterdir():
        with path.open("rb+") as file:
            os.fsync(file.fileno())
    if not target.exists():
        folder.rename(target)
        return
    old = target.with_name(f".{target.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    target.rename(old)
    folder.rename(target)
    shutil.rmtree(old, ignore_errors=True)


class _Meter:
    """Counts bytes of the source as they are read; stands between the decoder and its tensors."""

    def __init__(self, source: Source, report: Callable[[Progress], None]) -> None:
        self._source, self._report = source, report
        self.shapes = source.shapes
        self._sections = section_sizes(source)
        self._count = self._done = self._kept = self._before = 0

    def finished(self, section: str, was_kept: bool) -> None:
        """Hear of a section; whatever of it was not read is done all the same."""
        size = self._sections.get(section, 0)
        self._before += size
        self._done = self._before
        self._count += 1
        self._kept += size if was_kept else 0
        self._tell(section)

    def read(self, name: str) -> NDArray[np.float32]:
        values = self._source.read(name)
        self._add(name)
        return values

    def read_quantized(self, name: str, bits: int, block: int) -> Quantized | None:
        values = self._source.read_quantized(name, bits, block)
        if values is not None:
            self._add(name)
        return values

    def _add(self, name: str) -> None:
        self._done += self._source.storage(name).bytes
        self._tell(section_of(name))

    def _tell(self, section: str) -> None:
        total = sum(self._sections.values())
        done = min(self._done, total)
        self._report(Progress(section, self._count, len(self._sections), done, total, self._kept))


def section_of(name: str) -> str:
    """Return the section of the graph that a tensor belongs to, as the decoder names it."""
    match = re.match(r"model\.layers\.(\d+)\.", name)
    if match is not None:
        return f"layer.{match[1]}"
    return "embedding" if name.startswith("model.embed_tokens.") else "head"


def section_sizes(source: Source) -> dict[str, int]:
    """Return the bytes that each section of the graph takes in the source."""
    sizes: dict[str, int] = {}
    for name in source.shapes:
        section = section_of(name)
        sizes[section] = sizes.get(section, 0) + source.storage(name).bytes
    return sizes
