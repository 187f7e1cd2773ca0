"""What a line that is being written asks for."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from indexer.line_needs import events_of


def shown(line: str) -> list[str]:
    return [
        f"{'.'.join(event.parts)}{'.' if event.receiver else ''}{event.typed}"
        for event in events_of(line.encode())
    ]


def test_names_receivers_and_first_letters() -> None:
    assert shown("rows = self.pool.get(k") == snapshot(
        [
            "rows",
            "self",
            "self.",
            "self.p",
            "self.po",
            "self.poo",
            "self.pool",
            "self.pool.",
            "self.pool.g",
            "self.pool.ge",
            "self.pool.get",
            "self.pool.get",
        ]
    )
    assert shown("Make().run") == snapshot(["Make", "Make.", "Make.r", "Make.ru", "Make.run"])
    assert shown("a->b::c x?.y") == snapshot(
        ["a", "a.", "a.b", "a.b", "a.b.", "a.b.c", "a.b.c", "x", "x.", "x.y"]
    )
    assert shown("") == [] and shown("nam") == [] and shown("3 + 4") == []


@given(
    st.lists(st.sampled_from(["a", "bc", ".", "()", "(", "::", "->", " ", "é", "?."])).map("".join)
)
def test_more_characters_only_add_events(line: str) -> None:
    whole = events_of(line.encode())
    for end in range(len(line)):
        part = events_of(line[:end].encode())
        assert whole[: len(part)] == part
