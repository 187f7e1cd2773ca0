"""What each language's queries find in its sample: kind, name, types, signature, docstring."""

from __future__ import annotations

import msgpack
from inline_snapshot import snapshot

from indexer import FileFacts, Role, extract, language_of
from tests.indexer.checks import check_imports, check_symbols
from tests.indexer.samples import SAMPLES


def sample(name: str) -> str:
    return f"-- {name} --\n{SAMPLES[name]}"


def uses(name: str, text: str) -> str:
    """Identifiers with their roles, in the order of the text."""
    language = language_of(name)
    assert language is not None
    facts = extract(name, language, text.encode())
    return " ".join(f"{use.name}:{use.role}" for use in facts.references)


def test_python_symbols() -> None:
    check_symbols(
        sample("people.py"),
        snapshot('''\
variable LIMIT <int> | LIMIT: int = 10
variable first | first, second = 1, 2
variable second | first, second = 1, 2
class Person <Base M> | class Person(Base, M, metaclass=Meta | """A person."""
field Person.count | count = 0
field Person.name <str> | name: str
method Person.__init__ | def __init__(self, store: Store, nam | """Makes one."""
field Person.store <Store> | self.store = store
field Person.cache <Cache> | self.cache = Cache()
method Person.full <str> | def full(self) -> str:
class Person.Inner | class Inner:
field Person.Inner.deep | deep = 1
function run | async def run(*args, **kw):
function run.nested | def nested():\
'''),
    )


def test_python_imports() -> None:
    check_imports(
        sample("people.py"),
        snapshot("""\
from 'os'
from 'json' binds js
from 'app.base'
    Base, Mixin as M
from .''
    util\
"""),
    )


def test_typescript_symbols() -> None:
    check_symbols(
        sample("people.ts"),
        snapshot("""\
variable fs | fs = require("fs")
class Person <Base Named Aged> | class Person extends Base<Store> imp | /** * A person. */
field Person.count | private count = 0
field Person.limit <number> | static readonly limit: number = 3
field Person.#hidden <Cache> | #hidden = new Cache()
method Person.handler | handler = () =>
method Person.constructor | constructor(private readonly store:
field Person.store <Store> | private readonly store: Store
field Person.late <Late> | this.late = new Late()
method Person.full <string> | get full(): string | /** Full name. */
interface Named | interface Named
field Named.name <string> | name: string
method Named.greet <Promise void> | greet(who: Person): Promise<void>
enum Color | enum Color
field Color.Red | Red
field Color.Green | Green = "g"
type Id | type Id = string | number;
variable LIMIT <number> | LIMIT: number = 10
variable other <Map> | other = new Map()
function arrow <Promise Person> | arrow = async (id: Id): Promise<Pers
function arrow.nested | function nested()
function run <Color> | function run(who: Person): Color
module Inner | namespace Inner
variable Inner.deep | deep = 1\
"""),
    )


def test_typescript_imports() -> None:
    check_imports(
        sample("people.ts"),
        snapshot("""\
from './base'
    default as Default, Base, Mixin as M
from 'path' binds path
from '../store'
    Store
from './helper'
    helper as aid
from './all' star
from 'fs'
    default as fs binds fs
from ''
    Named as default\
"""),
    )


def test_tsx_symbols() -> None:
    check_symbols(
        sample("view.tsx"),
        snapshot("""\
type Props | type Props = { who: Person; onClose?
field Props.who <Person> | who: Person
field Props.onClose <void> | onClose?: () => void
function View | View: React.FC<Props> = ({ who, onCl | // Shows a person.
function Inner | function Inner(props: { open: boolea\
"""),
    )


def test_tsx_imports() -> None:
    check_imports(
        sample("view.tsx"),
        snapshot("""\
from 'react'
    default as React
from './people'
    Person\
"""),
    )


def test_javascript_symbols() -> None:
    check_symbols(
        sample("people.js"),
        snapshot("""\
variable join | { join } = require("path")
class Person <Base> | class Person extends Base | // A person.
field Person.count | static count = 0
field Person.#hidden | #hidden = 1
method Person.constructor | constructor(store)
field Person.store | this.store = store
field Person.cache <Cache> | this.cache = new Cache()
method Person.full | full()
function old | function old()
method old.method | old.prototype.method = function (a)
function run | exports.run = function ()
function arrow | arrow = (x) =>
variable value | value = 3\
"""),
    )


def test_javascript_imports() -> None:
    check_imports(
        sample("people.js"),
        snapshot("""\
from './base.js'
    default as Default, Base
from 'path'
    join
from ''
    Person as default
from ''
    arrow as twice\
"""),
    )


def test_java_symbols() -> None:
    check_symbols(
        sample("Person.java"),
        snapshot("""\
module app.people | package app.people;
class Person <Base Named Comparable> | @Entity(name = "é") public class Per | /** * A person. */
field Person.LIMIT <int> | private static final int LIMIT = 10;
field Person.stores <List Store> | private List<Store> stores, others;
field Person.others <List Store> | private List<Store> stores, others;
method Person.Person | public Person(Store store)
method Person.full <String> | @Override public String full(int cou | /** Full name. */
enum Person.Color | enum Color
field Person.Color.RED | RED
field Person.Color.GREEN | GREEN { void x() {} }
method Person.Color.x <void> | void x()
interface Person.Visitor <A B> | interface Visitor extends A, B
method Person.Visitor.visit <void> | void visit(Person<?> who);
field Person.Visitor.MAX <int> | int MAX = 3;
class Person.Point <Named> | record Point(int x, int y) implement
field Person.Point.x <int> | int x
field Person.Point.y <int> | int y\
"""),
    )


def test_java_imports() -> None:
    check_imports(
        sample("Person.java"),
        snapshot("""\
from 'java.util'
    List
from 'app.base' star
from 'app.Util'
    helper\
"""),
    )


def test_go_symbols() -> None:
    check_symbols(
        sample("people.go"),
        snapshot("""\
constant Limit | Limit = 10
constant Red <Color> | Red Color = iota
constant Green | Green
variable cache <Cache> | cache = &Cache{}
class Person | Person struct | // Person is a person. /
field Person.Base <Base> | Base
field Person.name <string> | name string
field Person.store <st.Store> | store *st.Store
interface Named | Named interface { Name() string }
method Named.Name <string> | Name() string
type ID <int> | ID int
type Alias <Person> | Alias = Person
method Person.Full <string error> | func (p *Person) Full(count int) (st | // Full is the full name
function NewPerson <Person> | func NewPerson[T any](store *st.Stor\
"""),
    )


def test_go_imports() -> None:
    check_imports(
        sample("people.go"),
        snapshot("""\
from 'fmt' binds fmt
from 'example.com/app/store' binds st
from 'example.com/app/all' star\
"""),
    )


def test_rust_symbols() -> None:
    check_symbols(
        sample("people.rs"),
        snapshot("""\
class Person | pub struct Person<T> | /// A person. #[derive(D
field Person.name <String> | name: String
field Person.store <Store T> | pub store: Store<T>
enum Color | pub enum Color
field Color.Red | Red
field Color.Green | Green(u8)
interface Named <Base Send> | pub trait Named: Base + Send
field Named.MAX <usize> | const MAX: usize;
method Named.name <String> | fn name(&self) -> String;
method Named.greet <String> | fn greet(&self) -> String
extension Person <Named> | impl<T> Named for Person<T>
method Person.name <String> | fn name(&self) -> String
extension Person | impl<T> Person<T>
method Person.new <Self> | pub fn new(store: Store<T>) -> Self | /// Makes one.
constant LIMIT <u32> | pub const LIMIT: u32 = 10;
variable CACHE <Cache> | static CACHE: Cache = Cache::new();
type Id <u64> | type Id = u64;
module inner | mod inner
function inner.deep | pub fn deep()
macro shout | macro_rules! shout { ($e:expr) => {\
"""),
    )


def test_rust_imports() -> None:
    check_imports(
        sample("people.rs"),
        snapshot("""\
from 'std::collections'
    HashMap
from 'std::collections::hash_map' binds hash_map
from 'std::collections::hash_map'
    Entry as E
from 'crate::store' star
from 'super::base'
    Base
from 'self::helper' binds helper\
"""),
    )


def test_c_symbols() -> None:
    check_symbols(
        sample("people.c"),
        snapshot("""\
macro LIMIT | #define LIMIT 10
macro MAX | #define MAX(a, b) ((a) > (b) ? (a) :
class person | struct person | /* A person. */
field person.name <char> | char *name;
field person.stores <store> | struct store **stores;
field person.compare <int> | int (*compare)(int, int);
class point | typedef struct
field point.x <int> | int x, y;
field point.y <int> | int x, y;
type person_t <person> | typedef struct person person_t;
type callback | typedef int (*callback)(person_t *);
enum color | enum color
field color.RED | RED
field color.GREEN | GREEN = 2
variable count <int> | static int count = 0, other;
variable other <int> | static int count = 0, other;
variable names <char> | extern const char *names[];
function declared <int> | int declared(person_t *who);
function full <char> | char *full(person_t *who, int n) | /* Full name. */\
"""),
    )


def test_c_imports() -> None:
    check_imports(
        sample("people.c"),
        snapshot("""\
from 'stdio.h' binds stdio.h star
from 'store.h' star\
"""),
    )


def test_cpp_symbols() -> None:
    check_symbols(
        sample("people.hpp"),
        snapshot("""\
module app | namespace app
class app.Person <Base Mixin> | class Person : public Base, private | // A person.
method app.Person.Person | explicit Person(Store& store);
method app.Person.~Person | ~Person();
method app.Person.full <std::string> | std::string full(int count) const
method app.Person.store <Store> | virtual Store* store() = 0;
field app.Person.limit <int> | static int limit;
field app.Person.name_ <std::string> | std::string name_;
field app.Person.store_ <Store> | Store& store_;
function app.twice <T> | T twice(T value)
enum app.Color | enum class Color
field app.Color.Red | Red
field app.Color.Green | Green
type app.Id <long> | using Id = unsigned long;
method app.Person.Person | inline Person::Person(Store& store)
method app.Person.other <std::string> | std::string Person::other(const Id&\
"""),
    )


def test_cpp_imports() -> None:
    check_imports(
        sample("people.hpp"),
        snapshot("""\
from 'vector' binds vector star
from 'base.hpp' star\
"""),
    )


def test_roles_of_references() -> None:
    assert uses("a.py", "import m\nx: T = f(a.b, a.c())\n") == snapshot(
        "m:import T:type f:call a:name b:attribute a:name c:call"
    )
    assert uses("a.ts", "let x: T = f(a.b, a.c(), new D());") == snapshot(
        "T:type f:call a:name b:attribute a:name c:call D:call"
    )
    assert uses("a.go", "package p\nvar x T = f(a.b, a.c())\n") == snapshot(
        "p:name T:type f:call a:name b:attribute a:name c:call"
    )


def test_a_text_that_does_not_parse_gives_what_can_be_read() -> None:
    check_symbols(
        """\
class A:
    def whole(self): return 1

    def broken(self, (:
        x = [1, 2

    def after(self): return 2

def last(): pass
""",
        snapshot("""\
class A | class A: def whole(self): return 1 d
method A.whole | def whole(self):
function last | def last():\
"""),
    )


def test_lines_are_those_of_lsp_even_after_a_lone_return() -> None:
    language = language_of("a.py")
    assert language is not None
    facts = extract("a.py", language, b"x = 1\ry = 2\r\nz = 3\n")
    assert [(symbol.name, symbol.start_line) for symbol in facts.symbols] == [
        ("x", 0),
        ("y", 1),
        ("z", 2),
    ]


def test_names_in_import_statements_are_told_apart() -> None:
    language = language_of("a.py")
    assert language is not None
    facts = extract("a.py", language, b"from a import b\nb()\n")
    assert [use.role for use in facts.references_named("b")] == [Role.IMPORT, Role.CALL]


def test_facts_survive_msgpack() -> None:
    for name, text in SAMPLES.items():
        language = language_of(name)
        assert language is not None
        facts = extract(name, language, text.encode())
        for as_lists in (False, True):
            row = msgpack.unpackb(msgpack.packb(facts.to_row()), use_list=as_lists)
            assert FileFacts.from_row(row) == facts


def test_names_that_a_file_defines_come_first() -> None:
    language = language_of("a.py")
    assert language is not None
    facts = extract("a.py", language, b"def f(): return g(f)\nclass C: x = f_g\n")
    assert facts.names[: facts.defined_count] == ("f", "C", "x")
    assert facts.defined_names() == {"f", "C", "x"}
    assert [facts.name_number(name) for name in ("f", "C", "x", "g", "f_g")] == [0, 1, 2, 3, 4]
    assert [facts.name_number(name) for name in ("", "_g", "f_", "absent", "\ud800")] == [-1] * 5
    assert facts.symbol_count == 3
