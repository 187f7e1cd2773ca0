"""The intervals and tables of the report on quantization."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from benchmarks.quantization_report import (
    REFERENCE,
    Tally,
    bootstrap,
    paired_difference,
    wilson,
    write_report,
)


def test_an_interval_of_a_share() -> None:
    # The example of Newcombe (1998): 81 of 263.
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert wilson(0, 20)[0] == pytest.approx(0, abs=1e-12)
    assert wilson(20, 20)[1] == pytest.approx(1, abs=1e-12)


def test_an_interval_of_a_difference_covers_what_it_says() -> None:
    """Pairs of which 4 % are gained and 2 % lost, drawn again and again."""
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(2000):
        gained, lost, _ = rng.multinomial(500, [0.04, 0.02, 0.94])
        low, high = paired_difference(int(gained), int(lost), 500)
        hits += low <= 0.02 <= high
    assert 0.93 < hits / 2000 < 0.97


def test_nothing_gained_or_lost_is_still_uncertain() -> None:
    low, high = paired_difference(0, 0, 1000)
    assert -low == pytest.approx(high)
    assert 0.002 < high < 0.004
    assert paired_difference(3, 3, 3)[1] <= 1


def test_an_interval_of_a_sum_of_parts() -> None:
    low, high = bootstrap(np.random.default_rng(0).normal(0.01, 0.1, 400))
    assert low < 4 < high
    assert high - low == pytest.approx(2 * 1.96 * 0.1 * 20, rel=0.15)


def test_the_report_keeps_the_notes_below_its_tables(tmp_path: Path) -> None:
    exact = {"mid H": [True, False, True], "mid alone": [False, False, True]}
    base = Tally(REFERENCE, 1_000_000, [10.0, 20.0], [0.0, 0.0], [3, 4], [4, 4], exact)
    changed = {"mid H": [True, True, False], "mid alone": [False, False, True]}
    other = Tally("int4", 250_000, [11.0, 21.0], [0.5, 0.3], [3, 3], [4, 4], changed)
    document = tmp_path / "r.md"
    write_report(tmp_path / "r", [base, other], 100, 512)
    document.write_text(document.read_text() + "\n## Notes\n\nKept.\n\n## More\n")
    tables = write_report(tmp_path / "r", [base, other], 100, 512)
    text = document.read_text()
    assert text.count("## Notes\n\nKept.\n\n## More\n") == 1
    assert text.startswith(tables)
    assert "| int4 | 0.25 | 0.4617 | +0.0289 (" in text
    assert "| 0.10000 | 75.00 |" in text
    assert "at most 512 tokens" in text
    assert "| H (n = 3) | H, against fp32 | mid H (n = 3) |" in text
    assert "+0.0 (" in text and "), +1 -1 |" in text
    rows = list(csv.DictReader((tmp_path / "r.csv").open()))
    assert [row["scheme"] for row in rows] == [REFERENCE, "int4"]
    assert write_report(tmp_path / "r", [base, other], 100, 512) == tables
    assert document.read_text() == text
