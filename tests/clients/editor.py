"""A real Neovim under our plugin, driven with keys, seen as a user sees it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

PLUGIN = Path(__file__).resolve().parents[2] / "editor-clients" / "neovim"
PATIENCE = 20.0  # Seconds; a loaded machine with two cores starts a server in three.


def neovim_commands() -> list[list[str]]:
    """Command lines that start a Neovim: SOPILKA_TEST_NVIM (several with the path separator
    between them), or the one that is installed beside this Python, or the one on PATH."""
    named = os.environ.get("SOPILKA_TEST_NVIM")
    if named:
        return [shlex.split(command) for command in named.split(os.pathsep)]
    beside = Path(sys.executable).parent / "nvim"
    found = str(beside) if beside.exists() else shutil.which("nvim")
    return [[found]] if found else []


def version_of(command: Sequence[str]) -> tuple[int, int]:
    said = subprocess.run([*command, "--version"], capture_output=True, text=True, check=True)
    found = re.search(r"NVIM v(\d+)\.(\d+)", said.stdout)
    assert found, f"{command} is no Neovim: {said.stdout[:80]!r}"
    return int(found[1]), int(found[2])


def name_of(command: Sequence[str]) -> str:
    return "nvim-{}.{}".format(*version_of(command))


class Editor:
    """Starts Neovim with `setup{options}` (Lua source) and our plugin; nothing of the user's."""

    def __init__(
        self,
        command: Sequence[str],
        work: Path,
        options: str,
        before: str = "",
        environment: dict[str, str] | None = None,
    ) -> None:
        import pynvim

        self.work = work
        self.first: dict[str, Any] = {}  # What the scripted server was initialised with.
        self.log_path = work / "log.jsonl"
        self.script_path = work / "script.json"
        self.log_path.write_text("", encoding="utf-8")
        self.play([])
        init = work / "init.lua"
        init.write_text(
            f"vim.opt.runtimepath:prepend({lua_string(str(PLUGIN))})\n"
            "vim.cmd('filetype on')\n"
            "vim.o.swapfile = false\n"
            "messages_seen = {}\n"
            "vim.notify = function(text) table.insert(messages_seen, text) end\n"
            f"{before}\n"
            f"require('sopilka').setup{{ {options} }}\n",
            encoding="utf-8",
        )
        names = ("XDG_STATE_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME")
        child = {name: str(work) for name in names}
        child |= {"SOPILKA_SCRIPT": str(self.script_path), "SOPILKA_LOG": str(self.log_path)}
        with environment_of({**child, **(environment or {})}):
            # Without -n a swap file of a run that was killed asks a question and all stands still.
            self.nvim = pynvim.attach(
                "child",
                argv=[*command, "--embed", "--headless", "-n", "--clean", "-u", str(init)],
            )
        self.nvim.command(f"cd {work}")
        self.nvim.ui_attach(80, 16, rgb=True)

    def close(self) -> None:
        with contextlib.suppress(OSError, EOFError):
            self.nvim.command("qa!")
        self.nvim.close()

    # What the scripted server will say, and what it saw.

    def play(self, items: list[dict[str, Any]], **how: Any) -> None:
        whole = json.dumps({"items": items, **how})
        partial = self.script_path.with_suffix(".new")
        partial.write_text(whole, encoding="utf-8")
        partial.replace(self.script_path)

    def log(self, kind: str) -> list[dict[str, Any]]:
        lines = self.log_path.read_text(encoding="utf-8").splitlines()
        return [entry for entry in map(json.loads, lines) if entry["kind"] == kind]

    def forget(self) -> None:
        self.log_path.write_text("", encoding="utf-8")

    # What a user does.

    def open(self, name: str, text: str) -> None:
        path = self.work / name
        path.write_text(text, encoding="utf-8")
        self.nvim.command("stopinsert")
        self.nvim.command(f"edit! {path}")

    def open_attached(self, name: str, text: str) -> None:
        self.open(name, text)
        self.wait(lambda: self.attached(), "the server is attached")

    def keys(self, keys: str) -> None:
        self.nvim.input(keys)

    # What a user sees.

    def lua(self, code: str, *arguments: Any) -> Any:
        return self.nvim.exec_lua(code, *arguments)

    def attached(self) -> bool:
        return bool(
            self.lua(
                "local c = require('sopilka.client').clients(vim.api.nvim_get_current_buf())[1] "
                "return c ~= nil and c.server_capabilities.inlineCompletionProvider ~= nil"
            )
        )

    def lines(self) -> list[str]:
        return list(self.nvim.current.buffer[:])

    def messages(self) -> list[str]:
        return list(self.lua("return messages_seen"))

    def ghost(self) -> str:
        """The virtual text of the suggestion, whichever layer drew it."""
        return str(self.lua(GHOST))

    def screen(self) -> list[str]:
        """The screen's rows as text, after a redraw."""
        return [
            str(row).rstrip()
            for row in self.lua(
                "vim.cmd('redraw') local rows = {} for y = 1, 12 do local row = '' "
                "for x = 1, 79 do row = row .. vim.fn.screenstring(y, x) end rows[y] = row end "
                "return rows"
            )
        ]

    def wait(self, seen: Callable[[], Any], what: str) -> Any:
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            value = seen()
            if value:
                return value
            time.sleep(0.02)
        raise AssertionError(
            f"waited in vain: {what}\nlines {self.lines()}\nghost {self.ghost()!r}\n"
            f"mode {self.nvim.api.get_mode()}\nmessages {self.messages()}\n"
            f"errors {self.nvim.command_output('messages')}"
        )

    def wait_for_ghost(self, text: str) -> None:
        self.wait(lambda: self.ghost() == text, f"ghost text {text!r}")

    def wait_for_lines(self, *lines: str) -> None:
        self.wait(lambda: self.lines() == list(lines), f"lines {lines}")

    def settle(self, seconds: float = 0.4) -> None:
        """Time for something that must not happen to happen (it would within `seconds`)."""
        time.sleep(seconds)


GHOST = """
local out = ''
for name, id in pairs(vim.api.nvim_get_namespaces()) do
  if name == 'sopilka-ghost' or name == 'nvim.lsp.inline_completion' then
    for _, mark in ipairs(vim.api.nvim_buf_get_extmarks(0, id, 0, -1, { details = true })) do
      for _, chunk in ipairs(mark[4].virt_text or {}) do out = out .. chunk[1] end
      for _, line in ipairs(mark[4].virt_lines or {}) do
        out = out .. '\\n'
        for _, chunk in ipairs(line) do out = out .. chunk[1] end
      end
    end
  end
end
return out
"""


def lua_string(text: str) -> str:
    return json.dumps(text)


def lua_list(items: Sequence[str]) -> str:
    return "{ " + ", ".join(map(lua_string, items)) + " }"


@contextlib.contextmanager
def environment_of(values: dict[str, str]) -> Any:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
