"""Real host processes with a real, tiny model: found, shared, killed, left alone."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from runtime import (
    BundleError,
    EngineClosed,
    EngineConfig,
    ModelLoadError,
    SamplingParams,
    build_engine,
)
from runtime.async_engine import InlineEngine
from runtime.client import EngineClient
from runtime.endpoint import EndpointError, address_of, connect, host_name, runtime_directory
from runtime.frames import frame, read_frame
from runtime.sequence import MemoryScope
from tests.runtime.fixture_bundles import bundle_of, reference
from tests.runtime.test_engine_bundle import known, run

CONFIG = EngineConfig(threads=1, kv_bytes=1 << 24)
pytestmark = pytest.mark.skipif(os.name == "nt", reason="named pipes were never tried")


@pytest.fixture
def bundle() -> Path:
    return bundle_of("tied", "fp32", "fp32").path


@pytest.fixture(autouse=True)
async def place(short_folder: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Path]:
    """A runtime directory of the test's own; hosts that are left in it are ended."""
    monkeypatch.setenv("SOPILKA_RUNTIME_DIR", str(short_folder / "run"))
    yield short_folder / "run"
    for process in hosts(short_folder / "run"):
        process.kill()
        process.wait(10)


def hosts(place: Path) -> list[psutil.Process]:
    """Host processes that use this directory."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.cwd() == str(place) and "host_process" in " ".join(process.cmdline()):
                found.append(process)
        except psutil.Error:
            continue
    return found


async def opened(bundle: Path, **options: Any) -> EngineClient:
    return await EngineClient.open(bundle, CONFIG, **options)


async def test_it_answers_as_an_engine_in_this_process(bundle: Path) -> None:
    request, continuation = known(0)
    async with await opened(bundle) as client:
        found = await run(client, request)
        engine = build_engine(bundle_of("tied", "fp32", "fp32"), CONFIG)
        async with InlineEngine(engine) as inline:
            assert found.tokens == (await run(inline, request)).tokens == continuation
        assert found.usage.computed > 0 and found.timings.decode > 0


async def test_five_editors_share_one_host(bundle: Path, place: Path) -> None:
    clients = await asyncio.gather(*(opened(bundle, name=f"editor {n}") for n in range(5)))
    assert len(hosts(place)) == 1
    request, continuation = known(1)
    # The first computes; those that come together may all miss what none has finished yet.
    results = [await run(clients[0], request)]
    results += await asyncio.gather(*(run(client, request) for client in clients[1:]))
    assert all(result.tokens == continuation for result in results)
    assert all(result.usage.reused > 0 for result in results[1:]), "they share what they begin with"
    for client in clients:
        await client.aclose()


async def test_another_configuration_is_another_host(bundle: Path, place: Path) -> None:
    async with await opened(bundle):
        other = EngineConfig(threads=1, kv_bytes=1 << 24, kv_bits=8)
        async with await EngineClient.open(bundle, other):
            assert len(hosts(place)) == 2


async def test_it_leaves_when_nobody_needs_it(bundle: Path, place: Path) -> None:
    async with await opened(bundle, idle=0.3) as client:
        await asyncio.sleep(0.6)
        assert await run(client, known(0)[0])
        (process,) = hosts(place)
    await asyncio.to_thread(process.wait, 20)
    async with await opened(bundle, idle=0.3) as client:
        assert (await run(client, known(0)[0])).tokens == known(0)[1]


async def test_a_killed_host_fails_what_it_did_and_comes_back(bundle: Path, place: Path) -> None:
    request, continuation = known(0)
    long = replace(request, sampling=SamplingParams(max_tokens=100))
    restarted = []
    async with await opened(bundle) as client:
        client.on_restart = lambda: restarted.append(client.status.memory_documents)
        for kill in range(3):
            (process,) = hosts(place)
            async with client.generate(long) as generation:
                process.send_signal(signal.SIGKILL)
                with pytest.raises(EngineClosed, match="the next request starts it again"):
                    await generation.result()
            assert "the engine host ended" in (client.status.error or "")
            assert (await run(client, request)).tokens == continuation
            assert restarted == [0] * (kill + 1)
            assert client.status.error is None


async def test_a_host_that_died_between_two_requests_is_not_noticed(
    bundle: Path, place: Path
) -> None:
    request, continuation = known(0)
    async with await opened(bundle) as client:
        for _ in range(3):
            (process,) = hosts(place)
            process.send_signal(signal.SIGKILL)
            assert (await run(client, request)).tokens == continuation


async def test_a_stopped_host_is_started_again(bundle: Path, place: Path) -> None:
    async with await opened(bundle) as client:
        address = address_of(place, host_name(bundle.resolve(), CONFIG))
        stream = await connect(address)
        assert stream is not None
        stream[1].write(frame("stop"))
        assert await read_frame(stream[0]) is None
        (process,) = hosts(place) or [None]
        if process is not None:
            await asyncio.to_thread(process.wait, 20)
        assert (await run(client, known(0)[0])).tokens == known(0)[1]


async def test_a_model_that_does_not_load_is_explained(bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="is not a directory"):
        await opened(tmp_path / "nowhere")
    broken = tmp_path / "broken"
    broken.mkdir()
    for file in bundle.iterdir():
        (broken / file.name).write_bytes(file.read_bytes())
    weights = broken / "weights.bin"
    weights.write_bytes(bytes(weights.stat().st_size))
    with pytest.raises(ModelLoadError, match=r"weights.bin was altered"):
        await opened(broken)


async def test_many_start_at_once_and_one_host_is_there(bundle: Path, place: Path) -> None:
    """From several processes, as when a user's windows open together."""
    code = (
        "import asyncio, sys; from pathlib import Path; from runtime import EngineConfig;"
        "from runtime.client import EngineClient\n"
        "async def main():\n"
        "    config = EngineConfig(threads=1, kv_bytes=1 << 24)\n"
        "    async with await EngineClient.open(Path(sys.argv[1]), config):\n"
        "        print('connected', flush=True); sys.stdin.read()\n"
        "asyncio.run(main())"
    )
    command = (sys.executable, "-c", code, str(bundle))
    pipe = asyncio.subprocess.PIPE
    starting = [asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe) for _ in range(4)]
    processes = await asyncio.gather(*starting)
    for process in processes:
        assert process.stdout is not None
        assert await asyncio.wait_for(process.stdout.readline(), 60) == b"connected\n"
    assert len(hosts(place)) == 1
    for process in processes:
        await process.communicate(b"")
        assert process.returncode == 0


async def test_the_log_has_no_prompt_in_it(bundle: Path, place: Path) -> None:
    tokens, length, _ = reference("tied", 0)
    async with await opened(bundle) as client:
        scope = MemoryScope("secret.py", tuple(tokens[:length].tolist()))
        client.memory.put("secret.py", tokens)
        request, _ = known(0)
        await run(client, replace(request, scope=scope))
    (log,) = place.glob("engine-*.log")
    text = log.read_text()
    assert "ready after" in text and "connected" in text
    assert "secret.py" not in text


def test_the_directory_must_be_the_users_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = tmp_path / "shared"
    shared.mkdir(mode=0o755)
    monkeypatch.setenv("SOPILKA_RUNTIME_DIR", str(shared))
    assert runtime_directory().stat().st_mode & 0o777 == 0o700
    link = tmp_path / "link"
    link.symlink_to(shared)
    monkeypatch.setenv("SOPILKA_RUNTIME_DIR", str(link))
    with pytest.raises(EndpointError, match="is not a directory"):
        runtime_directory()
    monkeypatch.setenv("SOPILKA_RUNTIME_DIR", str(tmp_path / ("x" * 120)))
    with pytest.raises(EndpointError, match="too long for a socket"):
        address_of(runtime_directory(), "name")
