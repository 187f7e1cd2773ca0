"""Servers that know definitions, asked one name at a time through pipes."""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol
from urllib.parse import quote, unquote, urlparse

HERE = Path(__file__).parent


class Asked(NamedTuple):
    """A name in a file; line and character from 0, the character in UTF-16 units."""

    path: str
    text: bytes
    name: str
    role: str
    offset: int
    line: int
    character: int


@dataclass
class Answer:
    """Places as (path below the tree, line from 0), and whether some lie outside."""

    places: list[tuple[str, int]]
    outside: bool
    milliseconds: float


class Server(Protocol):
    """One that answers."""

    name: str

    def ask(self, asked: Asked) -> Answer: ...

    def close(self) -> None: ...


def servers_for(options: argparse.Namespace, tree: Path) -> Iterator[Server]:
    """The servers for a language that are installed; a missing one is named on stderr."""
    if options.language == "python" and options.python is not None:
        folder = options.python.parent
        if (folder / "basedpyright-langserver").is_file():
            yield LanguageServer([str(folder / "basedpyright-langserver"), "--stdio"], tree)
        yield Piped("jedi", [str(options.python), str(HERE / "ask_jedi.py"), str(tree)], tree)
    elif options.typescript is not None and shutil.which("node"):
        script = str(HERE / "ask_typescript.cjs")
        command = ["node", script, str(options.typescript.resolve()), str(tree)]
        yield Piped("TypeScript's language service", command, tree)


class Piped:
    """A program that reads a JSON line for each name and prints one for each answer."""

    def __init__(self, name: str, command: list[str], tree: Path) -> None:
        self.name = name
        self._tree = tree
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, asked: Asked) -> Answer:
        process = self._process
        assert process.stdin is not None and process.stdout is not None
        line = {"path": str(self._tree / asked.path), "line": asked.line, "at": asked.character}
        process.stdin.write(json.dumps(line) + "\n")
        process.stdin.flush()
        said = json.loads(process.stdout.readline())
        return _answer(self._tree, said["places"], said["milliseconds"])

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


class LanguageServer:
    """A server that speaks LSP on its standard streams."""

    def __init__(self, command: list[str], tree: Path) -> None:
        self.name = Path(command[0]).name.removesuffix("-langserver")
        self._tree = tree
        self._number = 0
        self._opened: set[str] = set()
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        root = _uri(tree)
        self._request(
            "initialize",
            {
                "processId": None,
                "rootUri": root,
                "workspaceFolders": [{"uri": root, "name": tree.name}],
                "capabilities": {"workspace": {"configuration": True}},
            },
        )
        self._send({"method": "initialized", "params": {}})

    def ask(self, asked: Asked) -> Answer:
        uri = _uri(self._tree / asked.path)
        place = {
            "textDocument": {"uri": uri},
            "position": {"line": asked.line, "character": asked.character},
        }
        if asked.path not in self._opened:
            self._opened.add(asked.path)
            document = {
                "uri": uri,
                "languageId": "python",
                "version": 0,
                "text": asked.text.decode(),
            }
            self._send({"method": "textDocument/didOpen", "params": {"textDocument": document}})
            self._request("textDocument/definition", place)  # what opening costs is not counted
        begin = time.perf_counter()
        found = self._request("textDocument/definition", place) or []
        spent = 1000 * (time.perf_counter() - begin)
        places = []
        for one in found if isinstance(found, list) else [found]:
            where = one.get("targetUri") or one["uri"]
            line = (one.get("targetSelectionRange") or one["range"])["start"]["line"]
            places.append((unquote(urlparse(where).path), line))
        return _answer(self._tree, places, spent)

    def close(self) -> None:
        self._process.kill()
        self._process.wait()

    def _request(self, method: str, params: Any) -> Any:
        self._number += 1
        self._send({"id": self._number, "method": method, "params": params})
        while True:
            said = self._receive()
            if "method" in said and "id" in said:  # a question of the server's
                count = len((said.get("params") or {}).get("items", ()))
                self._send({"id": said["id"], "result": [SETTINGS] * count if count else None})
            elif said.get("id") == self._number:
                return said.get("result")

    def _send(self, message: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        self._process.stdin.flush()

    def _receive(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        length = 0
        while line := self._process.stdout.readline().strip():
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        if not length:
            raise RuntimeError(f"{self.name} ended without an answer")
        message: dict[str, Any] = json.loads(self._process.stdout.read(length))
        return message


SETTINGS = {"diagnosticMode": "openFilesOnly", "typeCheckingMode": "off", "indexing": False}


def _answer(tree: Path, found: list[tuple[str, int]], spent: float) -> Answer:
    top = f"{tree}/"
    places = [(path.removeprefix(top), line) for path, line in found if path.startswith(top)]
    return Answer(places, len(places) < len(found), spent)


def _uri(path: Path) -> str:
    return f"file://{quote(str(path))}"
