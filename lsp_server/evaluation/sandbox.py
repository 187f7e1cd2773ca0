"""Runs a program that a model wrote: no network, nothing to write to but its folder, for a limited
time, in limited memory.

Linux's namespaces do it, without a privilege of the user's: everything is mounted read-only, then
the program gets a user namespace of its own, from which it cannot mount anything otherwise.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_OUTPUT = 1_000_000
_TAIL = 300
# $1 is the folder that can be written to, $2 kilobytes of memory, $3 seconds of processor time.
_SHUT_IN = """\
set -e
folder=$1 memory=$2 seconds=$3
shift 3
mount --make-rprivate /
mount --bind "$folder" "$folder"
while read -r _ _ _ _ point _; do
  point=$(printf '%b' "$point")
  case $point in
    "$folder" | /proc | /proc/*) ;;
    *) mount -o remount,bind,ro "$point" ;;
  esac
done < /proc/self/mountinfo
mount -t proc proc /proc
cd "$folder"
ulimit -v "$memory"
ulimit -t "$seconds"
ulimit -f 8192
ulimit -c 0
exec unshare --user --map-current-user --mount "$@"
"""
_NAMESPACES = ("--user", "--map-root-user", "--mount", "--net", "--pid", "--ipc", "--fork")


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a program ended well; if not, why, in one line."""

    passed: bool
    reason: str = ""


class NoSandbox(Exception):
    """This system has nothing to shut a program in with."""


@cache
def has_sandbox() -> bool:
    if shutil.which("unshare") is None:
        return False
    with tempfile.TemporaryDirectory() as folder:
        command = _command(Path(folder), 10, 1024, "true")
        return subprocess.run(command, capture_output=True, check=False).returncode == 0


def run_python(program: str, seconds: float, megabytes: int) -> Verdict:
    """Runs a program in a folder of its own. Raises NoSandbox."""
    if not has_sandbox():
        raise NoSandbox(
            "programs of models are run in namespaces of Linux, which this system does not have "
            "or does not allow; --no-execute compares texts alone"
        )
    with tempfile.TemporaryDirectory(prefix="sopilka-eval-") as folder:
        file = Path(folder, "program.py")
        file.write_text(program, encoding="utf-8", errors="replace")
        process = subprocess.Popen(
            _command(Path(folder), seconds, megabytes, sys.executable, "-I", str(file)),
            cwd=folder,
            env={"PATH": os.environ.get("PATH", os.defpath), "HOME": folder, "LANG": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        try:
            errors = process.communicate(timeout=seconds)[1][-_OUTPUT:]
        except subprocess.TimeoutExpired:
            _end(process)
            return Verdict(False, f"it took more than {seconds:g} s")
        if process.returncode == 0:
            return Verdict(True)
        last = errors.decode("utf-8", "replace").strip().rsplit("\n", 1)[-1]
        return Verdict(False, last[:_TAIL] or f"it ended with {process.returncode}")


def _command(folder: Path, seconds: float, megabytes: int, *program: str) -> list[str]:
    limits = (str(folder.resolve()), str(megabytes * 1024), str(int(seconds) + 1))
    return ["unshare", *_NAMESPACES, "--kill-child", "sh", "-c", _SHUT_IN, "sh", *limits, *program]


def _end(process: subprocess.Popen[bytes]) -> None:
    """All that the program has started goes with it: it has a namespace of processes to itself."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
