"""Costs of a crawl, of this process and of its workers."""

from __future__ import annotations

from pathlib import Path

import pytest

from indexer import Crawler, IndexConfig, Rules
from indexer.costs import Costs, peak_bytes


def test_seconds_are_added_up_and_taken_once() -> None:
    costs = Costs()
    costs.add({"walk": 1.0}, 5)
    costs.add({"walk": 0.5, "read": 2.0}, 3)
    with costs.phase("extract"):
        sum(range(100_000))
    assert costs.seconds["walk"] == 1.5 and costs.seconds["extract"] > 0
    assert costs.peak_bytes == 5
    assert set(costs.taken()) == {"walk", "read", "extract"}
    assert costs.taken() == {}


@pytest.mark.parametrize("workers", [0, 1])
def test_a_crawl_tells_what_it_cost(tmp_path: Path, workers: int) -> None:
    for number in range(20):
        (tmp_path / f"{number}.py").write_text("def f(a):\n    return g(a)\n" * 50)
    crawler = Crawler(Rules((str(tmp_path),), IndexConfig(workers=workers)))
    for _ in crawler.crawl():
        pass
    seconds = crawler.costs.seconds
    assert set(seconds) == {"walk", "read", "extract"}
    assert all(value > 0 for value in seconds.values())
    assert (crawler.costs.peak_bytes > 1_000_000) == bool(workers and peak_bytes())
