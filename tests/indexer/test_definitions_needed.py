"""Definitions that the code at a cursor needs, a language at a time."""

from __future__ import annotations

import time

from inline_snapshot import snapshot

from tests.indexer.checks import check_definitions_needed, render_snippets
from tests.support.fixture import index_of, parse


def test_python_the_receiver_comes_first() -> None:
    check_definitions_needed(
        '''\
-- app/main.py --
from app.models import User, Missing
from . import util
import app.db as db


class Service(User):
    def __init__(self, conn: db.Connection):
        self.conn = conn
        self.helper = util.Helper(3)

    def run(self):
        rows = self.conn.$0
-- app/__init__.py --
-- app/models.py --
from app.base import Base
class User(Base):
    """A person.

    More."""
    @property
    def full(self) -> str:
        """Full name."""
-- app/base.py --
class Base:
    def save(self, force=False):
        pass
-- app/util.py --
class Helper:
    def __init__(self, n): self.n = n
    def help(self): ...
-- app/db.py --
class Pool:
    def release(self): ...
class Connection(Pool):
    "Talks to a database."
    def execute(self, sql: str, *args) -> "Cursor": ...
''',
        snapshot('''\
app/db.py (type of self.conn)
    class Connection(Pool):
        """Talks to a database."""
        def execute(self, sql: str, *args) -> "Cursor": ...
app/db.py (base of Connection)
    class Pool:
        def release(self): ...
app/models.py (base of Service)
    class User(Base):
        """A person."""
        @property
        def full(self) -> str:
            """Full name."""
app/base.py (base of Service)
    class Base:
        def save(self, force=False):
app/util.py (definition of Helper)
    class Helper:
        def __init__(self, n): self.n = n
'''),
    )


def test_python_what_was_typed_of_a_member_filters() -> None:
    check_definitions_needed(
        """\
-- main.py --
from lib import Box
def f(box: Box):
    box.op$0
-- lib.py --
class Box:
    def __init__(self): ...
    def open(self): ...
    def close(self): ...
    def operate(self, n): ...
""",
        snapshot("""\
lib.py (type of box)
    class Box:
        def __init__(self): ...
        def open(self): ...
        def operate(self, n): ...
"""),
    )


def test_python_reexports_are_followed() -> None:
    check_definitions_needed(
        """\
-- main.py --
from pkg import Thing, helper as h
from pkg.sub import *
$0
-- pkg/__init__.py --
from .impl import *
from .deep.more import helper
-- pkg/impl.py --
class Thing:
    def do(self): pass
-- pkg/deep/__init__.py --
-- pkg/deep/more.py --
def helper(a, b=1) -> int:
    "Helps."
    return a
-- pkg/sub.py --
VALUE = 3
""",
        snapshot('''\
pkg/impl.py (definition of Thing)
    class Thing:
pkg/deep/more.py (definition of h)
    def helper(a, b=1) -> int:
        """Helps."""
'''),
    )


def test_python_a_circle_of_imports_ends() -> None:
    check_definitions_needed(
        """\
-- a.py --
from b import x
x$0
-- b.py --
from a import x
""",
        snapshot(""),
    )


def test_python_an_unused_import_comes_before_used_ones() -> None:
    check_definitions_needed(
        """\
-- main.py --
from lib import first, second, third


def f():
    third()
    first()


def g():
    $0
-- lib.py --
def first(): ...
def second(): ...
def third(): ...
""",
        snapshot("""\
lib.py (definition of second)
    def second(): ...
lib.py (definition of first)
    def first(): ...
lib.py (definition of third)
    def third(): ...
"""),
    )


def test_python_members_of_an_imported_module() -> None:
    check_definitions_needed(
        """\
-- main.py --
from pkg import models
import pkg.util as util
util.run()
class A(models.$0
-- pkg/__init__.py --
-- pkg/util.py --
def run(): ...
-- pkg/models.py --
from pkg.fields import *
class Model: ...
def _hidden(): ...
-- pkg/fields.py --
class CharField:
    def __init__(self, size): ...
class IntField: ...
""",
        snapshot("""\
pkg/fields.py (offered by models)
    class CharField:
    class IntField: ...
pkg/models.py (offered by models)
    class Model: ...
pkg/util.py (definition of run)
    def run(): ...
"""),
    )


def test_python_the_same_file_outside_of_the_window() -> None:
    far = 'def far(a: int) -> str:\n    """Far away."""\n    return str(a)\n'
    near = "def near(b): ...\n"
    check_definitions_needed(
        far + "# filler\n" * 80 + near + "far(near(1))\n$0\n",
        snapshot('''\
main.py (definition of far)
    def far(a: int) -> str:
        """Far away."""
'''),
    )


def test_python_fields_typed_in_a_base() -> None:
    check_definitions_needed(
        """\
-- main.py --
from base import Base
class A(Base):
    def f(self):
        self.client.$0
-- base.py --
from client import Client
class Base:
    def __init__(self):
        self.client = Client("x")
-- client.py --
class Client:
    def send(self, data: bytes) -> None: ...
""",
        snapshot("""\
client.py (type of self.client)
    class Client:
        def send(self, data: bytes) -> None: ...
base.py (definition of client)
    class Base:
        def __init__(self):
            self.client = Client("x")
"""),
    )


def test_python_members_of_super() -> None:
    check_definitions_needed(
        """\
-- main.py --
from base import Base
class A(Base):
    def save(self):
        super().$0
-- base.py --
class Root:
    def load(self): ...
class Base(Root):
    def save(self): ...
""",
        snapshot("""\
base.py (base of A)
    class Base(Root):
        def save(self): ...
base.py (base of Base)
    class Root:
        def load(self): ...
"""),
    )


def test_python_a_local_from_a_call() -> None:
    check_definitions_needed(
        """\
-- main.py --
from lib import make
def f():
    thing = make()
    thing.$0
-- lib.py --
class Thing:
    def act(self): ...
def make() -> Thing: ...
""",
        snapshot("""\
lib.py (type of thing)
    class Thing:
        def act(self): ...
lib.py (definition of make)
    def make() -> Thing: ...
"""),
    )


def test_typescript() -> None:
    check_definitions_needed(
        """\
-- src/app.ts --
import { Store as S, makeStore } from "./store";
import Config from "./config";
import * as util from "./lib";
import { Deep } from "./lib";

export class App {
  constructor(private readonly store: S, config: Config) {}
  run() {
    const made = makeStore();
    this.store.$0
  }
}
-- src/store.ts --
import { Base } from "./base";
/** Keeps things. */
export class Store extends Base {
  size = 0;
  get(key: string): string { return ""; }
}
export function makeStore(): Store { return new Store(); }
-- src/base.ts --
export abstract class Base {
  close(): void {}
}
-- src/config.ts --
export default class Config { port: number = 1; }
-- src/lib/index.ts --
export * from "./deep";
export function helper(n: number) { return n; }
-- src/lib/deep.ts --
export interface Deep { level: number }
""",
        snapshot("""\
src/store.ts (type of this.store)
    // Keeps things.
    export class Store extends Base {
      size = 0;
      get(key: string): string { return ""; }
src/base.ts (base of Store)
    export abstract class Base {
      close(): void {}
src/lib/deep.ts (definition of Deep)
    export interface Deep { level: number }
src/lib/index.ts (offered by lib)
    export function helper(n: number) { return n; }
src/store.ts (definition of makeStore)
    export function makeStore(): Store { return new Store(); }
src/config.ts (definition of Config)
    export default class Config { port: number = 1; }
"""),
    )


def test_javascript() -> None:
    check_definitions_needed(
        """\
-- main.js --
const { join } = require("./paths");
import Thing from "./thing.js";
function f() {
  const t = new Thing();
  t.$0
}
-- paths.js --
// Joins.
exports.join = function (a, b) { return a + b; };
-- thing.js --
class Thing {
  constructor(x) { this.x = x; }
  act() {}
}
export default Thing;
""",
        snapshot("""\
thing.js (type of t)
    class Thing {
      constructor(x) { this.x = x; }
      act() {}
paths.js (definition of join)
    // Joins.
    exports.join = function (a, b) { return a + b; };
"""),
    )


def test_java() -> None:
    check_definitions_needed(
        """\
-- src/app/Main.java --
package app;
import app.model.Person;
import app.util.*;
class Main extends Basis {
  void run(Person who) {
    Texts.upper("x");
    who.$0
  }
}
-- src/app/Basis.java --
package app;
abstract class Basis { protected void log(String s) {} }
-- src/app/model/Person.java --
package app.model;
/** A person. */
public class Person {
  private String name;
  public Person(String name) {}
  public String getName() { return name; }
}
-- src/app/util/Texts.java --
package app.util;
public class Texts { public static String upper(String s) { return s; } }
""",
        snapshot("""\
src/app/model/Person.java (type of who)
    // A person.
    public class Person {
      private String name;
      public Person(String name) {}
      public String getName() { return name; }
src/app/util/Texts.java (definition of upper)
    public class Texts { public static String upper(String s) { return s; } }
src/app/Basis.java (base of Main)
    abstract class Basis { protected void log(String s) {} }
"""),
    )


def test_go() -> None:
    check_definitions_needed(
        """\
-- cmd/main.go --
package main
import "example.com/app/store"
func run(s *store.Store) {
	x := helper()
	s.$0
}
-- cmd/help.go --
package main
// helper helps.
func helper() int { return 1 }
-- store/store.go --
package store
// Store keeps.
type Store struct { size int }
func (s *Store) Get(key string) string { return "" }
-- store/more.go --
package store
func (s *Store) Put(key, value string) {}
func Open() *Store { return nil }
""",
        snapshot("""\
store/store.go (type of s)
    // Store keeps.
    type Store struct { size int }
    func (s *Store) Get(key string) string { return "" }
store/more.go (members of Store)
    func (s *Store) Put(key, value string) {}
    func Open() *Store { return nil }
cmd/help.go (definition of helper)
    // helper helps.
    func helper() int { return 1 }
"""),
    )


def test_rust() -> None:
    check_definitions_needed(
        """\
-- src/main.rs --
mod store;
use crate::store::{Store, open};
use crate::store::inner::Deep;
fn run(s: &Store, d: Deep) {
    let t = open();
    s.$0
}
-- src/store/mod.rs --
pub mod inner;
/// Keeps.
pub struct Store { size: u32 }
impl Store {
    pub fn get(&self, key: &str) -> String { String::new() }
}
pub fn open() -> Store { Store { size: 0 } }
-- src/store/inner.rs --
pub struct Deep;
""",
        snapshot("""\
src/store/mod.rs (type of s)
    // Keeps.
    pub struct Store { size: u32 }
        pub fn get(&self, key: &str) -> String { String::new() }
src/store/mod.rs (definition of open)
    pub fn open() -> Store { Store { size: 0 } }
src/store/inner.rs (definition of Deep)
    pub struct Deep;
"""),
    )


def test_c() -> None:
    check_definitions_needed(
        """\
-- src/main.c --
#include "store.h"
int main(void) {
  store_t *s = store_open("x");
  return LIMIT + s->$0
}
-- include/store.h --
#ifndef STORE_H
#define STORE_H
#define LIMIT 10
#include "types.h"
/* Keeps. */
typedef struct store { int size; char *name; } store_t;
store_t *store_open(const char *name);
#endif
-- include/types.h --
typedef unsigned long id_t;
""",
        snapshot("""\
include/store.h (type of s)
    // Keeps.
    typedef struct store { int size; char *name; } store_t;
include/store.h (definition of LIMIT)
    #define LIMIT 10
include/store.h (definition of store_open)
    store_t *store_open(const char *name);
"""),
    )


def test_cpp() -> None:
    check_definitions_needed(
        """\
-- src/main.cpp --
#include "store.hpp"
int main() {
  app::Store s;
  s.$0
}
-- src/store.hpp --
#include "base.hpp"
namespace app {
// Keeps.
class Store : public Base {
 public:
  explicit Store(int size);
  int get(const char* key) const;
};
}
-- src/base.hpp --
namespace app {
class Base { public: void close(); };
}
""",
        snapshot("""\
src/store.hpp (type of s)
    // Keeps.
    class Store : public Base {
      explicit Store(int size);
      int get(const char* key) const;
src/base.hpp (base of Store)
    class Base { public: void close(); };
"""),
    )


def test_nothing_is_needed_of_a_text_without_a_language() -> None:
    check_definitions_needed("-- notes.txt --\nfoo.$0", "")


def test_the_limit_is_kept_and_a_deadline_in_the_past_gives_nothing() -> None:
    fixture = parse("from lib import a, b\n$0\n-- lib.py --\ndef a(): ...\ndef b(): ...\n")
    index = index_of(fixture)
    assert len(index.definitions_needed(fixture.path, fixture.offset, 2)) == 2
    assert len(index.definitions_needed(fixture.path, fixture.offset, 1)) == 1
    assert index.definitions_needed(fixture.path, fixture.offset, 0) == []
    late = time.monotonic() - 1
    assert index.definitions_needed(fixture.path, fixture.offset, 2, late) == []


def test_a_snippet_says_where_it_is_from() -> None:
    fixture = parse("from lib import f\n$0\n-- lib.py --\n\n\ndef f(\n    a,\n):\n    return a\n")
    index = index_of(fixture)
    (snippet,) = index.definitions_needed(fixture.path, fixture.offset, 5)
    assert (snippet.start_line, snippet.end_line, snippet.lines) == (2, 4, (2, 3, 4))
    assert fixture.files[snippet.path][snippet.start : snippet.end].decode() == "def f(\n    a,\n):"
    assert (
        render_snippets(index, [snippet])
        == "lib.py (definition of f)\n    def f(\n        a,\n    ):\n"
    )
