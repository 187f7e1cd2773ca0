"""PHP: classes, traits, enums, functions and namespaces."""

from __future__ import annotations

from inline_snapshot import snapshot

from indexer import Role
from indexer.languages.php.imports import split
from tests.indexer.checks import check_imports, check_symbols
from tests.indexer.languages.checks import meanings, sample, uses

PROGRAM = """\
-- src/Main.php --
<?php
namespace App;

use App\\Model\\Person;
use App\\Model\\{Registry as Known, Mood};
use function App\\Tools\\helper;
use const App\\Tools\\LIMIT;
require_once __DIR__ . '/legacy.php';

class Main extends §Basis
{
    use §Loud;

    private Store $store;

    public function run(§Person $who): void
    {
        $who->§full(1);
        §Known::§all();
        §helper(§LIMIT);
        $this->§store->§get('x');
        $made = new §Person('x');
        $made->§name;
        $this->§log(§Mood::§Good);
        $this->§shout();
        §old();
        Person::§make()->§full(2);
    }
}
-- src/Basis.php --
<?php
namespace App;

abstract class Basis { protected function log(string $text): void {} }
-- src/Loud.php --
<?php
namespace App;

trait Loud { public function shout(): void {} }
-- src/Store.php --
<?php
namespace App;

class Store { public function get(string $key): string { return $key; } }
-- src/legacy.php --
<?php
function old(): void {}
-- lib/Person.php --
<?php
namespace App\\Model;

class Person extends Base
{
    public function __construct(public string $name) {}
    public static function make(): self { return new self(''); }
}
-- lib/more.php --
<?php
namespace App\\Model;

abstract class Base { public function full(int $count): int { return $count; } }
final class Registry { public static function all(): array { return []; } }
enum Mood { case Good; }
-- lib/tools.php --
<?php
namespace App\\Tools;

const LIMIT = 1;
function helper(int $count): int { return $count; }
"""


def test_symbols() -> None:
    check_symbols(
        sample("shop.php"),
        snapshot("""\
module App\\Shop | namespace App\\Shop;
constant LIMIT | const LIMIT = 10;
constant OLD_LIMIT | define('OLD_LIMIT', 20)
variable registry <Registry> | $registry = new Registry()
class Person <Base Called Countable> | #[Entity(name: "é")] abstract class | /** * A person. */
field Person.MAX | public const MAX = 3, MIN = 1;
field Person.MIN | public const MAX = 3, MIN = 1;
field Person.KIND <string> | private const string KIND = 'x';
field Person.count <int> | public static int $count = 0;
field Person.store <Store> | protected ?Store $store = null;
field Person.items <array> | private array $items = [], $others =
field Person.others <array> | private array $items = [], $others =
field Person.old | var $old;
field Person.label <string> | public string $label
method Person.__construct | public function __construct( public | /** * Makes one. */
field Person.name <string> | public readonly string $name
field Person.cache <Fast> | private Fast $cache
method Person.full <string> | #[\\Override] public function full(in | /** Full name. */
method Person.later <void> | abstract protected function later():
method Person.make | public static function make(Store $s
method Person.reference <array> | public function &reference(): array
interface Named <Base Other> | interface Named extends Base, Other
field Named.TITLE | public const TITLE = 'x';
method Named.title <string> | public function title(): string;
class Loud | trait Loud
field Loud.volume <int> | private int $volume = 1;
method Loud.shout <string> | public function shout(): string
enum Color <Named> | enum Color: string implements Named
field Color.Red | case Red = 'r';
field Color.Green | case Green = 'g';
field Color.Default | const Default = self::Red;
method Color.next <self> | public function next(): self
class Plain | final class Plain
function shorten <string> | function shorten(string $text, int $ | /** Trims. */
function shorten.nested <int> | function nested(): int
function run <void> | function run(?Person $who, callable
function run.later <void> | public function later(): void\
"""),
    )


def test_imports() -> None:
    check_imports(
        sample("shop.php"),
        snapshot("""\
from 'App\\\\Base'
    Base
from 'App\\\\Base'
    Named as Called
from 'App\\\\Store'
    Store, Cache as Fast
from 'App\\\\Tools'
    helper
from 'App\\\\Tools'
    MAX
from 'App\\\\Tools'
    trim_all, MIN
from .'legacy.php' star
from 'other.inc.php' star
from ''
    Loud, Quiet\
"""),
    )


def test_statements() -> None:
    assert split(r"use A\B\C;") == [(r"A\B", 0, (("C", "C"),), "", False)]
    assert split(r"use \A\C as D, E;") == [
        ("A", 0, (("C", "D"),), "", False),
        ("", 0, (("E", "E"),), "", False),
    ]
    assert split("use A\\{B, C\\D as E, // why\n function f};") == [
        ("A", 0, (("B", "B"),), "", False),
        (r"A\C", 0, (("D", "E"),), "", False),
        ("A", 0, (("f", "f"),), "", False),
    ]
    assert split(r"use function A\f;") == [("A", 0, (("f", "f"),), "", False)]
    assert split("require_once __DIR__ . '/a.php'") == [("a.php", 1, (), "", True)]
    assert split("include('a/b.inc')") == [("a/b.inc", 0, (), "", True)]
    assert split("require $path") == []
    assert split("use Loud, Quiet { Loud::shout insteadof Quiet; }") == [
        ("", 0, (("Loud", "Loud"),), "", False),
        ("", 0, (("Quiet", "Quiet"),), "", False),
    ]


def test_roles_of_references() -> None:
    assert uses("shop.php", Role.ATTRIBUTE, Role.TYPE, Role.CALL) == snapshot("""\
attribute: Green MAX Red count id items name store
call: Registry Store add all array_map close define full helper run static strtoupper substr
title
type: Base Called Countable Entity Failure Fast IOException Item Named Other Override Person
Registry Store self static\
""")


def test_meanings_across_files() -> None:
    assert meanings(PROGRAM) == snapshot("""\
Basis: src/Basis.php:4:Basis
Loud: src/Loud.php:4:Loud
Person: lib/Person.php:4:Person
full: lib/more.php:4:full
Known: lib/more.php:5:Registry
all: lib/more.php:5:all
helper: lib/tools.php:5:helper
LIMIT: lib/tools.php:4:LIMIT
store->: src/Main.php:14:store
get: src/Store.php:4:get
Person: lib/Person.php:4:Person
name: lib/Person.php:6:name
log: src/Basis.php:4:log
Mood: lib/more.php:6:Mood
Good: lib/more.php:6:Good
shout: src/Loud.php:4:shout
old: src/legacy.php:2:old
make: lib/Person.php:7:make
full: lib/more.php:4:full\
""")
