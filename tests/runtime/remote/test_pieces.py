"""Text as numbers that hold it, and prompts read back out of them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from runtime.prompt_format import PromptFormat
from runtime.remote.pieces import ROLES, PieceTokenizer, PromptParts, parts_of

TOKENIZER = PieceTokenizer()
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
NAME = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=10)
FIM = {"layout": "fim", "tokens": {role: role for role in ROLES}}
PREFIX = {"layout": "prefix", "tokens": {"repo_name": "repo_name", "file_sep": "file_sep"}}


@given(TEXT)
def test_no_byte_is_lost(text: str) -> None:
    ids = TOKENIZER.encode(text)
    assert TOKENIZER.decode(ids) == text
    assert b"".join(map(TOKENIZER.token_bytes, ids)) == text.encode()


@given(TEXT)
def test_a_token_is_whole_characters(text: str) -> None:
    """So a prompt that is cut between tokens is cut between characters."""
    for token in TOKENIZER.encode(text):
        assert 0 < len(TOKENIZER.token_bytes(token).decode()) <= 3
        assert 0 <= token < TOKENIZER.vocab_size < 2**31


@given(TEXT, TEXT)
def test_lines_do_not_depend_on_their_neighbours(above: str, below: str) -> None:
    whole = TOKENIZER.encode(f"{above}\n{below}")
    assert whole == TOKENIZER.encode(f"{above}\n") + TOKENIZER.encode(below)


def test_what_is_no_text_is_replaced() -> None:
    assert TOKENIZER.decode(TOKENIZER.encode("a\ud800b")) == "a\N{REPLACEMENT CHARACTER}b"


def test_control_tokens_stand_for_no_text() -> None:
    ids = [TOKENIZER.token_id(role) for role in ROLES]
    assert None not in ids and len(set(ids)) == len(ROLES)
    assert TOKENIZER.decode(token for token in ids if token is not None) == ""
    assert TOKENIZER.token_id("<|im_end|>") is None


@given(NAME, st.lists(st.tuples(NAME, TEXT), max_size=3), NAME, TEXT, TEXT, TEXT)
def test_a_prompt_gives_its_parts_back(
    repo: str, files: list[tuple[str, str]], path: str, prefix: str, suffix: str, line: str
) -> None:
    encode = TOKENIZER.encode
    form = PromptFormat.from_manifest(FIM, TOKENIZER)
    prompt = form.render(
        encode(repo),
        [(encode(name), encode(text)) for name, text in files],
        encode(path),
        encode(prefix),
        encode(suffix),
        encode(line),
    )
    assert parts_of(prompt) == PromptParts(repo, tuple(files), path, prefix, suffix, line)


@given(st.lists(st.tuples(NAME, TEXT), max_size=3), NAME, TEXT, TEXT)
def test_without_a_suffix_the_last_file_is_the_one_at_hand(
    files: list[tuple[str, str]], path: str, prefix: str, line: str
) -> None:
    encode = TOKENIZER.encode
    form = PromptFormat.from_manifest(PREFIX, TOKENIZER)
    prompt = form.render(
        None,
        [(encode(name), encode(text)) for name, text in files],
        encode(path),
        encode(prefix),
        [],
        encode(line),
    )
    assert parts_of(prompt) == PromptParts("", tuple(files), path, prefix + line)


def test_bare_text_is_what_stands_before_the_cursor() -> None:
    assert parts_of(TOKENIZER.encode("import ")) == PromptParts(prefix="import ")
