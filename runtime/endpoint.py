"""Where the engine host listens: a Unix socket in the user's runtime directory, or a named pipe.

Only the user may reach it: the directory is 0700 and must belong to the user, the socket is 0600.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import stat
import sys
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from runtime.bundle import MANIFEST
from runtime.config import EngineConfig
from runtime.errors import EngineError
from runtime.frames import PROTOCOL_VERSION, BadFrame, frame, read_frame

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
LONGEST_SOCKET = 100  # The system's limit is 104 to 108 bytes.


class EndpointError(EngineError):
    """There is no safe place for the host's socket."""


def runtime_directory() -> Path:
    """The directory of sockets, locks and logs. Raises EndpointError where it would not be safe.

    `$SOPILKA_RUNTIME_DIR`, else `sopilka` in `$XDG_RUNTIME_DIR`, else a directory of the user's own
    among the system's temporary ones.
    """
    chosen = os.environ.get("SOPILKA_RUNTIME_DIR")
    session = os.environ.get("XDG_RUNTIME_DIR")
    if chosen:
        path = Path(chosen)
    elif session and Path(session).is_dir():
        path = Path(session) / "sopilka"
    else:
        user = os.getuid() if hasattr(os, "getuid") else os.environ.get("USERNAME", "user")
        path = Path(tempfile.gettempdir()) / f"sopilka-{user}"
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = path.lstat()
    except OSError as error:
        raise EndpointError(
            f"cannot make {path} ({error.strerror}): set SOPILKA_RUNTIME_DIR to another folder"
        ) from error
    if not stat.S_ISDIR(found.st_mode):
        raise EndpointError(f"{path} is not a directory: remove it, or set SOPILKA_RUNTIME_DIR")
    if hasattr(os, "getuid"):
        if found.st_uid != os.getuid():
            raise EndpointError(f"{path} belongs to another user: set SOPILKA_RUNTIME_DIR")
        if found.st_mode & 0o077:
            path.chmod(0o700)
    return path


def host_name(bundle: Path, config: EngineConfig) -> str:
    """What tells one host from another: the bundle's manifest, how it runs, and the protocol."""
    try:
        manifest = (bundle / MANIFEST).read_bytes()
    except OSError:  # The host will say what is wrong with it.
        manifest = os.fsencode(bundle)
    digest = hashlib.sha256(manifest)
    digest.update(json.dumps([PROTOCOL_VERSION, str(bundle), asdict(config)]).encode())
    return digest.hexdigest()[:12]


def address_of(directory: Path, name: str) -> str:
    """Where the host of this name listens. Raises EndpointError for a path that is too long."""
    if sys.platform == "win32":
        return rf"\\.\pipe\sopilka-{name}"
    path = directory / f"engine-{name}.sock"
    if len(os.fsencode(path)) > LONGEST_SOCKET:
        raise EndpointError(
            f"{path} is too long for a socket: set SOPILKA_RUNTIME_DIR to a shorter directory"
        )
    return str(path)


async def connect(address: str) -> Stream | None:
    """A connection, or None where nobody listens."""
    try:
        if sys.platform == "win32":
            return await _connect_pipe(address)
        return await asyncio.open_unix_connection(address)
    except (ConnectionRefusedError, FileNotFoundError, ConnectionResetError):
        return None


def addresses(directory: Path) -> dict[str, str]:
    """Where hosts of this directory listen or have listened, by name."""
    names = [path.stem.removeprefix("engine-") for path in directory.glob("engine-*.lock")]
    return {name: address_of(directory, name) for name in sorted(names)}


async def ask(address: str, kind: str) -> dict[str, Any] | None:
    """One question to a host, such as `describe` or `stop`; None where nobody answers."""
    stream = await connect(address)
    if stream is None:
        return None
    reader, writer = stream
    try:
        writer.write(frame(kind))
        return await asyncio.wait_for(read_frame(reader), timeout=10)
    except (BadFrame, ConnectionError, TimeoutError):
        return None
    finally:
        writer.close()


async def listen(address: str, serve: Serve) -> Any:
    """Serves connections; `close` on what is returned ends that.

    A socket that an earlier host left behind is replaced: whoever starts a host holds its lock.
    """
    if sys.platform == "win32":
        return await _listen_pipe(address, serve)
    Path(address).unlink(missing_ok=True)
    before = os.umask(0o177)  # From its first moment on the socket is the user's alone.
    try:
        return await asyncio.start_unix_server(serve, address)
    finally:
        os.umask(before)


async def _connect_pipe(address: str) -> Stream:
    loop: Any = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    transport, _ = await loop.create_pipe_connection(lambda: protocol, address)
    return reader, asyncio.StreamWriter(transport, protocol, reader, loop)


async def _listen_pipe(address: str, serve: Serve) -> Any:
    loop: Any = asyncio.get_running_loop()

    def protocol() -> asyncio.StreamReaderProtocol:
        return asyncio.StreamReaderProtocol(asyncio.StreamReader(), serve)

    (server,) = await loop.start_serving_pipe(protocol, address)
    return server
