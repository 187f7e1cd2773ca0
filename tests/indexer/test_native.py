"""The native extraction gives what the plain one gives, bit by bit, and never falls over."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import indexer
from indexer import extract, language_of
from indexer.language import Language, languages
from indexer.native import Grammar, NativeError, TooSlow, language_pointer, library_path
from tests.indexer.plain.extract import plain_extract
from tests.indexer.samples import SAMPLES

FRAGMENTS = re.compile(rb"\s+|\w+|[^\w\s]")
PIECES = sorted({piece for text in SAMPLES.values() for piece in FRAGMENTS.findall(text.encode())})
SECRETS = (
    b"ghp_Q7w8E9r0T1y2U3i4O5p6A7s8D9f0G1h2J3k4",
    b'password = "x8Kq2mZp7Rt4Lw9Vb3Nc6"',
    b"https://user:x8Kq2mZp7Rt@host/",
    b"-----BEGIN RSA PRIVATE KEY-----\n    \nMIIEpAIBAAKCAQEA\n-----END RSA PRIVATE KEY-----",
    b"-----BEGIN RSA PRIVATE KEY-----",
)
shuffled = st.lists(
    st.one_of(
        st.sampled_from(PIECES),
        st.sampled_from(
            (b"\n", b"\r", b"\r\n", b"\0", "é_Größe".encode(), "🦀".encode(), *SECRETS)
        ),
        st.binary(max_size=3),
    ),
    max_size=150,
).map(b"".join)
names = st.sampled_from(sorted(SAMPLES))


def known(name: str) -> Language:
    language = language_of(name)
    assert language is not None
    return language


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_samples(name: str) -> None:
    text = SAMPLES[name].encode()
    for one in (text, text.replace(b"\n", b"\r\n"), text.replace(b"\n", b"\r"), text * 5):
        assert extract(name, known(name), one) == plain_extract(name, known(name), one)


def test_the_sources_of_this_project_and_of_python() -> None:
    here = Path(indexer.__file__).parent
    library = Path(next(path for path in sys.path if Path(path, "argparse.py").is_file()))
    paths = [*sorted(here.rglob("*.*")), *sorted(library.glob("[a-c]*.py"))]
    read = 0
    for path in paths:
        if language_of(str(path)) is None or "build" in path.parts:
            continue
        text = path.read_bytes()
        assert extract("f", known(str(path)), text) == plain_extract("f", known(str(path)), text)
        read += 1
    assert read > 50


@settings(max_examples=200, deadline=None)
@given(names, st.one_of(st.binary(max_size=300), shuffled))
def test_any_bytes(name: str, text: bytes) -> None:
    found = extract(name, known(name), text)
    try:
        plain = plain_extract(name, known(name), text)
    except UnicodeDecodeError:
        return  # Predicates of the Python package read UTF-8 alone; ours have read it.
    assert found == plain


@settings(max_examples=200, deadline=None)
@given(names, st.data())
def test_samples_with_a_piece_cut_out_or_put_in(name: str, data: st.DataObject) -> None:
    text = SAMPLES[name].encode()
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 60)))
    piece = data.draw(st.one_of(st.just(b""), st.sampled_from(PIECES), st.sampled_from(SECRETS)))
    text = text[:start] + piece + text[end:]
    assert extract(name, known(name), text) == plain_extract(name, known(name), text)


def long_texts() -> dict[str, bytes]:
    return {
        "one line": b"x = [" + b"1, " * 3_400_000 + b"]\n",
        "brackets": b"(" * 100_000 + b"\n",
        "closing": b")" * 100_000,
        "mixed": b"([{" * 30_000 + b"}])" * 30_000,
        "quotes": b"'" * 100_000 + b'"' * 100_001,
        "dots": b"a" + b".a" * 50_000,
        "calls": b"f(" * 20_000 + b")" * 20_000,
        "nothing": b"",
        "zeros": bytes(100_000),
        "blanks": b" " * 100_000 + b"\n" * 100_000,
        "surrogates": b"\xed\xa0\x80" * 1_000 + b"\xff\xfe" * 1_000,
    }


@pytest.mark.parametrize("shape", sorted(long_texts()))
@pytest.mark.parametrize("name", ["a.py", "a.ts", "a.rs", "a.c", "a.go", "a.java"])
def test_texts_of_extreme_shape_end_in_time(name: str, shape: str) -> None:
    text = long_texts()[shape]
    try:
        facts = extract(name, known(name), text, seconds=0.5)
    except TooSlow:
        return
    assert facts.size == len(text)
    assert all(symbol.end <= len(text) for symbol in facts.symbols)


def test_the_time_cap_ends_the_work_and_the_next_text_is_read_as_ever() -> None:
    text = SAMPLES["people.py"].encode()
    wanted = extract("a.py", known("a.py"), text)
    with pytest.raises(TooSlow):
        extract("a.py", known("a.py"), text * 2_000, seconds=1e-3)
    assert extract("a.py", known("a.py"), text, seconds=60.0) == wanted


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("(identifier) @referense.name", "needs one capture"),
        ("(identifier) @reference.nam", "no known reference"),
        ("(identifier) @definition.klass", "no known definition"),
        ("\n(identifierr) @reference.name", "line 2: the grammar has no such node"),
        ("(identifier @reference.name", "syntax error"),
        ('((identifier) @reference.name (#lua-match? @reference.name "x"))', "lua-match"),
    ],
)
def test_mistakes_in_queries_are_named(query: str, reason: str) -> None:
    import tree_sitter_python

    pointer = language_pointer(tree_sitter_python.language())
    settings = b"kinds function method variable constant field module\nroles name import\n"
    with pytest.raises(ValueError, match=reason):
        Grammar(pointer, query.encode(), settings)


def test_a_missing_library_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "is_file", lambda path: False)
    with pytest.raises(NativeError, match="cmake -S indexer/native"):
        library_path()


def test_patterns_of_all_languages_can_be_asked_for_a_part_of_a_tree() -> None:
    """Else each keystroke would read the whole text again; see Query::is_local."""
    whole = [name for name, language in languages().items() if not language.native.is_local]
    assert whole == []
