"""Starts the host's process, and is what runs in it.

Clients that find no host race for a lock; the winner starts the process, which says `ready` or
what is wrong on its standard output, once; the others wait and connect.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from logging.handlers import RotatingFileHandler
from pathlib import Path

from runtime.config import EngineConfig
from runtime.endpoint import address_of, host_name, runtime_directory
from runtime.engine import Engine
from runtime.errors import EngineError, ModelLoadError

MAX_KEPT_BYTES = 64 * 1024 * 1024
MAX_LOG_BYTES = 1_000_000
IDLE_SECONDS = 600.0
READY = "ready"
log = logging.getLogger(__name__)


def start(
    bundle: Path, config: EngineConfig, idle: float = IDLE_SECONDS, keep: Path | None = None
) -> None:
    """Starts the host for a bundle if there is none; returns when it listens. Takes seconds.

    With `keep` it keeps its cache of keys and values in that folder when it leaves.

    Raises ModelLoadError with what the host said when it could not load the model.
    """
    directory = runtime_directory()
    name = host_name(bundle, config)
    with _locked(directory / f"engine-{name}.lock"):
        if asyncio.run(_answers(address_of(directory, name))):
            return  # Somebody else was faster.
        process = subprocess.Popen(
            command(bundle, config, idle, keep),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            cwd=directory,
        )
        assert process.stdout is not None
        with process.stdout as said:
            line = said.readline().decode("utf-8", "replace").strip()
    if line != READY:
        process.wait(timeout=10)
        raise ModelLoadError(line or f"the engine host ended at once; see {directory}")


def command(bundle: Path, config: EngineConfig, idle: float, keep: Path | None) -> list[str]:
    """How a host is started: without the current folder on the path, which is not ours."""
    packages = str(Path(__file__).resolve().parent.parent)
    code = (
        "import sys; sys.path.insert(0, sys.argv.pop(1)); "
        "from runtime.host_process import main; sys.exit(main(sys.argv[1:]))"
    )
    options = ["--bundle", str(bundle), "--config", json.dumps(asdict(config)), "--idle", str(idle)]
    if keep is not None:
        options += ["--keep", str(keep)]
    return [sys.executable, "-P", "-c", code, packages, *options]


def main(arguments: list[str]) -> int:
    """Loads the model, says that it is ready, and serves until nobody needs it any more."""
    parser = argparse.ArgumentParser(prog="engine host", description=__doc__)
    parser.add_argument("--bundle", type=Path, required=True, help="the model's folder")
    parser.add_argument("--config", required=True, help="an EngineConfig as JSON")
    parser.add_argument("--idle", type=float, default=IDLE_SECONDS, help="seconds without clients")
    parser.add_argument("--keep", type=Path, help="keep the cache in this folder when leaving")
    options = parser.parse_args(arguments)
    config = EngineConfig(**json.loads(options.config))
    directory = runtime_directory()
    name = host_name(options.bundle, config)
    _log_to(directory / f"engine-{name}.log")
    try:
        kept = None if options.keep is None else options.keep / f"kv-{name}"
        serving = _serve(options.bundle, config, address_of(directory, name), options.idle, kept)
        asyncio.run(serving)
    except EngineError as error:
        log.error("the model cannot be loaded: %s", type(error).__name__)
        _say(" ".join(str(error).split()))
        return 1
    return 0


async def _serve(
    path: Path, config: EngineConfig, address: str, idle: float, kept: Path | None
) -> None:
    from runtime import AsyncEngine, build_engine
    from runtime.bundle import Bundle
    from runtime.host import EngineHost

    began = time.monotonic()
    bundle = Bundle.open(path)
    local = build_engine(bundle, config)
    name = host_name(path, config)

    def keep(engine: Engine) -> None:
        if kept is not None:
            with contextlib.suppress(OSError):
                count = engine.save_cache(kept, name, MAX_KEPT_BYTES)
                log.info("%d blocks of the cache are kept", count)

    if kept is not None:
        log.info("%d blocks of the cache were kept", local.load_cache(kept, name))
    engine = AsyncEngine(local, keep)
    description = {"model": bundle.name, "bundle": str(path), "config": asdict(config)}
    host = EngineHost(engine, description, idle)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        with contextlib.suppress(NotImplementedError):  # Windows
            loop.add_signal_handler(number, host.stop)
    serving = asyncio.ensure_future(host.serve(address))
    await asyncio.sleep(0)
    while not serving.done() and not await _answers(address):
        await asyncio.sleep(0.005)
    log.info("ready after %.2f s", time.monotonic() - began)
    _say(READY)
    try:
        await serving
    finally:
        await engine.aclose()


async def _answers(address: str) -> bool:
    from runtime.endpoint import connect

    stream = await connect(address)
    if stream is None:
        return False
    stream[1].close()
    return True


def _say(line: str) -> None:
    """The one line that the starter waits for; then standard output is let go."""
    with contextlib.suppress(OSError):
        os.write(1, f"{line}\n".encode())
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, 1)
        os.close(nothing)


def _log_to(path: Path) -> None:
    handler = RotatingFileHandler(path, maxBytes=MAX_LOG_BYTES, backupCount=1, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """One process at a time. A process that dies lets go."""
    with path.open("a+b") as file:
        if sys.platform == "win32":
            import msvcrt

            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)
        yield
