"""From outcomes to the rows of a table, one for each kind of hole and variant."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from lsp_server.evaluation.metrics import interval, percentile, sign_test
from lsp_server.evaluation.run import Outcome


@dataclass(frozen=True, slots=True)
class Row:
    """Rates are shares of all holes but those that say `of_shown`; `low` and `high` bound `exact`.

    `gained` and `lost` count holes that only this variant, or only the default, got right;
    `chance` is how likely that is if they are equally good.
    """

    kind: str
    variant: str
    n: int
    shown: float
    exact: float
    low: float
    high: float
    first_line: float
    exact_of_shown: float
    similarity_of_shown: float
    identifiers_of_shown: float
    new_errors_of_shown: float
    unknown_of_shown: float
    gained: int
    lost: int
    chance: float
    p50_ms: float
    p95_ms: float


def rows(outcomes: Iterable[Outcome]) -> list[Row]:
    """In the order in which kinds and variants first came."""
    cells: dict[tuple[str, str], list[Outcome]] = {}
    for outcome in outcomes:
        for kind in _kinds_of(outcome):
            cells.setdefault((kind, outcome.variant), []).append(outcome)
    kinds = list(dict.fromkeys(kind for kind, _ in cells))
    ordered = sorted(cells, key=lambda cell: kinds.index(cell[0]))
    return [_row(*cell, cells[cell], cells[cell[0], "default"]) for cell in ordered]


def _kinds_of(outcome: Outcome) -> list[str]:
    kind = outcome.hole.kind
    return [kind, "crossfile, fresh name"] if outcome.hole.fresh else [kind]


def _row(kind: str, variant: str, found: Sequence[Outcome], base: Sequence[Outcome]) -> Row:
    n, shown = len(found), [one for one in found if one.shown]
    exact = sum(one.exact for one in found)
    low, high = interval(exact, n)
    pairs = list(zip(found, base, strict=True))
    gained = sum(one.exact and not other.exact for one, other in pairs)
    lost = sum(other.exact and not one.exact for one, other in pairs)

    def mean(values: Iterable[float]) -> float:
        listed = list(values)
        return round(sum(listed) / len(listed), 4) if listed else 0.0

    times = [one.milliseconds for one in found]
    return Row(
        kind,
        variant,
        n,
        mean(one.shown for one in found),
        mean(one.exact for one in found),
        round(low, 4),
        round(high, 4),
        mean(one.first for one in found),
        mean(one.exact for one in shown),
        mean(one.similarity for one in shown),
        mean(one.identifiers for one in shown),
        mean(one.new_errors > 0 for one in shown),
        mean(one.unknown > 0 for one in shown),
        gained,
        lost,
        round(sign_test(gained, lost), 4),
        round(percentile(times, 0.5), 1),
        round(percentile(times, 0.95), 1),
    )


def write_csv(found: Sequence[Row], file: Path) -> None:
    """Without times, which differ from run to run: a change of quality shows as a diff."""
    fields = [name for name in asdict(found[0]) if not name.endswith("_ms")] if found else []
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, fields, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(map(asdict, found))


def as_text(found: Sequence[Row]) -> str:
    """For a terminal."""
    names = ("shown", "exact", "95 %", "first", "of shown", "alike", "names", "errors", "unknown")
    widths = (7, 7, 12, 7, 9, 7, 7, 7, 8)
    titles = "".join(f"{name:>{width}}" for name, width in zip(names, widths, strict=True))
    head = f"{'hole':22}{'variant':15}{'n':>5}{titles}{'+':>4}{'-':>4}{'p50':>6}{'p95':>6}"
    lines = [
        f"{row.kind:22}{row.variant:15}{row.n:5}{row.shown:7.0%}{row.exact:7.1%}"
        f"{f'{row.low:.0%}-{row.high:.0%}':>12}{row.first_line:7.1%}{row.exact_of_shown:9.1%}"
        f"{row.similarity_of_shown:7.2f}{row.identifiers_of_shown:7.2f}"
        f"{row.new_errors_of_shown:7.1%}{row.unknown_of_shown:8.1%}{row.gained:4}{row.lost:4}"
        f"{row.p50_ms:6.0f}{row.p95_ms:6.0f}"
        for row in found
    ]
    return "\n".join([head, *lines, ""])
