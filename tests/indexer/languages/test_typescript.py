"""TypeScript: parameter properties, destructured names, type parameters."""

from __future__ import annotations

from inline_snapshot import snapshot

from tests.indexer.checks import check_symbols
from tests.indexer.languages.checks import meanings


def test_parameter_properties_and_destructured_names() -> None:
    check_symbols(
        """\
-- a.ts --
class Store<T> {
  constructor(readonly name: string, private count?: number, plain: string = "") {}
}
const { first, second: renamed, third = 3, ...rest } = load();
const [one, , two = 2, ...others] = load();
const { deep: { inner }, list: [head] } = load();
function local() { const { hidden } = load(); }
""",
        snapshot("""\
class Store | class Store<T>
method Store.constructor | constructor(readonly name: string, p
field Store.name <string> | readonly name: string
field Store.count <number> | private count?: number
variable first | { first, second: renamed, third = 3,
variable renamed | { first, second: renamed, third = 3,
variable third | { first, second: renamed, third = 3,
variable rest | { first, second: renamed, third = 3,
variable one | [one, , two = 2, ...others] = load()
variable two | [one, , two = 2, ...others] = load()
variable others | [one, , two = 2, ...others] = load()
variable inner | { deep: { inner }, list: [head] } =
variable head | { deep: { inner }, list: [head] } =
function local | function local()\
"""),
    )


def test_type_parameters_of_types() -> None:
    assert meanings(
        """\
-- a.ts --
type Pair<K, V extends §K> = { key: §K; value: §V };
interface Box<T> { get(): §T; set(value: §T): void }
class Holder<Item> {
  item?: §Item;
  take(): §Item | undefined { return this.§item; }
}
type Inner<A> = §A extends Array<infer U> ? §U : never;
type Mapped<O> = { [P in keyof §O]: §O[§P] };
let holder: §Holder<string>;
""",
    ) == snapshot("""\
K>: a.ts:1:K
K: a.ts:1:K
V: a.ts:1:V
T: a.ts:2:T
T: a.ts:2:T
Item: a.ts:3:Item
Item: a.ts:3:Item
item: a.ts:4:item
A: a.ts:7:A
U: a.ts:7:U
O]: a.ts:8:O
O: a.ts:8:O
P]: a.ts:8:P
Holder: a.ts:3:Holder\
""")


def test_private_members_and_instanceof() -> None:
    assert meanings(
        """\
-- a.ts --
class Query {
  #retry = new Retry();
  run(given: unknown) {
    this.§#retry.§stop();
    if (given instanceof Retry) { given.§stop(); }
    const chosen = this.#retry ?? given;
    chosen.§stop();
  }
}
class Retry { stop() {} }
class Other { stop() {} }
"""
    ) == snapshot("""\
#retry: a.ts:2:#retry
stop: a.ts:10:stop
stop: a.ts:10:stop
stop: a.ts:10:stop\
""")


def test_names_in_functions_without_a_name_are_their_own() -> None:
    check_symbols(
        """\
-- a.test.ts --
describe("store", () => {
  const local = 1;
  function helper() {}
  it("works", async function () { let inner = 2; class Fake { field = 3 } });
});
export const made = wrap((value) => { const hidden = value; return hidden; });
const after = 4;
""",
        snapshot("""\
function helper | function helper()
class Fake | class Fake
field Fake.field | field = 3
variable made | made = wrap((value) => { const hidde
variable after | after = 4\
"""),
    )
