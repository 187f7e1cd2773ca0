"""What is known about documents in Markdown: sections and links."""

from __future__ import annotations

from inline_snapshot import snapshot

from tests.indexer.checks import check_imports, check_symbols
from tests.indexer.languages.resolved import check_resolved
from tests.indexer.languages.used import sample


def test_definitions() -> None:
    check_symbols(
        sample("shop.md"),
        snapshot("""\
section The *shop* é | # The *shop* é
section The *shop* é.Prices | ## Prices
section The *shop* é.Prices.In winter | ### In winter
section The *shop* é.Opening hours | ## Opening hours
section The *shop* é.Opening hours.Closed | Closed ------\
"""),
    )


def test_imports() -> None:
    check_imports(
        sample("shop.md"),
        snapshot("""\
from 'docs/guide.md#start'
from 'tea.md'
from 'cold.png'
from 'winter.md'
from 'other.md'\
"""),
    )


def test_what_imports_lead_to() -> None:
    check_resolved(
        """\
-- docs/guide.md --
See [a](a.md#start), [b](../README.md), [c](/docs/deep/c.md "C"),
[d](<with space.md>) and ![e](e.svg), [code](../src/f.py).
Not `[g](a.md)`, [h](https://example.com/a.md), [i](#here).

- [j][j] and [k](%61.md)

[j]: deep/c.md
-- docs/a.md --
-- docs/with space.md --
-- README.md --
-- docs/deep/c.md --
-- src/f.py --
""",
        snapshot("""\
a.md#start -> docs/a.md
../README.md -> README.md
/docs/deep/c.md -> docs/deep/c.md
with space.md -> docs/with space.md
e.svg -> nothing
../src/f.py -> src/f.py
a.md -> docs/a.md
deep/c.md -> docs/deep/c.md\
"""),
    )
