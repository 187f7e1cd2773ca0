"""The index as its callers use it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from indexer import (
    ByteEdit,
    Close,
    Edit,
    FileFound,
    FileGone,
    Index,
    IndexConfig,
    Open,
    Replace,
    extract,
    language_of,
    syntax_errors,
)
from indexer.facts import FileFacts
from tests.support.fixture import ROOT, index_of, index_of_disk, parse


def facts(path: str, text: str) -> FileFacts:
    language = language_of(path)
    assert language is not None
    return extract(path, language, text.encode())


def names(index: Index, path: str) -> list[str]:
    return [symbol.qualified_name for symbol in index.symbols(path)]


def test_an_open_document_shadows_its_file() -> None:
    index = Index(IndexConfig(), (ROOT,))
    path = f"{ROOT}/a.py"
    index.apply(FileFound(path, facts(path, "def on_disk(): ...\n")))
    index.apply(Open(path, "python", 1, "def typed(): ...\n"))
    assert names(index, path) == ["typed"]
    index.apply(FileFound(path, facts(path, "def saved(): ...\n")))
    assert names(index, path) == ["typed"]
    index.apply(Close(path))
    assert names(index, path) == ["saved"]
    index.apply(FileGone(path))
    assert list(index.paths()) == [] and index.definitions_of("saved") == []


def test_a_file_that_goes_while_it_is_open() -> None:
    index = Index(IndexConfig(), (ROOT,))
    path = f"{ROOT}/a.py"
    index.apply(FileFound(path, facts(path, "x = 1\n")))
    index.apply(Open(path, None, 1, "y = 1\n"))
    index.apply(FileGone(path))
    assert names(index, path) == ["y"]
    index.apply(Close(path))
    assert list(index.paths()) == []


def test_several_edits_in_one_change_follow_each_other() -> None:
    index = Index(IndexConfig(), (ROOT,))
    path = f"{ROOT}/a.py"
    index.apply(Open(path, None, 1, "a = 1\n"))
    edits = (ByteEdit(0, 1, "bb"), ByteEdit(2, 2, "é"), ByteEdit(0, 2, "c"))
    index.apply(Edit(path, 2, edits))
    document = index.document(path)
    assert document is not None
    assert (document.text.decode(), document.version) == ("cé = 1\n", 2)
    assert names(index, path) == ["cé"]


def test_an_edit_that_does_not_fit_changes_nothing() -> None:
    index = Index(IndexConfig(), (ROOT,))
    path = f"{ROOT}/a.py"
    index.apply(Open(path, None, 1, "a = 1\n"))
    message = f"edit of bytes 9 to 9 does not fit into {path}, which has 7 bytes then"
    with pytest.raises(ValueError, match=re.escape(message)):
        index.apply(Edit(path, 2, (ByteEdit(0, 0, "b"), ByteEdit(9, 9, "c"))))
    document = index.document(path)
    assert document is not None
    assert (document.text, document.version) == (b"a = 1\n", 1)


@pytest.mark.parametrize("change", [Edit("/x.py", 1, ()), Replace("/x.py", 1, "")])
def test_only_open_documents_are_edited(change: Edit | Replace) -> None:
    with pytest.raises(ValueError, match=r"/x\.py is not open"):
        Index(IndexConfig(), (ROOT,)).apply(change)


def test_the_client_says_what_language_it_is() -> None:
    index = Index(IndexConfig(), (ROOT,))
    for path, language_id in (("script", "python"), ("a.py", None), ("x.py", "typescript")):
        index.apply(Open(f"{ROOT}/{path}", language_id, 1, "x = 1\n"))
    index.apply(Open(f"{ROOT}/notes.txt", "plaintext", 1, "x = 1\n"))
    languages = {document.path: document.language for document in index.documents()}
    found = {path: language.name for path, language in languages.items() if language is not None}
    assert found == {
        f"{ROOT}/script": "python",
        f"{ROOT}/a.py": "python",
        f"{ROOT}/x.py": "typescript",
    }
    assert index.symbols(f"{ROOT}/notes.txt") == ()


def test_definitions_and_references_of_a_name() -> None:
    fixture = parse("-- a.py --\ndef f(): ...\n-- b.ts --\nimport { f } from './a';\nf(f.g);\n")
    index = index_of(fixture)
    assert [(s.path, s.kind) for s in index.definitions_of("f")] == [(f"{ROOT}/a.py", "function")]
    uses = [(r.path, r.start, r.role) for r in index.references_of("f")]
    assert uses == [
        (f"{ROOT}/b.ts", 9, "import"),
        (f"{ROOT}/b.ts", 25, "call"),
        (f"{ROOT}/b.ts", 27, "name"),
    ]
    assert index.definitions_of("nothing") == [] and index.references_of("nothing") == []


def test_a_secret_document_is_edited_but_not_known() -> None:
    index = Index(IndexConfig(), (ROOT,))
    path = f"{ROOT}/.ssh/helper.py"
    index.apply(Open(path, None, 1, "def secret_helper(): ...\n"))
    assert index.document(path) is not None
    assert index.text_of(path) is None
    assert index.definitions_of("secret_helper") == [] and index.symbols(path) == ()


def test_text_of_files_passes_the_rules(tmp_path: Path) -> None:
    fixture = parse(
        "-- a.py --\nx = 1\n-- .env --\nA=1\n-- b.py --\n# Code generated. DO NOT EDIT.\n"
        "-- sub/.gitignore --\nc.py\n-- sub/c.py --\ny = 1\n",
        root=str(tmp_path),
    )
    index = index_of_disk(fixture, tmp_path)
    index.apply(Close(fixture.path))
    read = {
        name: index.text_of(f"{tmp_path}/{name}") for name in ("a.py", ".env", "sub/c.py", "no")
    }
    assert read == {"a.py": b"x = 1\n", ".env": None, "sub/c.py": None, "no": None}
    assert index.text_of("/etc/hosts") is None


def test_a_file_that_changed_unnoticed_is_not_shown_but_reported(tmp_path: Path) -> None:
    fixture = parse(
        "-- main.py --\nfrom lib import f\n$0\n-- lib.py --\ndef f(a): ...\n", root=str(tmp_path)
    )
    index = index_of_disk(fixture, tmp_path)
    assert len(index.definitions_needed(fixture.path, fixture.offset, 5)) == 1
    (tmp_path / "lib.py").write_text("import os\n\ndef f(a): ...\n")
    assert index.definitions_needed(fixture.path, fixture.offset, 5) == []
    assert index.status().stale == 1
    assert index.take_stale() == (str(tmp_path / "lib.py"),)
    assert index.take_stale() == ()


def test_a_huge_document_is_kept_without_a_tree() -> None:
    index = Index(IndexConfig(max_file_bytes=20), (ROOT,))
    path = f"{ROOT}/a.py"
    index.apply(Open(path, None, 1, "def f(): ...\n" * 3))
    document = index.document(path)
    assert document is not None and document.tree is None and len(document.text) == 39
    assert index.symbols(path) == ()
    assert index.definitions_needed(path, 0, 5) == index.similar_chunks(path, 0, 5) == []
    assert document.scope_at(15).kind == "module"
    index.apply(Edit(path, 2, (ByteEdit(13, 39, ""),)))
    assert names(index, path) == ["f"]


def test_relative_paths() -> None:
    assert Index(IndexConfig(), (ROOT,)).relative(f"{ROOT}/a/b.py") == "a/b.py"
    assert Index(IndexConfig(), (ROOT, "/two")).relative("/two/b.py") == "two/b.py"
    assert Index(IndexConfig(), (ROOT,)).relative("/else/b.py") == "b.py"


def test_counts() -> None:
    index = index_of(parse("-- a.py --\nx = 1\n-- b.py --\ndef f(): ...\n"))
    list(index.paths())
    status = index.status()
    assert (status.files, status.symbols, status.chunks, status.documents) == (2, 2, 2, 2)


def test_syntax_errors_in_a_range() -> None:
    text = b"x = 1\ny = (\nz = 3\n"
    assert syntax_errors("python", b"x = 1\n") == 0
    assert syntax_errors("python", text) > 0
    assert syntax_errors("python", text, 0, 4) == 0
    assert syntax_errors("klingon", text) == 0
    assert syntax_errors("typescript", b"const a = {;") > 0


def test_errors_of_a_document_in_a_range() -> None:
    index = index_of(parse("def f(): return 1\n\nx = = 2\n"))
    document = index.document(f"{ROOT}/main.py")
    assert document is not None
    assert not document.has_error_in(0, 10)
    assert document.has_error_in(19, 26)


@pytest.mark.parametrize("values", [{"max_file_bytes": 0}, {"workers": -1}])
def test_settings_that_cannot_be_are_named(values: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=next(iter(values))):
        IndexConfig(**values)  # type: ignore[arg-type]


def test_what_the_rules_refuse_does_not_enter_the_index_by_being_open(tmp_path: Path) -> None:
    """Nor does a file outside of the workspace whose folder says that it holds keys."""
    root, outside = (tmp_path / "root").as_posix(), (tmp_path / ".ssh").as_posix()
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / ".gitignore").write_text("private.py\n", encoding="utf-8")
    index = Index(IndexConfig(), (root,))
    for path, name in (
        (f"{root}/open.py", "shown"),
        (f"{root}/private.py", "hidden"),
        (f"{outside}/config.py", "hidden_too"),
    ):
        index.apply(Open(path, "python", 1, f"def {name}():\n    pass\n"))
    assert [symbol.name for symbol in index.symbols(f"{root}/open.py")] == ["shown"]
    assert index.definitions_of("hidden") == []
    assert index.definitions_of("hidden_too") == []
    assert index.text_of(f"{root}/private.py") is None
