"""The ghost text in a terminal, as tmux captures it: what a person would see."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.editor import PATIENCE, PLUGIN, lua_list, lua_string, neovim_commands

COMMANDS = neovim_commands()
TMUX = shutil.which("tmux")

pytestmark = pytest.mark.skipif(
    not COMMANDS or not TMUX, reason="needs nvim and tmux (apt-get install tmux)"
)


class Terminal:
    """A terminal of 60 columns and 12 rows with one program in it, on a tmux server of its own."""

    def __init__(self, work: Path, command: list[str], environment: dict[str, str]) -> None:
        assert TMUX
        self.tmux = [TMUX, "-S", str(work / "tmux"), "-f", "/dev/null"]
        pairs = [f"{name}={value}" for name, value in environment.items()]
        size = ["-x", "60", "-y", "12"]
        self.run("new-session", "-d", *size, "--", "env", *pairs, *command)

    def run(self, *arguments: str) -> str:
        done = subprocess.run(
            [*self.tmux, *arguments], capture_output=True, text=True, check=True, timeout=PATIENCE
        )
        return done.stdout

    def keys(self, *keys: str) -> None:
        self.run("send-keys", *keys)

    def rows(self) -> list[str]:
        return self.run("capture-pane", "-p").splitlines()

    def wait_for_rows(self, *expected: str) -> None:
        """Until the first rows are those."""
        end = time.monotonic() + PATIENCE
        while self.rows()[: len(expected)] != list(expected):
            assert time.monotonic() < end, f"not on the screen: {expected}\n{self.rows()}"
            time.sleep(0.05)


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    server = [sys.executable, str(Path(__file__).parent / "scripted_server.py")]
    (tmp_path / "init.lua").write_text(
        f"vim.opt.runtimepath:prepend({lua_string(str(PLUGIN))})\n"
        "vim.cmd('filetype on')\n"
        "vim.o.statusline = [[%{v:lua.require'sopilka'.statusline()}]]\n"
        "vim.o.laststatus = 2\n"
        f"require('sopilka').setup{{ cmd = {lua_list(server)} }}\n",
        encoding="utf-8",
    )
    script = {"items": [{"text": "    return größe + 1\nend = 2"}]}
    (tmp_path / "script.json").write_text(json.dumps(script), encoding="utf-8")
    (tmp_path / "a.py").write_text("def f(größe):\n\nlast = 3\n", encoding="utf-8")
    names = ("XDG_STATE_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME")
    environment = {name: str(tmp_path) for name in names} | {
        "SOPILKA_SCRIPT": str(tmp_path / "script.json"),
        "SOPILKA_LOG": str(tmp_path / "log.jsonl"),
        "LC_ALL": "C.UTF-8",
    }
    command = [*COMMANDS[0], "-n", "--clean", "-u", str(tmp_path / "init.lua")]
    terminal = Terminal(tmp_path, [*command, str(tmp_path / "a.py")], environment)
    yield terminal
    terminal.run("kill-server")


def test_ghost_text_in_a_terminal(terminal: Terminal) -> None:
    terminal.wait_for_rows("def f(größe):", "", "last = 3")
    end = time.monotonic() + PATIENCE
    while not any(row.startswith("sopilka") for row in terminal.rows()):
        assert time.monotonic() < end, "\n".join(terminal.rows())
        time.sleep(0.05)
    terminal.keys("j", "i")
    terminal.wait_for_rows("def f(größe):", "    return größe + 1", "end = 2", "last = 3")
    terminal.keys("Escape")
    terminal.wait_for_rows("def f(größe):", "", "last = 3")
    terminal.keys("i")
    terminal.wait_for_rows("def f(größe):", "    return größe + 1", "end = 2", "last = 3")
    terminal.keys("Tab")
    terminal.keys("Escape")
    terminal.wait_for_rows("def f(größe):", "    return größe + 1", "end = 2", "last = 3")
