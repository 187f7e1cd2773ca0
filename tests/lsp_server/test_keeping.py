"""What is shown follows what a user keeps, and nothing of a text is kept for that."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsp_server.cache import read_keeping, write_keeping
from lsp_server.features.keeping import Keeping
from lsp_server.settings import CompletionSettings, Settings
from tests.lsp_server.scripted import LINE, URI, Scripted

chances = st.floats(0, 1)


def test_before_anything_is_learned_the_estimate_counts() -> None:
    for confidence in (0.0, 0.01, 0.5, 1.0):
        assert Keeping().probability(confidence) == confidence


def test_who_keeps_little_is_shown_less_and_keeps_as_much() -> None:
    """A user who keeps a suggestion half as often as the model believes."""
    rng, keeping = random.Random(0), Keeping()
    confidences = [rng.random() ** 2 for _ in range(2000)]
    for confidence in confidences:
        keeping.learn(confidence, rng.random() < confidence / 2)
    shown = [one for one in confidences if keeping.probability(one) >= 0.1]
    before = [one for one in confidences if one >= 0.1]
    assert len(shown) < 0.95 * len(before)
    assert sum(shown) > 0.9 * sum(before), "what is left out was hardly ever kept"
    surprise = sum((keeping.probability(one) - one / 2) ** 2 for one in confidences)
    assert surprise < 0.5 * sum((one / 2) ** 2 for one in confidences)


def test_who_keeps_more_than_believed_is_shown_more() -> None:
    keeping = Keeping()
    for _ in range(300):
        keeping.learn(0.05, True)
    assert keeping.probability(0.05) > 0.5


@given(st.lists(st.tuples(chances, st.booleans()), max_size=300), chances, chances)
def test_whatever_happens_it_stays_a_probability_that_grows(
    events: list[tuple[float, bool]], one: float, other: float
) -> None:
    keeping = Keeping()
    for event in events:
        keeping.learn(*event)
    low, high = sorted((one, other))
    assert 0 <= keeping.probability(low) <= keeping.probability(high) <= 1
    again = Keeping.from_json(keeping.to_json())
    assert again == keeping
    assert set(json.loads(keeping.to_json())) == {"slope", "bias", "seen", "kept"}


@given(st.one_of(st.text(), st.binary(), st.from_regex(r'\{"slope": [-0-9a-z."]+, "bias": 1')))
def test_a_broken_file_is_as_none(content: str | bytes) -> None:
    assert Keeping.from_json(content).seen == 0


def test_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    keeping = Keeping()
    keeping.learn(0.5, True)
    write_keeping(Settings(completion=CompletionSettings(learn=False)), keeping)
    assert not list(tmp_path.rglob("*"))
    write_keeping(Settings(), keeping)
    assert read_keeping(Settings()) == keeping
    (file,) = (path for path in tmp_path.rglob("*") if path.is_file())
    assert file.stat().st_mode & 0o077 == 0
    file.write_bytes(b"x" * 5000)
    assert read_keeping(Settings()) == Keeping()


async def test_a_session_learns(
    scripted: Scripted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    client = await scripted.start()
    session = scripted.process.server.connection.session
    client.open(URI, f"{LINE}\n")
    (item,) = await client.inline(URI, 0, len(LINE))
    client.type(URI, 0, len(LINE), item["insertText"])
    await client.inline(URI, 0, len(LINE) + len(item["insertText"]))
    assert (session.keeping.seen, session.keeping.kept) == (1, 1)
    client.change(URI, {"text": f"{LINE}\n"})
    await client.inline(URI, 0, len(LINE))
    client.type(URI, 0, len(LINE), "z")
    await client.inline(URI, 0, len(LINE) + 1)
    assert (session.keeping.seen, session.keeping.kept) == (2, 1)
