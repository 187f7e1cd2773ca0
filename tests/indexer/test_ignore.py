"""Which files are read, and the reasons why others are not."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer import IndexConfig, Rules
from indexer.ignore import content_verdict, secret_name
from indexer.walk import list_folder


def make(root: Path, files: dict[str, str]) -> Rules:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return Rules((str(root),), IndexConfig())


def reasons(rules: Rules, root: Path, *names: str) -> list[str]:
    return [rules.verdict(str(root / name)).reason for name in names]


def test_nested_ignore_files_and_their_precedence(tmp_path: Path) -> None:
    rules = make(
        tmp_path,
        {
            ".gitignore": "*.gen.py\n/top.py\nskip/\n# a comment\n",
            "a/.gitignore": "!kept.gen.py\nlocal.py\n",
            ".ignore": "b/quiet.py\n",
            ".sopilkaignore": "!b/quiet.py\nown/**\n",
            ".git/info/exclude": "excluded.py\n",
        },
    )
    ignored = "excluded by an ignore file"
    expect = {
        "x.gen.py": ignored,
        "a/kept.gen.py": "",
        "a/local.py": ignored,
        "local.py": "",
        "top.py": ignored,
        "a/top.py": "",
        "skip/a.py": ignored,
        "b/quiet.py": "",
        "own/a.py": ignored,
        "excluded.py": ignored,
    }
    assert dict(zip(expect, reasons(rules, tmp_path, *expect), strict=True)) == expect


def test_a_file_in_an_excluded_folder_cannot_come_back(tmp_path: Path) -> None:
    rules = make(tmp_path, {".gitignore": "out_dir/\n", "out_dir/.gitignore": "!a.py\n"})
    assert reasons(rules, tmp_path, "out_dir/a.py") == ["excluded by an ignore file"]


def test_ignore_files_above_the_root_count_inside_a_repository(tmp_path: Path) -> None:
    make(tmp_path, {".git/HEAD": "", ".gitignore": "*.skip.py\n", "sub/a.py": ""})
    rules = Rules((str(tmp_path / "sub"),), IndexConfig())
    assert not rules.verdict(str(tmp_path / "sub/a.skip.py")).allowed
    assert rules.verdict(str(tmp_path / "sub/a.py")).allowed


def test_a_root_that_its_repository_ignores_was_opened_on_purpose(tmp_path: Path) -> None:
    make(tmp_path, {".git/HEAD": "", ".gitignore": "sub/\n", "sub/.gitignore": "b.py\n"})
    rules = Rules((str(tmp_path / "sub"),), IndexConfig())
    assert rules.verdict(str(tmp_path / "sub/a.py")).allowed
    assert not rules.verdict(str(tmp_path / "sub/b.py")).allowed


def test_ignore_files_can_be_switched_off_but_not_our_own(tmp_path: Path) -> None:
    make(tmp_path, {".gitignore": "a.py\n", ".sopilkaignore": "b.py\n"})
    config = IndexConfig(follow_ignore_files=False, extra_ignore=("c.py", "\\"))
    rules = Rules((str(tmp_path),), config)
    assert [rules.verdict(str(tmp_path / name)).allowed for name in ("a.py", "b.py", "c.py")] == [
        True,
        False,
        False,
    ]


def test_changed_ignore_files_count_once_the_rules_forget(tmp_path: Path) -> None:
    rules = make(tmp_path, {".gitignore": "a.py\n"})
    assert not rules.verdict(str(tmp_path / "a.py")).allowed
    (tmp_path / ".gitignore").write_text("")
    rules.forget()
    assert rules.verdict(str(tmp_path / "a.py")).allowed


def test_a_repository_inside_of_a_root_has_private_patterns_too(tmp_path: Path) -> None:
    rules = make(tmp_path, {"one/.git/info/exclude": "a.py\n", "one/a.py": "", "two/a.py": ""})
    assert reasons(rules, tmp_path, "one/a.py", "one/b.py", "two/a.py") == [
        "excluded by an ignore file",
        "",
        "",
    ]


def test_a_worktree_has_the_private_patterns_of_its_repository(tmp_path: Path) -> None:
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b"]
    main = tmp_path / "main"
    for command in (
        ["init", "-q", str(main)],
        ["-C", str(main), "commit", "-q", "--allow-empty", "-m", "first"],
        ["-C", str(main), "worktree", "add", "-q", str(tmp_path / "other")],
    ):
        subprocess.run([*git, *command], check=True, capture_output=True)
    (main / ".git/info/exclude").write_text("a.py\n")
    rules = make(tmp_path / "other", {"a.py": "", "b.py": ""})
    assert reasons(rules, tmp_path / "other", "a.py", "b.py") == ["excluded by an ignore file", ""]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_an_ignore_file_that_is_none_is_not_waited_for(tmp_path: Path) -> None:
    rules = make(tmp_path, {"sub/a.py": ""})
    os.mkfifo(tmp_path / ".gitignore")
    (tmp_path / "sub/.gitignore").symlink_to("/dev/zero")
    assert rules.verdict(str(tmp_path / "sub/a.py")).allowed


SEGMENTS = st.sampled_from(["a", "b.py", "c", "d.py", "build"])
PATTERNS = st.lists(
    st.builds(
        "".join,
        st.tuples(
            st.sampled_from(["", "!", "/"]),
            st.sampled_from(
                ["a", "b.py", "c", "*.py", "**/c", "a/**", "a/*", "[ab]*", "c/d.py", "a/**/c", "**"]
            ),
            st.sampled_from(["", "/"]),
        ),
    ),
    max_size=4,
)


@given(st.integers(1_900, 2_500), st.lists(st.integers(0, 2_499), max_size=12, unique=True))
def test_minified_is_what_has_long_lines_on_average(size: int, ends: list[int]) -> None:
    text = bytearray(b"x" * size)
    for end in ends:
        if end < size:
            text[end] = ord("\n")
    is_minified = size > 2_000 and size > 300 * (text.count(b"\n") + 1)
    assert content_verdict(bytes(text)).allowed == (not is_minified)


def walked(root: Path) -> set[str]:
    """What is found by listing folders, which looks for ignore files only where it sees some."""
    rules, folders, found = Rules((str(root),), IndexConfig()), [str(root)], set[str]()
    while folders:
        for listing in list_folder(rules, folders.pop()):
            folders += listing.folders
            found.update(file.path for file in listing.files if not file.reason)
    return found


@settings(max_examples=15, deadline=None)
@given(PATTERNS, PATTERNS, st.lists(st.lists(SEGMENTS, min_size=1, max_size=3), min_size=1))
def test_git_agrees(
    tmp_path_factory: pytest.TempPathFactory,
    top: list[str],
    inner: list[str],
    paths: list[list[str]],
) -> None:
    root = tmp_path_factory.mktemp("repo")
    subprocess.run(["git", "init", "-q", str(root)], check=True)
    files = {"/".join([*parts, "leaf.py"]) for parts in paths} | {"b.py", "a/b.py", "c/d.py"}
    files = {name for name in files if "b.py/" not in name and "d.py/" not in name}
    rules = make(root, dict.fromkeys(sorted(files), ""))
    (root / ".gitignore").write_text("\n".join(top) + "\n")
    (root / "a").mkdir(exist_ok=True)
    (root / "a/.gitignore").write_text("\n".join(inner) + "\n")
    rules.forget()
    listed = subprocess.run(
        ["git", "ls-files", "--others", "--exclude-standard"],
        cwd=root,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
    ours = {name for name in files if rules.verdict(str(root / name)).allowed}
    assert ours == {name for name in listed if name.endswith(".py")}
    assert walked(root) == {str(root / name) for name in ours}


@pytest.mark.parametrize(
    "name",
    [
        ".env", ".env.local", "prod.env", "id_rsa", "id_ed25519", "server.pem", "a.key", "b.p12",
        "c.pfx", "d.crt", "e.jks", "putty.ppk", "x.gpg", ".netrc", ".npmrc", ".pypirc",
        ".git-credentials", "credentials", "credentials.json", "secrets.yaml", "secret.toml",
        "auth.json", "appsettings.Production.json", "settings.json", "config.yml", "my.token",
        "terraform.tfstate", "prod.tfvars", "dump.sqlite3", "old.bak", "service-account-x.json",
        ".aws/config", ".ssh/known_hosts", ".kube/config", "secrets/prod.txt", "certs/readme",
    ],
)  # fmt: skip
def test_names_of_secrets(name: str) -> None:
    assert secret_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "config.py", "settings.py", "settings/base.py", "secrets.py", "auth.py", "auth.ts",
        "credentials.go", "token.c", "tokens.rs", "keys.py", "keys/layout.py", "private/impl.java",
        "secrets/manager.ts", ".env.example", "environment.ts", "config.ts", "key.h", "id_map.py",
        "database.py", "old/a.py", "package.json", "certs/verify.go",
    ],
)  # fmt: skip
def test_ordinary_source_is_not_taken_for_a_secret(name: str) -> None:
    assert not secret_name(name)


def test_a_secret_is_refused_by_name(tmp_path: Path) -> None:
    rules = make(tmp_path, {".env": "A=1"})
    assert reasons(rules, tmp_path, ".env") == [".env is a name for keys or credentials"]


def test_folders_without_source_of_the_project(tmp_path: Path) -> None:
    rules = make(
        tmp_path,
        {
            "node_modules/a/index.js": "",
            "env1/pyvenv.cfg": "",
            "Cargo.toml": "",
            "target/a.rs": "",
            "lib/target/a.py": "",
            "pkg/package.json": "",
            "pkg/dist/a.js": "",
            "tool/pyproject.toml": "",
            "tool/build/__init__.py": "",
        },
    )
    expect = {
        "node_modules/a/index.js": "node_modules holds no source of this project",
        "env1/a.py": "env1 is a virtual environment",
        "target/a.rs": "target holds what a build made or fetched",
        "lib/target/a.py": "",
        "pkg/dist/a.js": "dist holds what a build made or fetched",
        "tool/build/a.py": "",
        "a.min.js": "a.min.js is a name for generated or minified code",
        "x_pb2.py": "x_pb2.py is a name for generated or minified code",
    }
    assert dict(zip(expect, reasons(rules, tmp_path, *expect), strict=True)) == expect


def test_size_and_place(tmp_path: Path) -> None:
    rules = make(tmp_path, {})
    assert rules.verdict(str(tmp_path / "a.py"), 2_000_000).reason == (
        "2000000 bytes, more than 1000000"
    )
    assert rules.verdict("/elsewhere/a.py").reason == "outside of the workspace folders"
    assert rules.verdict(f"{tmp_path}/sub/../../a.py").reason == "outside of the workspace folders"


@pytest.mark.skipif(not hasattr(os, "symlink"), reason="needs symbolic links")
def test_links_never_lead_anywhere(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    rules = make(root, {"a.py": "", "sub/b.py": ""})
    make(outside, {"key.py": ""})
    (root / "escape.py").symlink_to(outside / "key.py")
    (root / "inside.py").symlink_to(root / "a.py")
    (root / "loop").symlink_to(root)
    (root / "away").symlink_to(outside)
    assert reasons(rules, root, "escape.py", "inside.py", "loop/a.py", "away/key.py", "a.py") == [
        "a link that leaves the workspace folders",
        "a link to a file that counts under its own path",
        "a link to a file that counts under its own path",
        "a link that leaves the workspace folders",
        "",
    ]


def test_a_root_may_itself_be_a_link(tmp_path: Path) -> None:
    make(tmp_path / "real", {"a.py": ""})
    (tmp_path / "root").symlink_to(tmp_path / "real")
    rules = Rules((str(tmp_path / "root"),), IndexConfig())
    assert rules.verdict(str(tmp_path / "root/a.py")).allowed


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"x = 1\n", ""),
        (b"", ""),
        ("é = '🦀'\n".encode(), ""),
        (b"a\0b", "binary: it holds NUL bytes"),
        ("é".encode("latin-1"), "not UTF-8"),
        (b"// Code generated by protoc-gen-go. DO NOT EDIT.\npackage a\n", "marked as generated"),
        (b"# @generated by a tool\nx = 1\n", "marked as generated"),
        (b"# This file is generated by hand, edit it freely.\n", ""),
        (b"var a=1;" * 1000, "minified: its lines are too long to be read"),
        (
            b"x = 1\n" + b"y = '" + b"z" * 20_000 + b"'\n",
            "minified: its lines are too long to be read",
        ),
        (b"short\n" * 1000 + b"z" * 6000, ""),
    ],
)
def test_content(text: bytes, reason: str) -> None:
    assert content_verdict(text).reason == reason
