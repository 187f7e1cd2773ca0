"""What happens when the process that holds the model dies, or is sent nonsense.

Kills: a real lsp-server with a document that grows by a function at each turn is asked for ghost
text, and the engine host is killed (SIGKILL) a random moment later; the next request must be
answered, and the document must still have every function. Frames: connections send random bytes and
mutated messages; the host must live, and another client must get its answers meanwhile.

    python -m benchmarks.host_faults [--kills 100] [--frames 100000] [--write]
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import random
import signal
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from runtime import EngineConfig, Request, SamplingParams
from runtime.bundle import default_bundle_path
from runtime.client import EngineClient
from runtime.endpoint import address_of, addresses, ask, connect, host_name
from runtime.frames import PROTOCOL_VERSION, frame
from tests.support.client import ErrorReply, over_stdio, span

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "host_faults.md"
KINDS = ("generate", "cancel", "put", "drop", "hello", "stop?", "output", "welcome")


async def host_of(directory: Path) -> tuple[int, int] | None:
    """Of the host that answers, if one does, the process number and how much it has finished."""
    for address in addresses(directory).values():
        told = await ask(address, "describe")
        if told is not None:
            description = told["description"]
            return int(description["pid"]), int(description["engine"]["totals"]["finished"])
    return None


async def kill_often(directory: Path, kills: int, seed: int) -> dict[str, Any]:
    rng = random.Random(seed)
    waits, failed, lost, silent = [], 0, 0, 0
    with tempfile.TemporaryDirectory() as folder:
        uri = (Path(folder) / "main.py").as_uri()
        async with over_stdio() as client:
            await client.initialize(Path(folder))
            await client.until_ready()
            client.open(uri, "")
            for turn in range(kills):
                typed = f"    value_{turn} = "
                text = f"def f{turn}(x):\n{typed}\n"
                client.change(uri, {"range": span(3 * turn, 0), "text": text})
                line = 3 * turn + 1
                _, asked = client.begin_inline(uri, line, len(typed))
                await asyncio.sleep(rng.uniform(0, 0.02))
                host = await host_of(directory)
                if host is not None:
                    os.kill(host[0], signal.SIGKILL)
                try:
                    answer = await asyncio.wait_for(asked, 30)
                    failed += not answer["items"]
                except ErrorReply:
                    failed += 1
                client.type(uri, line + 1, 0, f"{typed}\n")
                began = time.perf_counter()
                await client.inline(uri, line + 1, len(typed))
                waits.append(time.perf_counter() - began)
                now = await host_of(directory)
                silent += now is None or now[1] == 0 or now == host
                params = {"textDocument": {"uri": uri}}
                symbols = await client.request("textDocument/documentSymbol", params)
                names = [symbol["name"] for symbol in symbols]
                lost += [name for name in names if name[1:].isdigit()] != [
                    f"f{number}" for number in range(turn + 1)
                ]
            await client.shut_down()
    return {
        "kills": kills,
        "waits": np.array(waits),
        "failed": failed,
        "lost": lost,
        "silent": silent,
    }


def nonsense(rng: random.Random) -> bytes:
    """One frame: random bytes, or a message with random values in random fields."""
    if rng.random() < 0.3:
        return rng.randbytes(rng.randrange(1, 60))
    values: list[Any] = [None, -1, 2**40, "", "x" * 50, b"\x01\x02\x03\x04", [], {}, [1, 2], 1.5]
    fields = {
        name: rng.choice(values)
        for name in ("id", "key", "tokens", "request", "version", "name", "workspace")
        if rng.random() < 0.6
    }
    if rng.random() < 0.4:
        fields["request"] = {
            "prompt": rng.choice([[1, 2], [], [-5], [10**9], "x", b"\0\0\0\0"]),
            "sampling": rng.choice([{}, {"max_tokens": 0}, {"max_tokens": 2}, {"seed": "x"}, 3]),
            "priority": rng.choice([0, 2, 7, "TYPING"]),
        }
    data = frame(rng.choice(KINDS), **fields)
    if rng.random() < 0.3:
        place = rng.randrange(len(data))
        data = data[:place] + rng.randbytes(1) + data[place + 1 :]
    return data


async def send_nonsense(directory: Path, frames: int, seed: int) -> dict[str, Any]:
    rng = random.Random(seed)
    bundle, config = default_bundle_path(), EngineConfig(threads=1)
    sent, connections, waits = 0, 0, []
    asked = Request(tuple(range(300, 320)), SamplingParams(max_tokens=3))
    async with await EngineClient.open(bundle, config, idle=600) as client:
        address = address_of(directory, host_name(bundle.resolve(), config))
        before = await host_of(directory)
        assert before is not None
        while sent < frames:
            stream = await connect(address)
            assert stream is not None, "the host has died"
            reader, writer = stream
            hello = frame("hello", version=PROTOCOL_VERSION, name="x", workspace="w")
            count = rng.randrange(1, 200)
            body = b"".join(nonsense(rng) for _ in range(count))
            writer.write(hello + body if rng.random() < 0.8 else body)
            try:
                writer.write_eof()
                while await asyncio.wait_for(reader.read(65536), 30):
                    pass
            except ConnectionError:
                pass  # It was disconnected, as it should be.
            writer.close()
            sent, connections = sent + count, connections + 1
            if connections % 20 == 1:
                began = time.perf_counter()
                async with client.generate(asked) as generation:
                    assert (await generation.result()).finish_reason in ("stop", "length")
                waits.append(time.perf_counter() - began)
        after = await host_of(directory)
    assert after is not None and before[0] == after[0], "the host was another one at the end"
    return {"frames": sent, "connections": connections, "waits": np.array(waits)}


def report(killed: dict[str, Any], sent: dict[str, Any]) -> str:
    waits, others = killed["waits"], sent["waits"] * 1e3
    return "\n".join(
        [
            "# Faults of the engine host",
            "",
            f"`python -m benchmarks.host_faults --kills {killed['kills']}"
            f" --frames {sent['frames']}`",
            "",
            f"{platform.machine()}, {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f} at the"
            f" end, Python {platform.python_version()}, the default model.",
            "",
            f"The host was killed {killed['kills']} times, each time a moment after a request;"
            f" {killed['failed']} of these requests got no suggestion. {killed['lost']} times the"
            " document was not what had been typed. The next request was answered,"
            f" {killed['silent']} times by no new host, after (wall time, its start included)",
            "",
            "| p50 s | p95 s | max s |",
            "|---|---|---|",
            f"| {np.percentile(waits, 50):.2f} | {np.percentile(waits, 95):.2f} |"
            f" {waits.max():.2f} |",
            "",
            f"{sent['frames']} frames of nonsense came over {sent['connections']} connections; the"
            f" host stayed the same process, and another client got its {len(others)} answers"
            f" meanwhile after {np.median(others):.0f} ms (median), {others.max():.0f} ms at most.",
            "",
        ]
    )


async def measure(kills: int, frames: int, seed: int) -> str:
    with tempfile.TemporaryDirectory(prefix="sk") as folder:
        os.environ["SOPILKA_RUNTIME_DIR"] = folder
        directory = Path(folder)
        try:
            killed = await kill_often(directory, kills, seed)
            return report(killed, await send_nonsense(directory, frames, seed))
        finally:
            for address in addresses(directory).values():
                await ask(address, "stop")
            await asyncio.sleep(0.5)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--frames", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", action="store_true", help="save the table in results/")
    options = parser.parse_args()
    text = asyncio.run(measure(options.kills, options.frames, options.seed))
    print(text)
    if options.write:
        RESULTS.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
