"""Where modules of JavaScript and TypeScript are found: configuration files and packages."""

from __future__ import annotations

from inline_snapshot import snapshot

from indexer import Open
from indexer.contents import parse_json
from indexer.resolve import Resolver
from tests.indexer.checks import check_definitions_needed
from tests.indexer.languages.resolved import check_resolved
from tests.support.fixture import index_of, parse


def test_relative_modules() -> None:
    check_resolved(
        """\
-- src/main.ts --
import "./a";
import "./b.js";
import "./c";
import "..";
import "./d/e/../f.mjs";
import "./style.css";
import "./data.json";
import "./none";
import("./lazy");
import old = require("./old");
-- src/a.ts --
-- src/a.js --
-- src/a/index.ts --
-- src/b.tsx --
-- src/c/index.tsx --
-- index.js --
-- src/d/f.mts --
-- src/style.css --
-- src/data.json --
{}
-- src/lazy.jsx --
-- src/old.d.ts --
""",
        snapshot("""\
./a -> src/a.ts
./b.js -> src/b.tsx
./c -> src/c/index.tsx
.. -> index.js
./d/e/../f.mjs -> src/d/f.mts
./style.css -> src/style.css
./data.json -> src/data.json
./none -> nothing
./lazy -> src/lazy.jsx
./old -> src/old.d.ts\
"""),
    )


def test_paths_of_a_configuration() -> None:
    check_resolved(
        """\
-- app/src/main.ts --
import "@app/store";
import "@app/deep/thing";
import "exact";
import "lib/util";
import "generated/code";
import "@shared/x";
-- app/tsconfig.json --
{
  // What the application adds.
  "extends": "../tsconfig.base.json",
  "compilerOptions": {
    "baseUrl": "./src", /* for lib/ */
    "paths": {
      "@app/*": ["./*"],
      "@app/deep/*": ["./very/deep/*", "./other/*"],
      "exact": ["one.ts"],
      "generated/*": ["${configDir}/made/*"],
      "@shared/*": ["../../shared/src/*"],
    },
  },
}
-- tsconfig.base.json --
{"compilerOptions": {"paths": {"@app/*": ["wrong/*"]}}}
-- app/src/store.ts --
-- app/src/other/thing.ts --
-- app/src/one.ts --
-- app/src/lib/util.ts --
-- app/made/code.ts --
-- shared/src/x/index.ts --
-- wrong/store.ts --
""",
        snapshot("""\
@app/store -> app/src/store.ts
@app/deep/thing -> app/src/other/thing.ts
exact -> app/src/one.ts
lib/util -> app/src/lib/util.ts
generated/code -> app/made/code.ts
@shared/x -> shared/src/x/index.ts\
"""),
    )


def test_what_a_configuration_inherits() -> None:
    check_resolved(
        """\
-- packages/web/src/main.ts --
import "~lib/a";
import "top";
-- packages/web/tsconfig.json --
{"extends": ["@acme/config/strict", "../../base"]}
-- base.json --
{"compilerOptions": {"baseUrl": "sources", "paths": {"~lib/*": ["lib/*"]}}}
-- packages/config/package.json --
{"name": "@acme/config"}
-- packages/config/strict.json --
{"compilerOptions": {"paths": {"~lib/*": ["never/*"]}, "strict": true}}
-- sources/lib/a.ts --
-- sources/top.ts --
""",
        snapshot("""\
~lib/a -> sources/lib/a.ts
top -> sources/top.ts\
"""),
    )


def test_a_solution_of_projects_and_roots_laid_over_one_another() -> None:
    check_resolved(
        """\
-- src/views/main.ts --
import "@/store";
import "./template";
-- tsconfig.json --
{"files": [], "references": [{"path": "./tsconfig.app.json"}, {"path": "./other"}]}
-- tsconfig.app.json --
{"compilerOptions": {"paths": {"@/*": ["./src/*"]}, "rootDirs": ["src/views", "generated/views"]}}
-- src/store.ts --
-- other/store.ts --
-- generated/views/template.ts --
""",
        snapshot("""\
@/store -> src/store.ts
./template -> generated/views/template.ts\
"""),
    )


def test_packages_of_the_workspace() -> None:
    check_resolved(
        """\
-- apps/web/main.ts --
import "@acme/store";
import "@acme/store/query";
import "@acme/store/parts/shelf";
import "@acme/store/hidden";
import "@acme/plain";
import "@acme/plain/lib/deep";
import "typed";
import "#own/help";
import "#store";
import "react";
-- apps/web/package.json --
{"name": "web", "imports": {"#own/*": "./inner/*.js", "#store": "@acme/store"}}
-- apps/web/inner/help.ts --
-- packages/store/package.json --
{
  "name": "@acme/store",
  "exports": {
    ".": {"import": {"types": "./dist/index.d.ts", "default": "./dist/index.mjs"}},
    "./query": ["./dist/query.js"],
    "./parts/*": {"default": "./dist/esm/parts/*.js"}
  }
}
-- packages/store/src/index.ts --
-- packages/store/src/query.ts --
-- packages/store/src/parts/shelf.tsx --
-- packages/plain/package.json --
{"name": "@acme/plain", "main": "lib/start.js", "workspaces": ["x"]}
-- packages/plain/lib/start.js --
-- packages/plain/lib/deep.js --
-- packages/typed/package.json --
{"name": "typed", "exports": "./build/main.js"}
-- packages/typed/main.ts --
-- elsewhere/react.ts --
""",
        snapshot("""\
@acme/store -> packages/store/src/index.ts
@acme/store/query -> packages/store/src/query.ts
@acme/store/parts/shelf -> packages/store/src/parts/shelf.tsx
@acme/store/hidden -> nothing
@acme/plain -> packages/plain/lib/start.js
@acme/plain/lib/deep -> packages/plain/lib/deep.js
typed -> packages/typed/main.ts
#own/help -> apps/web/inner/help.ts
#store -> packages/store/src/index.ts
react -> nothing\
"""),
    )


def test_a_folder_with_a_manifest_is_what_the_manifest_says() -> None:
    check_resolved(
        """\
-- main.js --
const parser = require("./parser");
-- parser/package.json --
{"main": "./source/start"}
-- parser/source/start.js --
-- parser/index.js --
""",
        snapshot("./parser -> parser/source/start.js"),
    )


def test_changed_configuration_counts_at_once() -> None:
    fixture = parse(
        """\
-- src/main.ts --
import "@x/a";
-- tsconfig.json --
{"compilerOptions": {"paths": {"@x/*": ["./one/*"]}}}
-- one/a.ts --
-- two/a.ts --
"""
    )
    index = index_of(fixture)

    def target() -> str:
        clause = index.imports(fixture.path)[0]
        return index.relative(Resolver(index._table, index._files).modules(fixture.path, clause)[0])

    assert target() == "one/a.ts"
    config = "/repo/tsconfig.json"
    text = fixture.files[config]
    index.apply(Open(config, None, 2, text.replace(b"one", b"two")))
    assert target() == "two/a.ts"
    index.apply(Open("/repo/src/tsconfig.json", None, 1, text.replace(b"./one", b"../one")))
    assert target() == "one/a.ts"


def test_json_as_people_write_it() -> None:
    text = b'\xef\xbb\xbf{ // "a"\n "b": "// no, }", /* x */ "c": [1, 2,], }'
    assert parse_json(text) == {"b": "// no, }", "c": [1, 2]}
    for broken in (b"", b"{", b"\xff\xfe", b"[" * 100_000, b'{"a": }'):
        assert parse_json(broken) is None


def test_members_of_what_modules_export() -> None:
    check_definitions_needed(
        """\
-- main.js --
const api = require("./api");
const { join, old } = require("./paths");
import shop from "./shop";
import Thing from "./thing";
function f() {
  const t = new Thing();
  t.act();
  join(1);
  shop.sell();
  api.$0
}
-- api.js --
// The api.
const api = { get(x) { return x; }, post: function (y) {}, limit: 3 };
module.exports = api;
-- paths.js --
// Joins all.
function joinAll() {}
module.exports = { join: joinAll, old() {} };
-- shop.js --
export default { sell() {}, buy: () => 1 };
-- thing.js --
export default class { act() {} }
""",
        snapshot("""\
api.js (type of api)
    // The api.
    const api = { get(x) { return x; }, post: function (y) {}, limit: 3 };
paths.js (definition of old)
    module.exports = { join: joinAll, old() {} };
shop.js (definition of sell)
    export default { sell() {}, buy: () => 1 };
paths.js (definition of joinAll)
    // Joins all.
    function joinAll() {}
shop.js (definition of shop)
    export default { sell() {}, buy: () => 1 };
thing.js (definition of act)
    export default class { act() {} }
"""),
    )
