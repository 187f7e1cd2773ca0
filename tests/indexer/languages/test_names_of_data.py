"""Names in pages, style sheets, data, documents and scripts: what they mean, where they stand."""

from __future__ import annotations

from inline_snapshot import snapshot

from tests.indexer.languages.checks import meanings
from tests.support.fixture import ROOT, index_of, parse


def check_references(source: str, expect: str) -> None:
    """Compares where the name at the fixture's cursor stands: file, offset, role."""
    fixture = parse(source)
    found = index_of(fixture).references_at(fixture.path, fixture.offset, True)
    rows = [
        f"{one.path.removeprefix(ROOT + '/')}:{one.start} {one.role}"
        + (" ?" if not one.certain else "")
        for one in found
    ]
    assert "\n".join(rows) == expect


def test_style_sheets() -> None:
    assert meanings(
        """\
-- a.css --
@import "b.css";
.button { color: var(§--main); animation: §spin 1s }
-- b.css --
:root { --main: red; }
@keyframes spin { from { top: 0 } }
"""
    ) == snapshot("""\
--main: b.css:1:--main
spin: b.css:2:spin\
""")


def test_pages() -> None:
    assert meanings(
        """\
-- a.html --
<link rel=stylesheet href=§b.css>
<div class="§box wide §none" id="x"></div><label for="§x"></label>
-- b.css --
.box { top: 0 } .wide {}
-- c.css --
.box { top: 1px }
"""
    ) == snapshot("""\
b: b.css:1:
box: b.css:1:box
none": nothing
x">: a.html:2:x\
""")


def test_data() -> None:
    assert meanings(
        "-- a.yaml --\nx: &base\n  a: 1\ny:\n  <<: *§base\n  none: *§other\n"
    ) == snapshot("""\
base: a.yaml:1:base
other: nothing\
""")


def test_sql() -> None:
    assert meanings(
        """\
-- a.sql --
SELECT §add(1) FROM §people p JOIN "§Orders" o ON o.§person = p.id;
-- b.sql --
CREATE TABLE people (id int);
CREATE TABLE "Orders" (id int, person int);
CREATE FUNCTION add(a integer) RETURNS integer AS $$ SELECT a; $$ LANGUAGE sql;
"""
    ) == snapshot("""\
add: b.sql:3:add
people: b.sql:1:people
Orders": b.sql:2:Orders
person: b.sql:2:person ?\
""")


def test_lua() -> None:
    assert meanings(
        """\
-- main.lua --
local Shop = require("shop")
local text = require "text"
local s = Shop.§new()
s:§sell()
text.§join(1)
local function f() §f() end
-- shop.lua --
local Shop = {}
function Shop.new() end
function Shop:sell() end
return Shop
-- text.lua --
return { join = function(x) return x end }
"""
    ) == snapshot("""\
new: shop.lua:2:new
sell: shop.lua:3:sell
join: text.lua:1:join
f: main.lua:6:f\
""")


def test_shell_scripts() -> None:
    assert meanings(
        """\
-- a.sh --
source ./§b.sh
§greet "$§NAME" "${§NAME}"
-- b.sh --
greet() { echo; }
export NAME=x
"""
    ) == snapshot("""\
b: b.sh:1:
greet: b.sh:1:greet
NAME": b.sh:2:NAME
NAME}": b.sh:2:NAME\
""")


def test_documents() -> None:
    assert meanings(
        """\
-- a.md --
See [x](§b.md) and [y](§src/c.py), not §words.
-- b.md --
# B
-- src/c.py --
def f(): ...
"""
    ) == snapshot("""\
b: b.md:1:
src/c: src/c.py:1:
words: nothing\
""")


def test_members_of_objects() -> None:
    assert meanings(
        """\
-- main.ts --
import { api } from "./api";
import shop from "./shop";
import * as all from "./api";
const old = require("./old");
api.§get(1);
all.api.§post();
shop.§sell();
old.§run();
old.§value;
-- api.ts --
export const api = { get(x: number) { return x; }, post: async () => 1 } as const;
-- shop.ts --
export default { sell() {} };
-- old.js --
module.exports = { run() {}, value: 3 };
"""
    ) == snapshot("""\
get: api.ts:1:get
post: api.ts:1:post
sell: shop.ts:1:sell
run: old.js:1:run
value: old.js:1:value\
""")


def test_where_a_class_of_a_style_sheet_is_used() -> None:
    check_references(
        """\
-- a.css --
.bo$0x { top: 0 }
.box:hover { top: 1px }
-- b.html --
<div class="wide box"></div>
-- c.tsx --
const a = <div className="box" />;
-- d.py --
box = 1
""",
        snapshot("""\
a.css:1 definition
a.css:17 read
b.html:17 read ?\
"""),
    )


def test_where_a_custom_property_is_used() -> None:
    check_references(
        """\
-- a.css --
:root { --ma$0in: red; }
-- b.css --
a { color: var(--main) } b { --main: blue }
""",
        snapshot("""\
a.css:8 definition
b.css:15 read ?
b.css:29 definition ?\
"""),
    )
