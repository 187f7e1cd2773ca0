"""`lsp-server serve`: speaks LSP with one editor."""

from __future__ import annotations

import argparse
import asyncio
import ipaddress
import logging
import os
import sys
from pathlib import Path

from lsp_server.cli.output import fail

DESCRIPTION = """\
Serves one editor until it goes.

  lsp-server --stdio                     through pipes, as editors start it
  lsp-server --tcp 127.0.0.1:7000        through a socket; port 0 chooses one and names it on stderr
  lsp-server --stdio --log-file /tmp/sopilka.log --log-level debug

The log holds methods, counts and times, never the text of a document.
"""
LOCAL_NAMES = ("localhost",)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="lsp-server serve",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--stdio", action="store_true", help="through pipes (the default)")
    how.add_argument("--tcp", metavar="HOST:PORT", help="listen on a socket for one client")
    parser.add_argument(
        "--allow-remote", action="store_true", help="let --tcp listen beyond this machine"
    )
    parser.add_argument("--log-file", type=Path, help="log there and not to stderr")
    parser.add_argument(
        "--log-level", choices=("debug", "info", "warning", "error"), default="warning"
    )
    # Editors of the VS Code family add the id of their process; the end of the pipe tells us more.
    parser.add_argument("--clientProcessId", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    try:
        set_up_logging(options.log_file, options.log_level)
    except OSError as error:
        return fail(f"--log-file {options.log_file}: {error.strerror}")
    if options.tcp is None:
        return serve_stdio()
    try:
        host, port = address(options.tcp, options.allow_remote)
    except ValueError as error:
        return fail(f"--tcp {options.tcp}: {error}")
    return serve_tcp(host, port)


def serve_stdio() -> int:
    from lsp_server import transport

    # stdout is the wire. Whatever a library prints must not get into it: it goes to stderr.
    wire = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return asyncio.run(transport.serve_stdio(0, wire))


def serve_tcp(host: str, port: int) -> int:
    from lsp_server import transport

    def listening(host: str, port: int) -> None:
        sys.stderr.write(f"listening on {host}:{port}\n")
        sys.stderr.flush()

    try:
        return asyncio.run(transport.serve_tcp(host, port, listening))
    except OSError as error:
        return fail(f"cannot listen on {host}:{port}: {error.strerror or error}", code=1)


def address(text: str, allow_remote: bool) -> tuple[str, int]:
    """Host and port of HOST:PORT. Raises ValueError that says what would be right."""
    host, colon, number = text.rpartition(":")
    host = host.strip("[]")
    if not colon or not host or not number.isdecimal() or not 0 <= int(number) <= 65535:
        raise ValueError("must be HOST:PORT with a port from 0 to 65535, such as 127.0.0.1:7000")
    if not allow_remote and not is_loopback(host):
        raise ValueError(
            f"{host} can be reached from other machines, and there is no password; "
            "use 127.0.0.1, or add --allow-remote if you know what you do"
        )
    return host, int(number)


def is_loopback(host: str) -> bool:
    try:
        return host in LOCAL_NAMES or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def set_up_logging(file: Path | None, level: str) -> None:
    handler = logging.StreamHandler(sys.stderr) if file is None else logging.FileHandler(file)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(level.upper())
    # pygls logs bodies of messages: every one at INFO, those that fail at ERROR too. What goes
    # wrong in a handler we log ourselves, without text.
    logging.getLogger("pygls").setLevel(logging.CRITICAL)
