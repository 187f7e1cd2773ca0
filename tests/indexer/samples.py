"""One small file a language, with the constructs that matter and none that repeat.

Larger ones lie as files of their own in `languages/samples/`.
"""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent / "languages" / "samples"

SAMPLES = {
    "people.py": '''"""People and what they do."""
from __future__ import annotations
import os, json as js
from app.base import (Base, Mixin as M)
from . import util
LIMIT: int = 10
first, second = 1, 2

@decorated(1)
class Person(Base, M, metaclass=Meta):
    """A person."""
    count = 0
    name: str

    def __init__(self, store: Store, name="🦀"):
        """Makes one."""
        self.store = store
        self.cache = Cache()
        local = 1

    @property
    def full(self) -> str:
        return f"{self.name} é"

    class Inner:
        deep = 1

async def run(*args, **kw):
    def nested():
        return 1
    return await js.load(nested())
''',
    "people.ts": """import Default, { Base, Mixin as M } from "./base";
import * as path from "path";
import type { Store } from "../store";
export { helper as aid } from "./helper";
export * from "./all";
const fs = require("fs");

/**
 * A person.
 */
export class Person extends Base<Store> implements Named, Aged {
  private count = 0;
  static readonly limit: number = 3;
  #hidden = new Cache();
  handler = () => this.count;

  constructor(private readonly store: Store, name = "🦀") {
    super();
    this.late = new Late();
    const local = 1;
  }

  /** Full name. */
  get full(): string {
    return `${this.name} é`;
  }
}

export default interface Named { name: string; greet(who: Person): Promise<void> }
export enum Color { Red, Green = "g" }
type Id = string | number;
export const LIMIT: number = 10, other = new Map();
export const arrow = async (id: Id): Promise<Person> => {
  function nested() { return 1; }
  return nested();
};
export function run(who: Person): Color { return Color.Red; }
namespace Inner { export const deep = 1; }
""",
    "view.tsx": """import React from "react";
import { Person } from "./people";

type Props = { who: Person; onClose?: () => void };

// Shows a person.
export const View: React.FC<Props> = ({ who, onClose }: Props) => {
  const [open, setOpen] = React.useState<boolean>(false);
  return <div className="é" onClick={onClose}>{who.full}<Inner open={open} /></div>;
};

function Inner(props: { open: boolean }) {
  return <b>{String(props.open)}</b>;
}
""",
    "people.js": """import Default, { Base } from "./base.js";
const { join } = require("path");

// A person.
class Person extends Base {
  static count = 0;
  #hidden = 1;
  constructor(store) {
    super();
    this.store = store;
    this.cache = new Cache();
  }
  full() { return this.#hidden + "🦀"; }
}

function old() {}
old.prototype.method = function (a) { return a; };
exports.run = function () { return join("a", "é"); };
const arrow = (x) => x * 2, value = 3;
export default Person;
export { arrow as twice };
""",
    "Person.java": """package app.people;

import java.util.List;
import app.base.*;
import static app.Util.helper;

/**
 * A person.
 */
@Entity(name = "é")
public class Person<T> extends Base<T> implements Named, Comparable<Person<T>> {
    private static final int LIMIT = 10;
    private List<Store> stores, others;

    public Person(Store store) {
        this.stores = List.of(store);
        int local = 1;
    }

    /** Full name. */
    @Override
    public String full(int count) throws Exception {
        return helper("🦀") + count;
    }

    enum Color { RED, GREEN { void x() {} } }

    interface Visitor extends A, B { void visit(Person<?> who); int MAX = 3; }

    record Point(int x, int y) implements Named {}
}
""",
    "people.go": """package people

import (
	"fmt"
	st "example.com/app/store"
	. "example.com/app/all"
)

const Limit = 10

const (
	Red Color = iota
	Green
)

var cache = &Cache{}

// Person is a person.
// It has a name.
type Person struct {
	Base
	name  string
	store *st.Store
}

type Named interface {
	Name() string
}

type (
	ID    int
	Alias = Person
)

// Full is the full name.
func (p *Person) Full(count int) (string, error) {
	local := st.Open("🦀")
	return fmt.Sprint(p.name, local), nil
}

func NewPerson[T any](store *st.Store) *Person {
	return &Person{name: "é"}
}
""",
    "people.rs": """use std::collections::{HashMap, hash_map::{self, Entry as E}};
use crate::store::*;
pub use super::base::Base;

mod helper;

/// A person.
#[derive(Debug)]
pub struct Person<T> {
    name: String,
    pub store: Store<T>,
}

pub enum Color { Red, Green(u8) }

pub trait Named: Base + Send {
    const MAX: usize;
    fn name(&self) -> String;
    fn greet(&self) -> String { String::from("é") }
}

impl<T> Named for Person<T> {
    fn name(&self) -> String { self.name.clone() }
}

impl<T> Person<T> {
    /// Makes one.
    pub fn new(store: Store<T>) -> Self {
        let local = 1;
        Person { name: "🦀".into(), store }
    }
}

pub const LIMIT: u32 = 10;
static CACHE: Cache = Cache::new();
type Id = u64;

mod inner {
    pub fn deep() {}
}

macro_rules! shout { ($e:expr) => { $e }; }
""",
    "people.c": """#include <stdio.h>
#include "store.h"

#define LIMIT 10
#define MAX(a, b) ((a) > (b) ? (a) : (b))

/* A person. */
struct person {
    char *name;
    struct store **stores;
    int (*compare)(int, int);
};

typedef struct { int x, y; } point;
typedef struct person person_t;
typedef int (*callback)(person_t *);
enum color { RED, GREEN = 2 };

static int count = 0, other;
extern const char *names[];

int declared(person_t *who);

/* Full name. */
char *full(person_t *who, int n) {
    int local = n;
    return printf("é 🦀 %s", who->name) ? who->name : NULL;
}
""",
    "people.hpp": """#pragma once
#include <vector>
#include "base.hpp"

namespace app {

// A person.
class Person : public Base, private Mixin<int> {
public:
    explicit Person(Store& store);
    ~Person();
    std::string full(int count) const { return name_ + "🦀"; }
    virtual Store* store() = 0;
    static int limit;
private:
    std::string name_;
    Store& store_;
};

template <typename T>
T twice(T value) { return value + value; }

enum class Color { Red, Green };
using Id = unsigned long;

inline Person::Person(Store& store) : store_(store) { int local = 1; }
std::string Person::other(const Id& id) { return "é"; }

}  // namespace app
""",
}

SAMPLES |= {file.name: file.read_text("utf-8") for file in sorted(FOLDER.iterdir())}
