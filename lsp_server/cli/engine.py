"""`lsp-server engine`: the processes that hold models for all editors of this user."""

from __future__ import annotations

import argparse
import asyncio
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lsp_server.cli.output import fail, write, write_json
from runtime import EngineError
from runtime.endpoint import addresses, ask, runtime_directory

DESCRIPTION = """\
One process holds each model that is in use, however many editors there are. It is started by the
first editor and ends some minutes after the last (settings engine.shared, engine.idleMinutes).

  lsp-server engine status                which are running, for whom, and what they have done
  lsp-server engine status --json         the same for a script
  lsp-server engine status --prometheus   counters in Prometheus's text format
  lsp-server engine stop                  end them; the next request starts what it needs
  lsp-server engine logs -n 50            the last lines of their logs, which hold no text of yours
"""


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="lsp-server engine",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("action", choices=("status", "stop", "logs"))
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--prometheus", action="store_true", help="print Prometheus's text format")
    parser.add_argument("-n", type=int, default=20, metavar="LINES", help="lines of each log")
    options = parser.parse_args(arguments)
    try:
        directory = runtime_directory()
    except EngineError as error:
        return fail(str(error), 1)
    if options.action == "logs":
        return _logs(directory, max(0, options.n))
    if options.action == "stop":
        return asyncio.run(_stop(directory))
    hosts = asyncio.run(_describe(directory))
    if options.json:
        write_json(hosts)
    elif options.prometheus:
        write("".join(f"{line}\n" for line in prometheus(hosts)))
    else:
        write("".join(_for_people(host) for host in hosts) or "no engine is running\n")
    return 0


async def _describe(directory: Path) -> list[dict[str, Any]]:
    found = []
    for name, address in addresses(directory).items():
        told = await ask(address, "describe")
        if told is not None and isinstance(told.get("description"), dict):
            found.append({"name": name, **told["description"]})
    return found


async def _stop(directory: Path) -> int:
    hosts = await _describe(directory)
    for host in hosts:
        await ask(addresses(directory)[host["name"]], "stop")
        write(f"stopped {host['model']} (process {host['pid']})\n")
    if not hosts:
        write("no engine is running\n")
    return 0


def _logs(directory: Path, count: int) -> int:
    logs = sorted(directory.glob("engine-*.log"))
    for path in logs:
        write(f"==> {path} <==\n")
        with path.open(encoding="utf-8", errors="replace") as lines:
            write("".join(deque(lines, maxlen=count)))
    if not logs:
        write(f"no engine has run yet: there is no log in {directory}\n")
    return 0


def _for_people(host: dict[str, Any]) -> str:
    engine, totals = host["engine"], host["engine"]["totals"]
    known = max(1, totals["reused_tokens"] + totals["computed_tokens"])
    names = ", ".join(client["name"] for client in host["clients"]) or "nobody"
    seconds = totals["decode_ms"] / 1000
    speed = f", {totals['generated_tokens'] / seconds:.0f} tokens/s" if seconds else ""
    return (
        f"{host['model']} (process {host['pid']}, up {host['seconds']:.0f} s) for {names}\n"
        f"  now: {engine['running']} running, {engine['waiting']} waiting, "
        f"{engine['used_blocks']} of {engine['num_blocks']} blocks in use, "
        f"{engine['held_blocks']} hold something\n"
        f"  done: {totals['finished']} requests, {totals['cancelled']} cancelled, "
        f"{totals['failed']} failed; {totals['generated_tokens']} tokens written{speed}\n"
        f"  prompts: {100 * totals['reused_tokens'] / known:.0f} % of tokens were held already\n"
        f"  memory: {engine['memory_tokens']} tokens of {engine['memory_documents']} files\n"
    )


GAUGES = ("running", "waiting", "num_blocks", "used_blocks", "held_blocks", "memory_tokens")


def prometheus(hosts: list[dict[str, Any]]) -> Iterator[str]:
    """Lines of Prometheus's text exposition format."""
    for gauge in GAUGES:
        yield f"# TYPE sopilka_{gauge} gauge"
        for host in hosts:
            yield f"sopilka_{gauge}{_labels(host)} {host['engine'][gauge]}"
    for counter in sorted({name for host in hosts for name in host["engine"]["totals"]}):
        yield f"# TYPE sopilka_{counter}_total counter"
        for host in hosts:
            yield f"sopilka_{counter}_total{_labels(host)} {host['engine']['totals'][counter]}"


def _labels(host: dict[str, Any]) -> str:
    model = str(host["model"]).replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
    return f'{{model="{model}",host="{host["name"]}"}}'
