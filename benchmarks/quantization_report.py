"""The tables of `benchmarks.quantization`: what each scheme costs, with 95 % intervals.

A share has Wilson's interval; a difference of shares of the same holes has the adjusted interval of
Bonett and Price (2012), which stays honest where few holes changed; a difference of bits per byte
has one from a bootstrap over windows.
"""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

REFERENCE = "fp32"
Z = 1.96
DRAWS = 2000


@dataclass
class Tally:
    """What was measured of one scheme; the lists have an entry per window or per hole."""

    name: str
    bytes: int
    nats: list[float] = field(default_factory=list)
    divergence: list[float] = field(default_factory=list)
    agreement: list[int] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)
    exact: dict[str, list[bool]] = field(default_factory=dict)


def write_report(out: Path, tallies: list[Tally], size: int, prompt: int) -> str:
    """Write `out`.csv and the tables of `out`.md; what stands below those in the file is kept.

    `size` is the UTF-8 bytes of the text that was scored, `prompt` the most tokens of a hole's
    prompt. Returns the tables.
    """
    base = next(tally for tally in tallies if tally.name == REFERENCE)
    text_rows = [_text_row(tally, base, size) for tally in tallies]
    hole_rows = [_hole_row(tally, base) for tally in tallies]
    holes = {name: len(found) for name, found in base.exact.items()}
    counts = ", ".join(f"{count} {name.split()[0]}" for name, count in holes.items() if "H" in name)
    lines = [
        "# What fewer bits cost the default model",
        "",
        f"Made by `python -m benchmarks.quantization` on held-out repositories: {sum(base.tokens)} "
        f"tokens ({size} bytes) at the beginnings of files, and holes of two kinds ({counts}) "
        f"behind prompts of at most {prompt} tokens, greedy, alone and with the repository memory "
        "(H).",
        "Intervals are 95 %; differences are paired with fp32; +N -M counts the holes gained and "
        "lost against it.",
        "",
        *_table(text_rows),
        "",
        "Exact match of the line, in percent:",
        "",
        *_table(hole_rows),
        "",
    ]
    document = out.with_suffix(".md")
    notes = ""
    if document.exists():
        _, found, rest = document.read_text(encoding="utf-8").partition("\n## ")
        notes = found.lstrip("\n") + rest
    tables = "\n".join(lines)
    document.write_text(f"{tables}\n{notes}" if notes else tables, encoding="utf-8")
    with out.with_suffix(".csv").open("w", encoding="utf-8", newline="") as file:
        rows = [{**first, **second} for first, second in zip(text_rows, hole_rows, strict=True)]
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return tables


def _text_row(tally: Tally, base: Tally, size: int) -> dict[str, str]:
    scale, tokens = 1 / math.log(2) / size, sum(tally.tokens)
    change = np.array(tally.nats) - np.array(base.nats)
    low, high = bootstrap(change * scale)
    return {
        "scheme": tally.name,
        "weights, MB": f"{tally.bytes / 1e6:.2f}",
        "bits/byte": f"{sum(tally.nats) * scale:.4f}",
        "against fp32": f"{change.sum() * scale:+.4f} ({low:+.4f} to {high:+.4f})",
        "KL, nats/token": f"{sum(tally.divergence) / tokens:.5f}",
        "same next token, %": f"{100 * sum(tally.agreement) / tokens:.2f}",
    }


def _hole_row(tally: Tally, base: Tally) -> dict[str, str]:
    """Of both kinds of holes together, alone and with the memory; then of each kind."""
    row = {"scheme": tally.name}
    for setting in ("alone", "H"):
        names = [name for name in sorted(tally.exact) if name.endswith(f" {setting}")]
        new, old = ([hit for name in names for hit in each.exact[name]] for each in (tally, base))
        gained = sum(now and not then for now, then in zip(new, old, strict=True))
        lost = sum(then and not now for now, then in zip(new, old, strict=True))
        less, more = (100 * bound for bound in paired_difference(gained, lost, len(new)))
        difference = 100 * (gained - lost) / len(new)
        row[f"{setting} (n = {len(new)})"] = _share(new)
        row[f"{setting}, against fp32"] = (
            f"{difference:+.1f} ({less:+.1f} to {more:+.1f}), +{gained} -{lost}"
        )
        for name in names:
            row[f"{name} (n = {len(tally.exact[name])})"] = _share(tally.exact[name])
    return row


def _share(hits: list[bool]) -> str:
    low, high = (100 * bound for bound in wilson(sum(hits), len(hits)))
    return f"{100 * sum(hits) / len(hits):.1f} ({low:.1f} to {high:.1f})"


def _table(rows: list[dict[str, str]]) -> list[str]:
    names = list(rows[0])
    lines = ["| " + " | ".join(names) + " |", "|" + " --- |" * len(names)]
    return lines + ["| " + " | ".join(row.values()) + " |" for row in rows]


def bootstrap(parts: NDArray[np.float64]) -> tuple[float, float]:
    """A 95 % interval of the sum of the parts, which are drawn anew with repetition."""
    draws = np.random.default_rng(0).integers(0, len(parts), (DRAWS, len(parts)))
    low, high = np.percentile(parts[draws].sum(axis=1), [2.5, 97.5])
    return float(low), float(high)


def wilson(hits: int, count: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share."""
    share, room = hits / count, Z * Z / count
    middle = (share + room / 2) / (1 + room)
    half = Z * math.sqrt(share * (1 - share) / count + room / count / 4) / (1 + room)
    return middle - half, middle + half


def paired_difference(gained: int, lost: int, count: int) -> tuple[float, float]:
    """Bonett and Price's 95 % interval of a difference between two shares of the same things."""
    up, down = (gained + 1) / (count + 2), (lost + 1) / (count + 2)
    half = Z * math.sqrt((up + down - (up - down) ** 2) / (count + 2))
    return max(-1.0, up - down - half), min(1.0, up - down + half)
