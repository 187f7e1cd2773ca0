"""Places that were edited lately."""

from __future__ import annotations

from indexer import RecentSpan
from lsp_server.features.recent import RecentEdits


def test_the_latest_place_comes_first_and_near_edits_are_one_place() -> None:
    recent = RecentEdits()
    recent.note("a", 10, 10)
    recent.note("b", 1, 2)
    recent.note("a", 12, 14)
    recent.note("a", 40, 40)
    assert recent.spans == (
        RecentSpan("a", 40, 40),
        RecentSpan("a", 10, 14),
        RecentSpan("b", 1, 2),
    )
    recent.note("b", 2, 2)
    assert recent.spans[0] == RecentSpan("b", 1, 2)
    recent.forget("a")
    assert recent.spans == (RecentSpan("b", 1, 2),)


def test_old_places_are_forgotten() -> None:
    recent = RecentEdits()
    for number in range(20):
        recent.note("a", 100 * number, 100 * number)
    assert [span.first_line for span in recent.spans] == [100 * n for n in range(19, 11, -1)]
