"""A language server that says what a test tells it to, over real stdio.

It speaks the part of the protocol that our clients use: inline completion, the accept command,
`didChangeStatus`, `$/progress`. Tests of the clients use it where a reply must be late, must be
several or must have a certain range; whatever can be seen with the real server is tested there.

SOPILKA_SCRIPT names a JSON file that is read anew for each request:
{"delay": seconds, "ignore_cancel": bool, "items": [{"text": ..., "before": n, "after": n}]}
with `before` and `after` in characters of the agreed encoding around the cursor.
SOPILKA_LOG names a file that gets a JSON line for each thing that the client did.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from pathlib import Path
from typing import Any

from lsprotocol import types
from pygls.lsp.server import LanguageServer

server = LanguageServer("scripted", "1")


def log(kind: str, **details: Any) -> None:
    with Path(os.environ["SOPILKA_LOG"]).open("a", encoding="utf-8") as file:
        file.write(json.dumps({"kind": kind, **details}) + "\n")


def script() -> dict[str, Any]:
    return dict(json.loads(Path(os.environ["SOPILKA_SCRIPT"]).read_text(encoding="utf-8")))


@server.feature(types.INITIALIZE)
def initialize(_: LanguageServer, params: types.InitializeParams) -> None:
    log("initialize", pid=os.getpid(), root=params.root_uri, options=params.initialization_options)


@server.feature(types.TEXT_DOCUMENT_DID_OPEN)
def did_open(ls: LanguageServer, params: types.DidOpenTextDocumentParams) -> None:
    log("didOpen", language=params.text_document.language_id)


@server.feature(types.TEXT_DOCUMENT_INLINE_COMPLETION, types.InlineCompletionOptions())
async def inline(
    ls: LanguageServer, params: types.InlineCompletionParams
) -> types.InlineCompletionList:
    document = ls.workspace.get_text_document(params.text_document.uri)
    prefix = document.source[: document.offset_at_position(params.position)].rsplit("\n", 1)[-1]
    log("inlineCompletion", prefix=prefix, trigger=int(params.context.trigger_kind))
    play = script()
    end = time.monotonic() + play.get("delay", 0)
    while time.monotonic() < end:
        try:
            await asyncio.sleep(end - time.monotonic())
        except asyncio.CancelledError:
            log("cancelled", prefix=prefix)
            if not play.get("ignore_cancel"):
                raise
    line, character = params.position.line, params.position.character
    log("replied", prefix=prefix)
    return types.InlineCompletionList(
        items=[
            types.InlineCompletionItem(
                insert_text=item["text"],
                range=types.Range(
                    types.Position(line, character - item.get("before", 0)),
                    types.Position(line, character + item.get("after", 0)),
                ),
                command=types.Command(
                    title="accepted", command="sopilka.accept", arguments=[item["text"]]
                ),
            )
            for item in play["items"]
        ]
    )


@server.command("sopilka.accept")
def accept(_: LanguageServer, *arguments: Any) -> None:
    log("accepted", arguments=list(arguments))


@server.command("test.status")
async def status(ls: LanguageServer, *arguments: Any) -> None:
    """Tells the client a status, or progress when the argument has a `token`."""
    said = dict(arguments[0])
    if "token" in said:
        await ls.work_done_progress.create_async(said["token"])
        ls.work_done_progress.begin(
            said["token"], types.WorkDoneProgressBegin(title=said["title"], message=said["message"])
        )
        return
    ls.protocol.notify("didChangeStatus", said)


if __name__ == "__main__":
    server.start_io()
