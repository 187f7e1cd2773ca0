"""Where included files are found, with a list of compiler calls and without."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from inline_snapshot import snapshot

from indexer import Index, IndexConfig, Open
from indexer.contents import Contents
from indexer.languages.c.compile_commands import include_folders
from indexer.resolve import Resolver
from tests.indexer.languages.resolved import check_resolved
from tests.support.fixture import index_of_disk, parse


def test_without_a_list_of_calls() -> None:
    check_resolved(
        """\
-- src/main.c --
#include "beside.h"
#include "../include/deep/far.h"
#include <deep/far.h>
#include "far.h"
#include <string.h>
#include "string.h"
#include <none.h>
-- src/beside.h --
-- other/beside.h --
-- include/deep/far.h --
-- src/string.h --
""",
        snapshot("""\
beside.h -> src/beside.h
../include/deep/far.h -> include/deep/far.h
deep/far.h -> include/deep/far.h
far.h -> include/deep/far.h
string.h -> nothing
string.h -> src/string.h
none.h -> nothing\
"""),
    )


def test_include_folders_in_their_order() -> None:
    check_resolved(
        """\
-- src/main.c --
#include "a.h"
#include <a.h>
#include <b.h>
#include "c.h"
#include <sys.h>
#include <local.h>
-- src/local.h --
-- src/compile_commands.json --
[
  {"directory": "/repo/build", "file": "../src/main.c",
   "command": "cc -DX=1 -isystem /repo/sys -I../first -I '../second dir' -iquote ../quoted"},
  {"directory": "/repo", "file": "src/other.c", "arguments": ["cc", "-Iother", "src/other.c"]}
]
-- quoted/a.h --
-- first/a.h --
-- second dir/a.h --
-- second dir/b.h --
-- sys/b.h --
-- sys/sys.h --
-- other/c.h --
-- near/src/c.h --
""",
        snapshot("""\
a.h -> quoted/a.h
a.h -> first/a.h
b.h -> second dir/b.h
c.h -> other/c.h
sys.h -> sys/sys.h
local.h -> src/local.h\
"""),
    )


def test_a_header_is_compiled_like_its_source() -> None:
    source = """\
-- include/other.h --
#include <x.h>
-- compile_commands.json --
[
  {"directory": "/repo", "file": "src/main.c", "command": "cc -I one -c src/main.c"},
  {"directory": "/repo", "file": "src/other.c", "arguments": ["cc", "-I", "two", "src/other.c"]}
]
-- one/x.h --
-- two/x.h --
"""
    check_resolved(source, snapshot("x.h -> two/x.h"))
    check_resolved(source.replace("include/other.h", "include/third.h"), snapshot("x.h -> one/x.h"))


def test_a_list_that_a_build_wrote_is_read_from_disk(tmp_path: Path) -> None:
    fixture = parse(
        "-- src/main.cc --\n#include <x.h>\n$0\n"
        "-- CMakeLists.txt --\n-- one/x.h --\n-- two/x.h --\n",
        root=str(tmp_path),
    )
    index = index_of_disk(fixture, tmp_path)
    index.refresh()
    clause = index.imports(fixture.path)[0]

    def target() -> str:
        files = index._files
        files.contents = Contents(index._digest, index._current_text, index.rules.roots)
        return index.relative(Resolver(index._table, files).modules(fixture.path, clause)[0])

    assert target() == "one/x.h"
    built = tmp_path / "build" / "compile_commands.json"
    built.parent.mkdir()
    entry = {"directory": str(tmp_path), "file": "src/main.cc", "command": "c++ -Itwo"}
    built.write_text(json.dumps([entry]), "utf-8")
    assert target() == "two/x.h"
    for broken in ("", "{}", "[1, {}]", '[{"file": 3}]', "[" * 10_000):
        built.write_text(broken, "utf-8")
        assert target() == "one/x.h"


def test_a_long_list_is_read_beside_the_caller_and_then_counts(tmp_path: Path) -> None:
    fixture = parse(
        "-- src/main.cc --\n#include <x.h>\n$0\n-- one/x.h --\n-- two/x.h --\n",
        root=str(tmp_path),
    )
    waiting: list[Callable[[], None]] = []
    index = Index(IndexConfig(workers=0), (str(tmp_path),), waiting.append)
    for path, text in fixture.files.items():
        index.apply(Open(path, None, 0, text))
    built = tmp_path / "build" / "compile_commands.json"
    built.parent.mkdir()
    entry = {"directory": str(tmp_path), "file": "src/main.cc", "command": "c++ -Itwo"}
    built.write_text(json.dumps([entry, *[{"file": "x.cc"}] * 10_000]), "utf-8")

    def targets() -> list[str]:
        return [index.relative(path) for path in index.imports_of_file(fixture.path)[0].paths]

    assert "one/x.h" in targets() and len(waiting) == 1
    targets()
    assert len(waiting) == 1  # it is under way
    waiting.pop()()
    assert targets() == ["two/x.h"]


def test_a_list_outside_of_the_workspace_is_not_read(tmp_path: Path) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    inside.mkdir()
    outside.mkdir()
    entry = {"directory": "/", "file": str(inside / "a.c"), "command": "cc -I/x"}
    (outside / "compile_commands.json").write_text(json.dumps([entry]), "utf-8")
    (inside / "compile_commands.json").symlink_to(outside / "compile_commands.json")
    fixture = parse("-- a.c --\n$0\n", root=str(inside))
    index = index_of_disk(fixture, inside)
    assert include_folders(fixture.path, index._files) is None
