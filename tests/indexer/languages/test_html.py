"""What is known about pages: elements with an id, classes used, files named."""

from __future__ import annotations

from inline_snapshot import snapshot

from tests.indexer.checks import check_imports, check_symbols
from tests.indexer.languages.resolved import check_resolved
from tests.indexer.languages.used import check_references, sample


def test_definitions() -> None:
    check_symbols(
        sample("shop.html"),
        snapshot("""\
element shelf | <main id="shelf" class="wide box"> | <!-- The shelf. -->
element shelf.first | <shop-item id=first data-x="1">
element shelf.count | <input id="count" class="small">\
"""),
    )


def test_imports() -> None:
    check_imports(
        sample("shop.html"),
        snapshot("""\
from 'css/shop.css' star
from './shop.js' star
from 'help.html#top'
from 'pictures/shop.png'\
"""),
    )


def test_references() -> None:
    check_references(
        "shop.html",
        snapshot("""\
12 wide:name box:name
13 shop-item:type
14 count:name
15 small:name\
"""),
    )


def test_what_imports_lead_to() -> None:
    check_resolved(
        """\
-- site/pages/shop.html --
<link rel="stylesheet" href="../css/a.css?v=2">
<link href="/css/b.css"/>
<script src="{% static 'js/c.js' %}"></script>
<script src="{{ url_for('static', filename='d.js') }}"></script>
<a href="help.html#top">x</a>
<img src="none.svg">
-- site/css/a.css --
-- site/css/b.css --
-- static/js/c.js --
-- static/d.js --
-- site/pages/help.html --
""",
        snapshot("""\
../css/a.css?v=2 -> site/css/a.css
/css/b.css -> site/css/b.css
{% static 'js/c.js' %} -> static/js/c.js
{{ url_for('static', filename='d.js') }} -> static/d.js
help.html#top -> site/pages/help.html
none.svg -> nothing\
"""),
    )
