"""Definitions that the code at a cursor needs, in languages other than Python."""

from __future__ import annotations

from inline_snapshot import snapshot

from tests.indexer.checks import check_definitions_needed


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
include/store.h (definition of store_t)
    // Keeps.
    typedef struct store { int size; char *name; } store_t;
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
