"""The operators' own threads: the same bits as without, shared by sessions, gone with them."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from runtime.ops import THREADS_OPTION, library_path
from tests.runtime.ops.layers import Floats, Layer, model_bytes, random_batch, random_layer, session

TASKS = Path("/proc/self/task")
# What every program below begins with.
PROGRAM = """
import os
from tests.runtime.ops.layers import model_bytes, random_batch, random_layer, session
layer = random_layer(hidden=512, intermediate=512, experts=8, k=4, bits=4, block=32)
x, logits = random_batch(layer, 8)
made = session(model_bytes(layer), threads=2)
def answer():
    return made.run(None, {"x": x, "router_logits": logits})[0].tobytes()
"""


@pytest.fixture(scope="module")
def layer() -> Layer:
    """Large enough that its work is shared among threads."""
    return random_layer(hidden=512, intermediate=512, experts=8, k=4, bits=4, block=32)


def answer(made: onnxruntime.InferenceSession, batch: tuple[Floats, Floats]) -> Floats:
    x, logits = batch
    y: Floats = made.run(None, {"x": x, "router_logits": logits})[0]
    return y


@pytest.mark.parametrize("tokens", [1, 8, 100])
def test_same_bits_with_any_number_of_threads(layer: Layer, tokens: int) -> None:
    batch = random_batch(layer, tokens)
    expected = answer(session(model_bytes(layer), own_threads=False), batch)
    for threads, own in ((2, False), (1, True), (2, True), (3, True), (16, True)):
        made = session(model_bytes(layer), threads=threads, own_threads=own)
        for _ in range(20):
            np.testing.assert_array_equal(answer(made, batch), expected)


def test_sessions_at_work_side_by_side(layer: Layer) -> None:
    """One has the pool's threads, the others do their work alone; nobody waits or is disturbed."""
    sessions = [session(model_bytes(layer), threads=threads) for threads in (2, 3, 4)]
    batches = [random_batch(layer, tokens, seed=tokens) for tokens in (1, 9, 40)]
    expected = [answer(session(model_bytes(layer)), batch) for batch in batches]
    wrong: list[int] = []

    def work(index: int) -> None:
        for _ in range(60):
            if not np.array_equal(answer(sessions[index], batches[index]), expected[index]):
                wrong.append(index)

    workers = [threading.Thread(target=work, args=(index,)) for index in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert wrong == []


@pytest.mark.skipif(not TASKS.is_dir(), reason="the system does not list a process's threads")
def test_threads_are_shared_and_gone_with_the_last_session(layer: Layer) -> None:
    batch = random_batch(layer, 8)

    first, second = (session(model_bytes(layer), threads=threads) for threads in (3, 4))
    check_threads(0)  # They start when they are needed.
    answer(first, batch)
    check_threads(2)
    answer(second, batch)
    check_threads(3)
    del second
    answer(first, batch)
    check_threads(3)
    del first
    check_threads(0)


def check_threads(expected: int) -> None:
    """In a while: a new thread has to name itself, and one that ended is listed for a moment."""
    end = time.monotonic() + 60
    while pool_threads() != expected and time.monotonic() < end:
        time.sleep(0.01)
    assert pool_threads() == expected


def pool_threads() -> int:
    names = []
    for task in TASKS.iterdir():
        with contextlib.suppress(FileNotFoundError):
            names.append((task / "comm").read_text().strip())
    return names.count("sopilka-ops")


@pytest.mark.parametrize("value", ["0", "257", "two", "", "2x", "1" * 40])
def test_a_wrong_number_is_named(layer: Layer, value: str) -> None:
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry(THREADS_OPTION, value)
    with pytest.raises(Exception, match=r"`sopilka.threads` must be a number from 1 to 256"):
        options.register_custom_ops_library(str(library_path()))


def run(program: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM + program], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system does not fork")
def test_a_forked_child_computes_alone_and_ends() -> None:
    """It has the pool's locks but none of its threads."""
    program = """
first = answer()
child = os.fork()
if child == 0:
    same = answer() == first
    del made
    os._exit(0 if same else 1)
status = os.waitpid(child, 0)[1]
print(os.waitstatus_to_exitcode(status), answer() == first)
"""
    assert run(program) == "0 True"


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no way to have one core only")
def test_on_one_core() -> None:
    program = """
first = answer()
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
print(all(answer() == first for _ in range(30)))
"""
    assert run(program) == "True"


def test_the_process_ends_while_sessions_live() -> None:
    assert run("answer(); import threading\nprint('end')") == "end"
