"""What is missing on a fresh machine is named in one line, with the command that brings it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SETUP = Path(__file__).resolve().parent.parent / ".ci" / "setup"

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the set-up is a shell script")


def link(folder: Path, *programs: str) -> None:
    for program in programs:
        found = shutil.which(program)
        assert found, f"{program} is needed to test the set-up"
        (folder / program).symlink_to(found)


def stand_in(folder: Path, name: str, script: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)


def check_refusal(folder: Path, expect: str) -> None:
    environment = {"PATH": str(folder), "HOME": os.environ.get("HOME", "/")}
    done = subprocess.run(
        [shutil.which("sh") or "/bin/sh", str(SETUP), str(folder / "venv"), "."],
        env=environment,
        capture_output=True,
        text=True,
        cwd=folder,
    )
    assert done.returncode == 1
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    assert expect in lines[0]
    assert "Install it with: " in lines[0]
    assert not (folder / "venv").exists()


def test_no_python(tmp_path: Path) -> None:
    link(tmp_path, "uname")
    check_refusal(tmp_path, "Python 3.11 or newer is needed")


def test_python_too_old(tmp_path: Path) -> None:
    link(tmp_path, "uname")
    stand_in(tmp_path, "python3", "exit 1")
    check_refusal(tmp_path, "Python 3.11 or newer is needed")


def test_python_without_venv(tmp_path: Path) -> None:
    link(tmp_path, "uname")
    stand_in(tmp_path, "python3", 'case "$2" in *venv*) exit 1 ;; *) exit 0 ;; esac')
    check_refusal(tmp_path, "python3 has no venv module")


def test_no_compiler(tmp_path: Path) -> None:
    link(tmp_path, "uname")
    (tmp_path / "python3").symlink_to(sys.executable)
    check_refusal(tmp_path, "a C++20 compiler is needed")


def test_a_compiler_that_only_asks_for_the_real_one(tmp_path: Path) -> None:
    link(tmp_path, "uname")
    (tmp_path / "python3").symlink_to(sys.executable)
    stand_in(tmp_path, "c++", "exit 1")
    check_refusal(tmp_path, "a C++20 compiler is needed")


def test_no_c_compiler(tmp_path: Path) -> None:
    link(tmp_path, "uname")
    (tmp_path / "python3").symlink_to(sys.executable)
    stand_in(tmp_path, "c++", "exit 0")
    stand_in(tmp_path, "cc", "exit 1")
    check_refusal(tmp_path, "a C compiler is needed")
