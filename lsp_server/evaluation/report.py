"""One page with plots and examples, complete in itself: no script, nothing is fetched."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from html import escape

from lsp_server.evaluation.metrics import interval
from lsp_server.evaluation.run import Outcome
from lsp_server.evaluation.table import Row
from lsp_server.evaluation.variants import Variant

_EXAMPLES = 40
_BINS = 10
_STYLE = """\
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 62rem; padding: 0 1rem;
  color: #222; background: #fff }
table { border-collapse: collapse; font-size: 13px; margin: 1rem 0; width: 100% }
th, td { padding: .25rem .5rem; text-align: right; border-bottom: 1px solid #ddd }
th:first-child, td:first-child, th:nth-child(2), td:nth-child(2) { text-align: left }
pre { margin: .2rem 0; white-space: pre-wrap; font-size: 13px }
.example { border-left: 3px solid #ccc; padding-left: .8rem; margin: 1rem 0 }
.right { border-color: #2a7 } .wrong { border-color: #c54 }
.truth { color: #2a7 } .shown { color: #06c } .what { color: #666 }
svg text { font: 12px system-ui, sans-serif; fill: currentColor }
@media (prefers-color-scheme: dark) { body { color: #ddd; background: #1b1b1b }
  th, td { border-color: #444 } .what { color: #999 } .shown { color: #6bf } }
"""


def report(
    name: str,
    model: str,
    variants: Sequence[Variant],
    rows: Sequence[Row],
    outcomes: Sequence[Outcome],
) -> str:
    """The page, HTML. `name` is of the repository; `outcomes` are all of all variants."""
    ours = [outcome for outcome in outcomes if outcome.variant == "default"]
    listed = "".join(f"<li><b>{escape(one.name)}</b>: {escape(one.what)}</li>" for one in variants)
    parts = [
        f"<h1>Suggestions in {escape(name)}</h1>",
        f"<p>Model {escape(model)}, {len(ours)} holes.</p><ul>{listed}</ul>",
        "<h2>Exact, with 95 % intervals</h2>",
        _bars(rows),
        _table(rows),
        "<h2>Confidence and truth</h2>",
        "<p class=what>How often suggestions of some confidence were exact; on the line, the "
        "confidence is what it says. Numbers of suggestions above.</p>",
        _calibration([one for one in ours if one.shown]),
        "<h2>Milliseconds to the answer</h2>",
        _latency(ours),
        "<h2>Why nothing was shown</h2>",
        _reasons(ours),
        "<h2>Examples</h2>",
        *map(_example, _spread(ours)),
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f"<title>Suggestions in {escape(name)}</title><style>{_STYLE}</style></head><body>"
        + "\n".join(parts)
        + "</body></html>\n"
    )


def _bars(rows: Sequence[Row]) -> str:
    lines, height = [], 22
    for number, row in enumerate(rows):
        y = number * height
        label = f"{row.kind}, {row.variant}"
        low, high, at = (240 + 480 * value for value in (row.low, row.high, row.exact))
        lines.append(
            f'<text x="232" y="{y + 15}" text-anchor="end">{escape(label)}</text>'
            f'<rect x="240" y="{y + 4}" width="{at - 240:.1f}" height="14" fill="#4a90c2"/>'
            f'<path d="M{low:.1f} {y + 11}H{high:.1f}" stroke="#888" stroke-width="2"/>'
            f'<text x="{high + 8:.1f}" y="{y + 15}">{row.exact:.1%}</text>'
        )
    return _svg(800, len(rows) * height + 4, lines)


def _table(rows: Sequence[Row]) -> str:
    if not rows:
        return ""
    names = list(asdict(rows[0]))
    head = "".join(f"<th>{name.replace('_', ' ')}" for name in names)
    cells = ["".join(f"<td>{escape(str(value))}" for value in asdict(row).values()) for row in rows]
    body = "".join(f"<tr>{row}" for row in cells)
    return f"<table><tr>{head}</tr>{body}</table>"


def _calibration(shown: Sequence[Outcome]) -> str:
    bins: list[list[bool]] = [[] for _ in range(_BINS)]
    for one in shown:
        bins[min(_BINS - 1, int(one.confidence * _BINS))].append(one.exact)
    lines = ['<path d="M40 240L440 20" stroke="#aaa" stroke-dasharray="4"/>', _axes()]
    for number, found in enumerate(bins):
        if not found:
            continue
        x = 40 + 400 * (number + 0.5) / _BINS
        low, high = interval(sum(found), len(found))
        y = 240 - 220 * sum(found) / len(found)
        lines.append(
            f'<path d="M{x:.0f} {240 - 220 * low:.0f}V{240 - 220 * high:.0f}" stroke="#888"/>'
            f'<circle cx="{x:.0f}" cy="{y:.0f}" r="4" fill="#4a90c2"/>'
            f'<text x="{x:.0f}" y="14" text-anchor="middle">{len(found)}</text>'
        )
    return _svg(470, 270, lines)


def _axes() -> str:
    marks = "".join(
        f'<text x="{40 + 400 * share}" y="258" text-anchor="middle">{share:g}</text>'
        f'<text x="34" y="{244 - 220 * share}" text-anchor="end">{share:g}</text>'
        for share in (0, 0.5, 1)
    )
    return f'<path d="M40 20V240H440" fill="none" stroke="#888"/>{marks}'


def _latency(ours: Sequence[Outcome]) -> str:
    times = sorted(one.milliseconds for one in ours)
    longest = max(times, default=1.0)
    points = " ".join(
        f"{40 + 400 * value / longest:.1f},{240 - 220 * (number + 1) / len(times):.1f}"
        for number, value in enumerate(times)
    )
    return _svg(
        470,
        270,
        [
            '<path d="M40 20V240H440" fill="none" stroke="#888"/>',
            f'<polyline points="{points}" fill="none" stroke="#4a90c2" stroke-width="2"/>',
            f'<text x="440" y="258" text-anchor="end">{longest:.0f} ms</text>',
            '<text x="34" y="24" text-anchor="end">all</text>',
        ],
    )


def _reasons(ours: Sequence[Outcome]) -> str:
    counts = Counter(one.reason for one in ours if not one.shown)
    body = "".join(
        f"<tr><td>{escape(reason)}</td><td>{count}</td></tr>"
        for reason, count in counts.most_common(20)
    )
    return f"<table>{body}</table>" if body else "<p>Something was shown everywhere.</p>"


def _spread(ours: Sequence[Outcome]) -> list[Outcome]:
    shown = [one for one in ours if one.shown]
    return shown[:: max(1, len(shown) // _EXAMPLES)][:_EXAMPLES]


def _example(one: Outcome) -> str:
    hole = one.hole
    line = hole.text.count(b"\n", 0, hole.start) + 1
    above = hole.text[: hole.start].decode("utf-8", "replace").split("\n")[-3:]
    return (
        f'<div class="example {"right" if one.exact else "wrong"}">'
        f"<div class=what>{escape(hole.path)}:{line}, {escape(hole.kind)}, confidence "
        f"{one.confidence:.2f}, {one.milliseconds:.0f} ms</div>"
        f"<pre>{escape(chr(10).join(above))}<span class=shown>{escape(one.text)}</span></pre>"
        f"<pre class=truth>{escape(hole.target)}</pre></div>"
    )


def _svg(width: int, height: int, lines: Sequence[str]) -> str:
    return f'<svg viewBox="0 0 {width} {height}" width="{width}" role="img">{"".join(lines)}</svg>'
