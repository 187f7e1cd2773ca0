"""Ignore patterns mean what git says that they mean."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer import IndexConfig, Rules
from indexer.patterns import read_line, read_patterns

IGNORED = "excluded by an ignore file"
NAMES = st.sampled_from(
    ["a", "b", "ab", "a.py", "ba", "abb", "é", "a b", "[a", "*", "\\", "c", "]", "-", "#a", "!b"]
)
ATOMS = st.sampled_from(
    ["a", "b", "ab", ".py", "*", "**", "?", "[ab]", "[!a]", "[a-c]", "[^b]", "[[:alpha:]]", "[]a]",
     "[a", "\\a", "\\*", "\\", "/", "**/", "/**", "a**", "**b", "é", " ", "\\ ", "***", "[[:no:]]",
     "[\\]]", "[a-", "**\\/", "#", "!", "-", "[--a]", "x\0y"]
)  # fmt: skip
PATTERNS = st.builds(
    "{}{}{}".format,
    st.sampled_from(["", "", "!", "/"]),
    st.lists(ATOMS, min_size=1, max_size=5).map("".join),
    st.sampled_from(["", "", "/", " ", "\r"]),
)
FILES = st.builds("{}{}".format, st.lists(PATTERNS, min_size=1, max_size=4).map("\n".join), ATOMS)
TREES = st.lists(st.lists(NAMES, min_size=1, max_size=4), min_size=1, max_size=20)


@settings(max_examples=60, deadline=None)
@given(TREES, FILES, FILES, FILES)
def test_git_agrees_on_any_patterns_and_trees(
    tmp_path_factory: pytest.TempPathFactory,
    tree: list[list[str]],
    top: str,
    inner: str,
    private: str,
) -> None:
    root = tmp_path_factory.mktemp("tree")
    subprocess.run(["git", "init", "-q", str(root)], check=True)
    (root / ".git/info/exclude").write_text(private)
    (root / ".gitignore").write_text(top)
    (root / "a").mkdir()
    (root / "a/.gitignore").write_text(inner)
    paths: list[str] = []
    for parts in tree:
        path = root.joinpath(*parts)
        if not any(above.is_file() for above in path.parents) and not path.is_dir():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        paths += ["/".join(parts[:end]) for end in range(1, len(parts) + 1)]
    paths = sorted({path for path in paths if os.path.lexists(root / path)})
    asked = subprocess.run(
        ["git", "check-ignore", "-z", "--stdin", "--no-index"],
        input="\0".join(paths).encode(),
        cwd=root,
        capture_output=True,
    )
    theirs = set(asked.stdout.decode().split("\0")) - {""}
    rules = Rules((str(root),), IndexConfig())
    ours = {path for path in paths if is_ignored(rules, root / path)}
    assert ours == theirs


def is_ignored(rules: Rules, path: Path) -> bool:
    if path.is_dir():
        return rules.folder_verdict(str(path)).reason == IGNORED
    return rules.verdict(str(path)).reason == IGNORED


@pytest.mark.parametrize(
    ("pattern", "path", "expect"),
    [
        ("*.py", "deep/a.py", True),
        ("/*.py", "deep/a.py", None),
        ("!a.py", "a.py", False),
        ("a/**/b", "a/b", True),
        ("a/**/b", "a/x/y/b", True),
        ("a/*/b", "a/x/y/b", None),
        ("a**/b", "axx/y/b", True),
        ("doc/", "doc", None),
        ("a?c", "aéc", None),
        ("a??c", "aéc", True),
        ("[a-c]x", "bx", True),
        ("[[:digit:]]x", "7x", True),
        ("\\#a", "#a", True),
        ("a\\ ", "a ", True),
        ("line\nbreak", "break", True),
    ],
)
def test_single_patterns(pattern: str, path: str, expect: bool | None) -> None:
    assert read_patterns(pattern.encode()).excludes(path.encode(), False) is expect


def test_what_cannot_match_is_dropped() -> None:
    for line in (b"", b"# said", b"!", b"/", b"[a", b"a\\", b"[[:nothing:]]", b"   "):
        assert read_line(line) is None


def test_a_mark_at_the_start_and_other_line_ends() -> None:
    patterns = read_patterns(b"\xef\xbb\xbfa.py\r\nb.py\r\n")
    assert patterns.excludes(b"a.py", False) and patterns.excludes(b"b.py", False)


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("*a" * 40 + "b", "a" * 400),
        ("**/a/" * 40 + "b", "a/" * 400 + "c"),
        ("*a*/" * 30 + "b", ("a" * 20 + "/") * 60 + "c"),
        ("[a-z]*" * 40 + "B", "a" * 400),
    ],
)
def test_no_pattern_takes_for_ever(pattern: str, path: str) -> None:
    """Each of these would outlast the universe if every way to share the path out were tried."""
    assert read_patterns(pattern.encode()).excludes(path.encode(), False) is None
