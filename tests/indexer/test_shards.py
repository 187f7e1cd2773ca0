"""Dictionaries in parts, against plain ones."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.shards import Groups, Shards

key = st.sampled_from([f"k{number}" for number in range(12)])
value = st.sampled_from(["a", "b", "c"])


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(key, st.integers() | st.none())))
def test_shards_are_a_dictionary(changes: list[tuple[str, int | None]]) -> None:
    held: Shards[int] = Shards()
    plain: dict[str, int] = {}
    for name, number in changes:
        if number is not None:
            held[name] = plain[name] = number
        elif name in plain:
            assert held.pop(name) == plain.pop(name)
    assert {name: held.get(name) for name in held} == plain
    assert len(held) == len(plain) and ("k0" in held) == ("k0" in plain)
    assert held.get("none") is None


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.booleans(), key, value)))
def test_groups_are_a_dictionary_of_ordered_sets(changes: list[tuple[bool, str, str]]) -> None:
    held = Groups()
    plain: dict[str, dict[str, None]] = {}
    for is_added, name, one in changes:
        if is_added:
            held.add(name, one)
            plain.setdefault(name, {})[one] = None
        else:
            held.discard(name, one)
            plain.get(name, {}).pop(one, None)
    for number in range(12):
        name = f"k{number}"
        assert list(held.of(name)) == list(plain.get(name, ()))
        assert (name in held) == bool(plain.get(name))
