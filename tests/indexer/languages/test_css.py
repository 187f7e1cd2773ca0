"""What is known about style sheets: classes, ids, custom properties and what refers to them."""

from __future__ import annotations

from inline_snapshot import snapshot

from tests.indexer.checks import check_imports, check_symbols
from tests.indexer.languages.resolved import check_resolved
from tests.indexer.languages.used import check_references, sample


def test_definitions() -> None:
    check_symbols(
        sample("shop.css"),
        snapshot("""\
variable --shop-color | --shop-color: #3050ff;
variable --gap | --gap: 2px;
style button | .button, #shelf > .wide:hover | /* Buttons. */
style shelf | .button, #shelf > .wide:hover | /* Buttons. */
style wide | .button, #shelf > .wide:hover | /* Buttons. */
style spin | @keyframes spin
style inner | .inner .button
style card | .card
style open | &.open
style title | .title\
"""),
    )


def test_imports() -> None:
    check_imports(
        sample("shop.css"),
        snapshot("""\
from 'base.css' star
from 'theme.css' star\
"""),
    )


def test_references() -> None:
    check_references(
        "shop.css",
        snapshot("""\
12 --shop-color:name
13 spin:name
22 button:name --gap:name\
"""),
    )


def test_what_imports_lead_to() -> None:
    check_resolved(
        """\
-- css/main.css --
@import "base.css";
@import url(deep/theme.css);
@import url("https://example.com/x.css");
-- css/base.css --
-- css/deep/theme.css --
""",
        snapshot("""\
base.css -> css/base.css
deep/theme.css -> css/deep/theme.css
https://example.com/x.css -> nothing\
"""),
    )
