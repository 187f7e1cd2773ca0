"""The tokenizer keeps text and control tokens apart and loses no byte."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.errors import BundleError
from runtime.tokenizer import IncrementalDecoder, Tokenizer, byte_alphabet
from tests.support.tiny_tokenizer import SPECIAL, UNMARKED, tokenizer_definition

TOKENIZER = Tokenizer(tokenizer_definition(merges=("d e", "de f", "Ã ©")))
# Its merges join the last byte of one character to the first of the next.
LETTERS = byte_alphabet()
CUTTING = Tokenizer(
    tokenizer_definition(
        merges=tuple(
            f"{LETTERS[one.encode()[-1]]} {LETTERS[other.encode()[0]]}"
            for one, other in ("é文", "文字", "字é", "aé", "🎉☃", "☃🎉")
        )
    )
)
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
SPELLINGS = st.sampled_from([*SPECIAL, *UNMARKED])


def test_merges_are_applied() -> None:
    assert [TOKENIZER.token_bytes(token) for token in TOKENIZER.encode("def é")] == [
        b"def",
        b" ",
        "é".encode(),
    ]


@given(TEXT)
def test_decoding_gives_the_text_back(text: str) -> None:
    assert TOKENIZER.decode(TOKENIZER.encode(text)) == text


@given(TEXT, SPELLINGS, TEXT)
def test_text_never_becomes_a_control_token(before: str, spelling: str, after: str) -> None:
    tokens = TOKENIZER.encode(before + spelling + after)
    control = {TOKENIZER.token_id(name) for name in (*SPECIAL, *UNMARKED)}
    assert not control & set(tokens)
    assert TOKENIZER.decode(tokens) == before + spelling + after


def test_the_library_alone_would_let_text_become_a_control_token() -> None:
    """Shows what the test above protects from, also for a token that is not marked special."""
    import tokenizers

    plain = tokenizers.Tokenizer.from_str(json.dumps(tokenizer_definition()))
    plain.encode_special_tokens = True
    assert plain.encode("<tool_call>").ids == [TOKENIZER.token_id("<tool_call>") - 3]


def test_control_tokens_are_asked_for_by_name() -> None:
    assert TOKENIZER.token_id("<|file_sep|>") == 256 + 3 + 4
    assert TOKENIZER.token_id("<|unheard_of|>") is None
    assert TOKENIZER.token_id("def") is None, "an ordinary token is no control token"


def test_special_tokens_stand_for_no_text_but_unmarked_ones_do() -> None:
    separator, call = TOKENIZER.token_id("<|file_sep|>"), TOKENIZER.token_id("<tool_call>")
    assert separator is not None and call is not None
    assert TOKENIZER.decode([separator, *TOKENIZER.encode("x"), call]) == "x<tool_call>"


def test_ids_of_padded_rows_stand_for_nothing() -> None:
    assert TOKENIZER.vocab_size == 256 + 3 + 6
    assert TOKENIZER.token_bytes(TOKENIZER.vocab_size + 7) == b""
    with pytest.raises(ValueError, match="must not be negative"):
        TOKENIZER.token_bytes(-1)


@given(st.lists(st.integers(0, TOKENIZER.vocab_size - 1)))
def test_incremental_decoding_equals_decoding_at_once(tokens: list[int]) -> None:
    decoder = IncrementalDecoder(TOKENIZER)
    pieces = [decoder.push(token) for token in tokens]
    assert "".join(pieces) + decoder.flush() == TOKENIZER.decode(tokens)


@given(st.text(st.sampled_from("aé☃文字🎉👨‍👧 \n"), max_size=30), st.data())
def test_no_half_character_comes_out(text: str, data: st.DataObject) -> None:
    """Whatever merges cut characters into, what has come out is the text as far as it goes."""
    decoder, out = IncrementalDecoder(CUTTING), ""
    ids = CUTTING.encode(text)
    end = data.draw(st.integers(0, len(ids)))
    for token in ids[:end]:
        out += decoder.push(token)
        assert text.startswith(out)
    whole = CUTTING.decode(ids[:end])
    assert out == whole.rstrip("\N{REPLACEMENT CHARACTER}"), "all whole characters, at once"
    assert out + decoder.flush() == whole


@given(st.binary(max_size=40))
def test_bytes_of_any_kind_decode_as_python_does(content: bytes) -> None:
    """A model may write bytes that are no UTF-8; the decoder then does what Python's does."""
    decoder = IncrementalDecoder(TOKENIZER)
    of_byte = {TOKENIZER.token_bytes(token): token for token in range(256)}
    pieces = [decoder.push(of_byte[bytes([byte])]) for byte in content]
    assert "".join(pieces) + decoder.flush() == content.decode("utf-8", "replace")


def test_tokens_may_hold_the_end_of_one_character_and_the_beginning_of_another() -> None:
    """What makes the property above worth having."""
    joined = [CUTTING.token_bytes(token) for token in CUTTING.encode("é文字☃🎉")]
    assert "é".encode()[-1:] + "文".encode()[:1] in joined
    assert "☃".encode()[-1:] + "🎉".encode()[:1] in joined


def test_incremental_decoding_waits_for_whole_characters() -> None:
    decoder = IncrementalDecoder(TOKENIZER)
    snowman = TOKENIZER.encode("☃")
    assert [decoder.push(token) for token in snowman] == ["", "", "☃"]
    assert decoder.push(snowman[0]) == ""
    assert decoder.flush() == "\N{REPLACEMENT CHARACTER}"
    assert decoder.push(TOKENIZER.encode("a")[0]) == "a", "flush starts afresh"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is not JSON"),
        ("[]", "must hold a JSON object"),
        ("{}", "is not a tokenizer"),
        (json.dumps({**tokenizer_definition(), "added_tokens": 3}), "is not a tokenizer"),
        (json.dumps({**tokenizer_definition(), "model": {"type": "Dream"}}), "is not a tokenizer"),
    ],
)
def test_a_malformed_file_is_named(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_text(content)
    with pytest.raises(BundleError, match=message) as raised:
        Tokenizer.from_file(path)
    assert str(path) in str(raised.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"cannot read .*tokenizer\.json: No such file"):
        Tokenizer.from_file(tmp_path / "tokenizer.json")


def test_a_tokenizer_of_another_kind_is_refused() -> None:
    definition = tokenizer_definition()
    definition["model"]["vocab"]["▁the"] = 299
    with pytest.raises(BundleError, match="only byte-level BPE"):
        Tokenizer(definition)
