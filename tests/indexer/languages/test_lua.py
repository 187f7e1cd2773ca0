"""What is known about Lua: definitions, references, imports, meanings across files."""

from __future__ import annotations

from inline_snapshot import snapshot

from tests.indexer.checks import check_definitions_needed, check_imports, check_symbols
from tests.indexer.languages.resolved import check_resolved
from tests.indexer.languages.used import check_references, sample


def test_definitions() -> None:
    check_symbols(
        sample("shop.lua"),
        snapshot("""\
variable json | local json = require("json") | --- A shop and what it s
variable util | local util = require "app.util"
variable join | local join = require("app.text").joi
variable Shop | local Shop = {}
field Shop.__index | Shop.__index = Shop
field Shop.limit | Shop.limit = 10
variable MAX | local MAX <const> = 3
variable Count | Count, other = 0, nil
variable other | Count, other = 0, nil
variable store <Store> | local store = Store.new("é")
field Shop.settings | Shop.settings = { open = true, -- Gr
field settings.open | open = true
method settings.greet | greet = function(who) | -- Greets.
method Shop.new | function Shop.new(name) | --- Makes one. -- @param
field Shop.name | self.name = name
method Shop.sell | function Shop:sell(thing, count)
field Shop.sold | self.sold = self.sold + count
method Shop.late | Shop.late = function(self)
function helper | local function helper(x)
function arrow | local arrow = function() end
function show | function show(...)\
"""),
    )


def test_imports() -> None:
    check_imports(
        sample("shop.lua"),
        snapshot("""\
from 'json'
    default as json binds json
from 'app.util'
    default as util binds util
from 'app.text'
    join
from 'app.setup'
from ''
    Shop as default\
"""),
    )


def test_references() -> None:
    check_references(
        "shop.lua",
        snapshot("""\
8 Shop:name Shop:name
9 Shop:name
10 const:name
12 Store:name new:call
14 Shop:name
17 who:name who:name
22 Shop:name name:name
23 self:name setmetatable:call Shop:name
24 self:name name:name
25 hidden:name
26 self:name
29 Shop:name thing:name count:name
30 self:name self:name sold:attribute count:name
31 util:name round:call count:name json:name encode:call thing:name
34 Shop:name self:name self:name sell:call
35 x:name join:call x:name
37 print:call helper:call\
"""),
    )


def test_what_imports_lead_to() -> None:
    check_resolved(
        """\
-- app/main.lua --
local a = require("app.a")
local b = require "app.b"
local c = require("c").part
require("deep.d")
dofile("e.lua")
local none = require("none")
-- app/a.lua --
-- lib/app/b/init.lua --
-- lua/c.lua --
-- lua/deep/d.lua --
-- app/e.lua --
""",
        snapshot("""\
app.a -> app/a.lua
app.b -> lib/app/b/init.lua
c -> lua/c.lua
deep.d -> lua/deep/d.lua
e.lua -> app/e.lua
none -> nothing\
"""),
    )


def test_definitions_of_other_files() -> None:
    check_definitions_needed(
        """\
-- app/main.lua --
local Shop = require("app.shop")
local text = require "app.text"
local function run(s)
  local shop = Shop.new("x")
  text.join(1)
  shop:$0
end
-- app/shop.lua --
-- What sells.
local Shop = {}
Shop.limit = 10
-- Makes one.
function Shop.new(name)
  local self = {}
  self.name = name
  return self
end
function Shop:sell(count) return 1 end
return Shop
-- app/text.lua --
return { join = function(x) return x end, MAX = 3 }
""",
        snapshot("""\
app/shop.lua (type of shop)
    -- What sells.
    local Shop = {}
    Shop.limit = 10
    -- Makes one.
    function Shop.new(name)
      self.name = name
    function Shop:sell(count) return 1 end
app/text.lua (offered by text)
    return { join = function(x) return x end, MAX = 3 }
app/text.lua (definition of join)
    return { join = function(x) return x end, MAX = 3 }
app/shop.lua (definition of new)
    -- Makes one.
    function Shop.new(name)
"""),
    )
