"""The whole server in this process, with a model that writes what the test says."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.lsp_server.scripted import LINE, URI, Scripted
from tests.support.client import CAPS, ErrorReply, InProcess, recorded_capabilities, span

EDITORS = sorted(path.stem for path in CAPS.glob("*.json"))


# Capabilities


@pytest.mark.parametrize("editor", EDITORS)
async def test_every_recorded_editor_is_offered_what_it_can_use(
    scripted: Scripted, editor: str
) -> None:
    capabilities = recorded_capabilities(editor)
    has_inline = "inlineCompletion" in capabilities["textDocument"]
    client = await scripted.start(capabilities=capabilities)
    assert client.reply["inlineCompletionProvider"] == {}
    assert ("completionProvider" in client.reply) is not has_inline
    offered = capabilities.get("general", {}).get("positionEncodings", ["utf-16"])
    assert client.reply["positionEncoding"] == offered[0]
    assert client.reply["textDocumentSync"]["change"] == 2
    assert client.reply["executeCommandProvider"]["commands"] == ["sopilka.accept"]
    asked = {method for method, _ in client.requests}
    assert ("window/workDoneProgress/create" in asked) is bool(
        capabilities.get("window", {}).get("workDoneProgress")
    )
    workspace = capabilities.get("workspace", {})
    assert ("workspace/configuration" in asked) is bool(workspace.get("configuration"))
    watches = workspace.get("didChangeWatchedFiles", {}).get("dynamicRegistration")
    registered = [
        each["method"]
        for method, params in client.requests
        if method == "client/registerCapability"
        for each in params["registrations"]
    ]
    assert ("workspace/didChangeWatchedFiles" in registered) is bool(watches)


async def test_progress_is_begun_and_ended_by_its_token(scripted: Scripted) -> None:
    client = await scripted.start(capabilities=recorded_capabilities("vscode-1.139.1"))
    await client.until(lambda: len(kinds_by_token(client)) >= 1)
    for kinds in kinds_by_token(client).values():
        assert kinds[0] == "begin" and kinds[-1] == "end"
        assert set(kinds[1:-1]) <= {"report"}


def kinds_by_token(client: Any) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for method, params in client.notifications:
        if method == "$/progress":
            found.setdefault(params["token"], []).append(params["value"]["kind"])
    return found


# Completion


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32"])
async def test_positions_in_every_encoding(scripted: Scripted, encoding: str) -> None:
    capabilities = {
        "general": {"positionEncodings": [encoding]},
        "textDocument": {"inlineCompletion": {}},
    }
    client = await scripted.start(capabilities=capabilities)
    line = f"é, _ = '😀', 1; {LINE}"
    client.open(URI, "\n")
    units = {"utf-8": len(line.encode()), "utf-16": len(line) + 1, "utf-32": len(line)}[encoding]
    client.type(URI, 0, 0, line[:12])
    at = {"utf-8": len(line[:12].encode()), "utf-16": 13, "utf-32": 12}[encoding]
    client.type(URI, 0, at, line[12:] + ")")
    (item,) = await client.inline(URI, 0, units)
    assert item["insertText"] == "min, max)"
    assert item["range"] == span(0, units, units + 1)


async def test_incremental_and_whole_changes_in_one_notification(scripted: Scripted) -> None:
    client = await scripted.start()
    client.open(URI, "old text\nthat goes away")
    client.change(
        URI,
        {"range": span(0, 0, 3), "text": "new"},
        {"text": "x\r\ntotal\r\n"},
        {"range": span(1, 5), "text": " = price_o"},
        {"range": span(1, 15), "text": "f("},
    )
    (item,) = await client.inline(URI, 1, len(LINE))
    assert item["range"] == span(1, len(LINE))


async def test_the_selected_entry_of_the_menu_is_extended(scripted: Scripted) -> None:
    client = await scripted.start()
    client.open(URI, "total = pri)\n")
    info = {"range": span(0, 8, 11), "text": "price_of("}
    (item,) = await client.inline(URI, 0, 11, selectedCompletionInfo=info)
    assert item["insertText"] == "price_of(min, max)"
    assert item["range"] == span(0, 8, 12)


async def test_the_menu_of_an_editor_without_ghost_text(scripted: Scripted) -> None:
    scripted.text = "min, max)"
    client = await scripted.start(capabilities={})
    client.open(URI, f"{LINE}\n")
    params = {"textDocument": {"uri": URI}, "position": {"line": 0, "character": len(LINE)}}
    found = await client.request("textDocument/completion", params)
    assert found["isIncomplete"] is True
    (item,) = found["items"]
    assert item["labelDetails"] == {"description": "LLM"}
    assert item["label"] == "min, max)"
    assert item["textEdit"] == {"range": span(0, len(LINE)), "newText": "min, max)"}


async def test_what_was_suggested_is_typed_through_without_the_engine(scripted: Scripted) -> None:
    client = await scripted.start()
    client.open(URI, f"{LINE})\n")
    (item,) = await client.inline(URI, 0, len(LINE))
    runs = len(scripted.runner.runs)
    for at, key in enumerate("min, max"):
        client.type(URI, 0, len(LINE) + at, key)
        (rest,) = await client.inline(URI, 0, len(LINE) + at + 1)
        assert rest["insertText"] == item["insertText"][at + 1 :]
        assert rest["range"] == span(0, len(LINE) + at + 1, len(LINE) + at + 2)
    assert len(scripted.runner.runs) == runs
    # Another key than the suggested one asks the engine again.
    client.type(URI, 0, len(LINE) + 10, "!")
    await client.inline(URI, 0, len(LINE) + 11)
    assert len(scripted.runner.runs) > runs


async def test_a_request_about_an_older_version_is_not_answered(scripted: Scripted) -> None:
    client = await scripted.start()
    client.open(URI, f"{LINE}\n")
    client.type(URI, 0, len(LINE), " ")
    assert await client.inline(URI, 0, len(LINE), version=1) == []


async def test_an_edit_ends_the_request_before_it(scripted: Scripted) -> None:
    client = await scripted.start()
    client.open(URI, f"{LINE}\n")
    with client.together():
        reply = client.begin_inline(URI, 0, len(LINE))[1]
        client.type(URI, 0, len(LINE), "x")
    with pytest.raises(ErrorReply) as caught:
        await reply
    assert caught.value.code == -32801
    assert scripted.process.server.connection.session.model is not None
    engine = scripted.process.server.connection.session.model.engine
    assert (engine.status.running, engine.status.waiting) == (0, 0)


async def test_documents_do_not_end_each_others_requests(scripted: Scripted) -> None:
    client = await scripted.start()
    client.open(URI, f"{LINE}\n")
    client.open("untitled:Untitled-1", f"{LINE}\n")
    with client.together():
        one = client.begin_inline(URI, 0, len(LINE))[1]
        other = client.begin_inline("untitled:Untitled-1", 0, len(LINE))[1]
    assert (await one)["items"] and (await other)["items"]


async def test_a_position_outside_the_text_is_answered_empty(scripted: Scripted) -> None:
    client = await scripted.start()
    client.open(URI, f"{LINE}\n")
    assert await client.inline(URI, 99, 0) == []
    assert await client.inline("file:///not/open.py", 0, 0) == []
    # Past the end of a line counts as its end, as LSP has it.
    (item,) = await client.inline(URI, 0, 9999)
    assert item["range"] == span(0, len(LINE))


async def test_files_with_secrets_are_left_alone(scripted: Scripted) -> None:
    client = await scripted.start()
    for uri in ("file:///home/me/.env", "file:///home/me/.ssh/config.py"):
        client.open(uri, f"{LINE}\n")
        assert await client.inline(uri, 0, len(LINE)) == []
    assert not scripted.runner.runs


# Settings


async def test_settings_are_pulled_and_bad_ones_are_named(scripted: Scripted) -> None:
    sent: dict[str, Any] = {"completion": {"enable": False, "colour": "red"}}
    capabilities = recorded_capabilities("vscode-1.139.1")
    scripted.process = InProcess()
    client = scripted.process.client
    client.answers["workspace/configuration"] = lambda params: [sent]
    await client.initialize(capabilities=capabilities)
    await client.until(lambda: client.status and "switched off" in client.status["message"])
    messages = [p["message"] for m, p in client.notifications if m == "window/showMessage"]
    assert messages == ["Setting sopilka.completion.colour is not a setting."]
    client.open(URI, f"{LINE}\n")
    assert await client.inline(URI, 0, len(LINE)) == []
    sent.clear()
    client.notify("workspace/didChangeConfiguration", {"settings": None})
    await client.until_ready()
    assert await client.inline(URI, 0, len(LINE))


async def test_settings_are_pushed_and_the_last_good_one_stays(scripted: Scripted) -> None:
    client = await scripted.start(initializationOptions={"completion": {"maxTokens": 5}})
    client.open(URI, f"{LINE}\n")
    (item,) = await client.inline(URI, 0, len(LINE))
    assert item["insertText"] == "min,"
    bad = {"settings": {"sopilka": {"completion": {"maxTokens": 0}}}}
    client.notify("workspace/didChangeConfiguration", bad)
    client.type(URI, 1, 0, "y")
    (item,) = await client.inline(URI, 0, len(LINE))
    assert item["insertText"] == "min,"
    off = {"settings": {"sopilka": {"completion": {"disabledLanguages": ["python"]}}}}
    client.notify("workspace/didChangeConfiguration", off)
    assert await client.inline(URI, 0, len(LINE)) == []


async def test_the_users_own_settings_hold_unless_the_editor_has_others(
    scripted: Scripted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    file = tmp_path / "sopilka/settings.json"
    file.parent.mkdir()
    file.write_text('{"completion": {"disabledLanguages": ["python"]}, "colour": "red"}')
    client = await scripted.start(initializationOptions={})
    messages = [p["message"] for m, p in client.notifications if m == "window/showMessage"]
    assert messages == ["Setting sopilka.colour is not a setting."]
    client.open(URI, f"{LINE}\n")
    assert await client.inline(URI, 0, len(LINE)) == []
    on = {"settings": {"sopilka": {"completion": {"disabledLanguages": []}}}}
    client.notify("workspace/didChangeConfiguration", on)
    assert await client.inline(URI, 0, len(LINE))


async def test_automatic_requests_need_confidence(scripted: Scripted) -> None:
    client = await scripted.start(initializationOptions={"completion": {"minConfidence": 1}})
    client.open(URI, f"{LINE}\n")
    assert await client.inline(URI, 0, len(LINE), automatic=True) == []
    assert await client.inline(URI, 0, len(LINE), automatic=False) != []


# Errors


async def test_a_handler_that_fails_answers_empty(
    scripted: Scripted, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    client = await scripted.start()
    client.open(URI, f"{LINE}\n")
    session = type(scripted.process.server.connection.session)

    def fail(*_: object) -> None:
        raise RuntimeError(LINE)

    with monkeypatch.context() as patch:
        patch.setattr(session, "prepare", fail)
        assert await client.inline(URI, 0, len(LINE)) == []
    assert "textDocument/inlineCompletion failed: RuntimeError" in caplog.text
    assert LINE not in caplog.text
    assert await client.inline(URI, 0, len(LINE)) != []


async def test_an_engine_that_fails_answers_empty(scripted: Scripted) -> None:
    client = await scripted.start()
    client.open(URI, f"{LINE}\n")
    good, scripted.runner._logits = scripted.runner._logits, lambda _: 1 / 0  # type: ignore
    assert await client.inline(URI, 0, len(LINE)) == []
    scripted.runner._logits = good
    assert await client.inline(URI, 0, len(LINE)) != []


async def test_requests_after_shutdown_are_refused(scripted: Scripted) -> None:
    client = await scripted.start()
    await client.request("shutdown")
    with pytest.raises(ErrorReply) as caught:
        await client.inline(URI, 0, 0)
    assert caught.value.code == -32600
    client.notify("exit")
    assert await asyncio.wait_for(scripted.process.server.ended, 5) == 0


async def test_receipts_of_unknown_suggestions(scripted: Scripted) -> None:
    client = await scripted.start()
    for params in ({"id": "7"}, {"id": [1]}, {}, None, "text"):
        with pytest.raises(ErrorReply) as caught:
            await client.request("sopilka/explainCompletion", params)
        assert caught.value.code == -32602


# Files


async def test_folders_are_indexed_and_changes_on_disk_are_seen(
    scripted: Scripted, tmp_path: Path
) -> None:
    (tmp_path / "a.py").write_text("def first_name(): ...\n")
    client = await scripted.start(
        root=tmp_path, capabilities=recorded_capabilities("helix-25.01.1")
    )
    session = scripted.process.server.connection.session
    assert session.index.definitions_of("first_name")
    (tmp_path / "a.py").write_text("def other_name(): ...\n")
    changes = [{"uri": (tmp_path / "a.py").as_uri(), "type": 2}]
    client.notify("workspace/didChangeWatchedFiles", {"changes": changes})
    await until(lambda: session.index.definitions_of("other_name"))
    assert not session.index.definitions_of("first_name")
    (tmp_path / "a.py").unlink()
    client.notify("workspace/didChangeWatchedFiles", {"changes": [{**changes[0], "type": 3}]})
    await until(lambda: not session.index.definitions_of("other_name"))


async def test_an_open_document_hides_its_file_until_it_is_closed(
    scripted: Scripted, tmp_path: Path
) -> None:
    file = tmp_path / "a.py"
    file.write_text("def on_disk(): ...\n")
    client = await scripted.start(root=tmp_path)
    session = scripted.process.server.connection.session
    client.open(file.as_uri(), "def in_editor(): ...\n")
    await client.request("sopilka/status", {})
    assert session.index.definitions_of("in_editor")
    assert not session.index.definitions_of("on_disk")
    client.close(file.as_uri())
    await client.request("sopilka/status", {})
    assert session.index.definitions_of("on_disk")


async def test_folders_come_and_go(scripted: Scripted, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.py").write_text(f"def in_{name}(): ...\n")
    client = await scripted.start(root=tmp_path / "one")
    session = scripted.process.server.connection.session
    one, two = ({"uri": (tmp_path / name).as_uri(), "name": name} for name in ("one", "two"))
    event = {"added": [two], "removed": [one]}
    client.notify("workspace/didChangeWorkspaceFolders", {"event": event})
    await until(lambda: session.index.definitions_of("in_two"))
    assert not session.index.definitions_of("in_one")


async def test_the_memory_follows_files_and_documents(scripted: Scripted, tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x" * 10)
    (tmp_path / "b.py").write_text("y" * 20)
    (tmp_path / ".env").write_text("z" * 40)
    client = await scripted.start(root=tmp_path)
    status = await client.request("sopilka/status", {})
    assert status["memoryTokens"] == 30
    client.open((tmp_path / "a.py").as_uri(), "x" * 100)
    client.open(URI, f"{LINE}\n")
    client.open((tmp_path / ".env").as_uri(), "z" * 1000)
    await client.inline(URI, 0, len(LINE))
    status = await client.request("sopilka/status", {})
    assert status["memoryTokens"] == 120
    client.close((tmp_path / "a.py").as_uri())
    await until(lambda: session_of(scripted).model.engine.status.memory_tokens == 30)


def session_of(scripted: Scripted) -> Any:
    return scripted.process.server.connection.session


async def until(condition: Any) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.02)


# Cost and privacy


async def test_typing_in_one_line_computes_few_tokens_anew(scripted: Scripted) -> None:
    client = await scripted.start()
    above = "".join(f"name_{number} = {number}\n" for number in range(100))
    client.open(URI, above)
    computed = []
    for at, key in enumerate("value = call(first, "):
        client.type(URI, 100, at, key)
        runs = len(scripted.runner.runs)
        await client.inline(URI, 100, at + 1)
        computed.append(tokens_in(scripted.runner.runs[runs:]))
    assert computed[0] > len(above)
    # Later only the line itself is new: what was typed, and what the model wrote for it.
    assert max(computed[1:]) < 100


def tokens_in(runs: Any) -> int:
    return sum(len(chunk.tokens) for run in runs for chunk in run)


async def test_key_material_never_reaches_the_model(scripted: Scripted, tmp_path: Path) -> None:
    key = "AKIA" + "ABCDEFGHIJKLMNOP"
    (tmp_path / "other.py").write_text(f"def price_of(n, key='{key}'): ...\n")
    client = await scripted.start(root=tmp_path)
    uri = (tmp_path / "main.py").as_uri()
    client.open(uri, f"from other import price_of\naws = '{key}'\n{LINE}\nmore = '{key}'\n")
    await client.inline(uri, 2, len(LINE))
    seen = b"".join(
        bytes(token for token in chunk.tokens.tolist() if token < 256)
        for run in scripted.runner.runs
        for chunk in run
    )
    assert b"def price_of" in seen and b"aws = '****" in seen
    assert key.encode() not in seen
    tokens = session_of(scripted).model.engine._engine.memory._documents
    assert all(key.encode() not in bytes(document.tolist()) for document in tokens.values())


async def test_automatic_requests_wait_as_the_settings_say(scripted: Scripted) -> None:
    client = await scripted.start(initializationOptions={"completion": {"debounceMs": 300}})
    client.open(URI, f"{LINE}\n")
    first = client.begin_inline(URI, 0, len(LINE), automatic=True)[1]
    await client.request("sopilka/status", {})
    assert not scripted.runner.runs
    second = client.begin_inline(URI, 0, len(LINE), automatic=False)[1]
    assert (await second)["items"]
    with pytest.raises(ErrorReply):
        await first


async def test_no_message_of_an_editing_session_is_an_error(
    scripted: Scripted, caplog: pytest.LogCaptureFixture
) -> None:
    client = await scripted.start()
    client.open(URI, "a = 1\n")
    client.type(URI, 0, 5, "\nb = 2\n")
    client.change(URI, {"range": span(0, 0, 1), "text": "é😀"}, {"text": "all new\n"})
    client.type(URI, 0, 0, "x")
    client.notify("textDocument/didSave", {"textDocument": {"uri": URI}})
    client.close(URI)
    await client.request("sopilka/status", {})
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == []
