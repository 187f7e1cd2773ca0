"""The cached, chunked encoding of a text equals the encoding of the whole."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from lsp_server.features.tokens import TokenCache, pieces
from runtime.tokenizer import Tokenizer
from tests.support.byte_tokenizer import ByteTokenizer

ROOT = Path(__file__).resolve().parents[2]

lines = st.text(alphabet="ab \t\r\n(:é😀\u2028", max_size=12)
texts = st.lists(lines, max_size=30).map("\n".join)


@given(texts, st.booleans())
def test_pieces_joined_are_the_text(text: str, cuts_indented: bool) -> None:
    assert "".join(pieces(text, cuts_indented)) == text


@given(texts)
def test_chunked_equals_whole(text: str) -> None:
    encode = ByteTokenizer().encode
    assert list(TokenCache(encode).encode(text)) == encode(text)


@given(texts, st.integers(0, 300), lines)
@settings(max_examples=50)
def test_after_an_edit_the_cache_gives_what_a_fresh_one_gives(
    text: str, place: int, inserted: str
) -> None:
    encode = ByteTokenizer().encode
    cache = TokenCache(encode, max_chunks=5)
    cache.encode(text)
    edited = text[:place] + inserted + text[place:]
    assert list(cache.encode(edited)) == encode(edited)


def test_an_edit_encodes_the_chunk_around_it_only() -> None:
    encoded: list[int] = []

    def encode(text: str) -> list[int]:
        encoded.append(len(text))
        return list(text.encode())

    source = "".join(f"name_{number} = {number}\n" for number in range(2000))
    cache = TokenCache(encode)
    cache.encode(source)
    encoded.clear()
    cache.encode(source.replace("name_1000 =", "name_1000_x ="))
    assert 0 < sum(encoded) < len(source) / 20


def test_the_default_model_s_tokens_are_the_same_in_chunks() -> None:
    """Over all sources here: in several languages, with indented lines as cuts if that is safe."""
    path = ROOT / "runtime/models/default/tokenizer.json"
    encode = Tokenizer.from_file(path).encode
    cache = TokenCache(encode)
    folders = ("lsp_server", "indexer", "runtime/ops", "editor-clients/neovim", "docs")
    files = [
        file
        for folder in folders
        for file in sorted((ROOT / folder).rglob("*"))
        if file.suffix in {".py", ".cc", ".h", ".lua", ".md"} and "build" not in file.parts
    ]
    assert len(files) > 30
    for file in files:
        text = file.read_text(encoding="utf-8")
        assert cache.encode(text).tolist() == encode(text), file
