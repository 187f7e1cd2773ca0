"""Scala: classes, objects, givens, extensions and packages, in the syntax of 2 and 3."""

from __future__ import annotations

from inline_snapshot import snapshot

from indexer import Role
from indexer.languages.scala.imports import split
from tests.indexer.checks import check_imports, check_symbols
from tests.indexer.languages.checks import meanings, sample, uses

PROGRAM = """\
-- app/src/main/scala/app/Main.scala --
package app

import app.model.{Person, Registry => Known}
import app.model.Person.Mood
import app.tools._
import app.Settings.limit

class Main(store: Store) extends §Basis {
  def run(who: §Person, mood: §Mood): Unit = {
    who.§full(1)
    §Known.§all.clear()
    §helper(§limit)
    §store.§get("x")
    val made = new §Person("x")
    made.§name
    val other = §Person.§make()
    other.§full(2)
    §log("x")
    §log(§Person("x"))
  }
}
-- app/src/main/scala/app/Basis.scala --
package app

trait Basis {
  def log(text: Any): Unit = println(text)
}
object Settings {
  val limit = 3
}
-- elsewhere/anything.scala --
package app.model

case class Person(name: String) extends Base

object Person {
  sealed trait Mood
  def make(): Person = new Person("")
}
object Registry {
  val all = List[Person]()
}
-- elsewhere/base.scala --
package app.model

abstract class Base:
  def full(count: Int) = count
-- app/tools/package.scala --
package app

package object tools {
  def helper(count: Int) = count
}
-- app/src/main/java/app/Store.java --
package app;

public class Store { public String get(String key) { return key; } }
"""


def test_symbols() -> None:
    check_symbols(
        sample("shop.scala"),
        snapshot("""\
module app.shop | package app.shop
type Items <Map String List Item> | type Items = Map[String, List[Item]] | /** A type of things. */
module tools | package object tools
variable tools.limit <Int> | val limit: Int = 10
function tools.twice <Int> | def twice(n: Int): Int =
class Person <Base Called Comparable> | @entity(name = "é") class Person[T < | /** * A person. */
field Person.name <String> | val name: String
field Person.store <Store T> | private var store: Store[T]
field Person.age <Int> | age: Int = 0
type Person.Key <String> | type Key = String
field Person.label <String> | val label: String = s"$name ${store.
field Person.count | var count = 0
field Person.items <Items> | lazy val items = new Items()
field Person.left | val (left, right) = (1, 2)
field Person.right | val (left, right) = (1, 2)
field Person.cached <Cache T Item> | private[this] val cached = new Cache
method Person.this | def this(store: Store[T]) =
method Person.full <String> | override def full(count: Int)(implic | /** Full name. */
function Person.full.nested <Int> | def nested(): Int =
method Person.+ <Person T> | def +(that: Person[T]): Person[T] =
method Person.unary_! <Boolean> | def unary_! : Boolean =
method Person.size_= <Unit> | def size_=(n: Int): Unit =
class Person.Inner | class Inner(deep: Int)
field Person.Inner.deep <Int> | deep: Int
method Person.Inner.outer | def outer =
class Person <Factory> | object Person extends Factory[Person | /** Makes people. */
field Person.Max | final val Max = 3
method Person.apply <Person AnyRef> | def apply(): Person[AnyRef] =
class Person.Rich <AnyVal> | implicit class Rich(val underlying:
field Person.Rich.underlying <String> | val underlying: String
method Person.Rich.shorten <String> | def shorten: String =
field Person.ordering <Ordering Person _ Ordering.by> | implicit val ordering: Ordering[Pers
interface Named <Base Other> | trait Named extends Base[Any] with O
method Named.title <String> | def title: String
field Named.short <String> | val short: String
method Named.hello <Unit> | def hello(): Unit =
class Shape | sealed abstract class Shape
class Circle <Shape> | case class Circle(radius: Double) ex
field Circle.radius <Double> | radius: Double
class Nothing <Shape> | case object Nothing extends Shape
enum Color <Hue> | enum Color(val rgb: Int) extends Hue
field Color.rgb <Int> | val rgb: Int
field Color.Red | Red extends Color(0xff0000)
field Color.Green | Green
field Color.Blue | Blue
field Color.Mix | Mix(one: Int)
method Color.next <Color> | def next: Color =
type Id <Long> | opaque type Id = Long
class intOrd <Ordering> | given intOrd: Ordering[Int] with
method intOrd.compare <Int> | def compare(x: Int, y: Int): Int =
extension String | extension (text: String) def initial
method String.initial <Char> | def initial: Char =
method String.words <List String> | def words: List[String] =
class Main | object Main
field Main.all <mutable.ListBuffer> | val all = mutable.ListBuffer[Item]()
method Main.run <Unit> | def run(who: Person[_], block: => In
function start <Unit> | @main def start(args: String*): Unit\
"""),
    )


def test_imports() -> None:
    check_imports(
        sample("shop.scala"),
        snapshot("""\
from 'app.base'
    Base, Named as Called
from 'app.store' star
from 'app.more' star
from 'app' star
from 'scala.collection'
    mutable
from 'scala.util'
    Try, Success as Done\
"""),
    )


def test_statements() -> None:
    assert split("import a.b.C") == [("a.b", 0, (("C", "C"),), "", False)]
    assert split("import a.b.{C, D => E, F as G, H => _, _}") == [
        ("a.b", 0, (("C", "C"), ("D", "E"), ("F", "G")), "", True)
    ]
    assert split("import a.b.C, d.{e, f}, g.*") == [
        ("a.b", 0, (("C", "C"),), "", False),
        ("d", 0, (("e", "e"), ("f", "f")), "", False),
        ("g", 0, (), "", True),
    ]
    assert split("import _root_.a.`type`.{ // why\n  B\n}") == [
        ("a.type", 0, (("B", "B"),), "", False)
    ]
    assert split("export a.b.given") == [("a.b", 0, (), "", True)]
    assert split("import") == []


def test_roles_of_references() -> None:
    assert uses("shop.scala", Role.ATTRIBUTE, Role.TYPE, Role.CALL) == snapshot("""\
attribute: all head id length name next shape size this toList
call: * + - Cache Circle Items ListBuffer Person Registry Store by foreach full helper map
nested println run split take this
type: Any AnyRef AnyVal Base Boolean Called Char Color Comparable Context Conversion Double
Factory Hue Id Int Item List Long Map Ordering Other Person Shape Store String T Unit entity
main\
""")


def test_meanings_across_files() -> None:
    assert meanings(PROGRAM) == snapshot("""\
Basis: app/src/main/scala/app/Basis.scala:3:Basis
Person: elsewhere/anything.scala:3:Person
Mood: elsewhere/anything.scala:6:Mood
full: elsewhere/base.scala:4:full
Known: elsewhere/anything.scala:9:Registry
all: elsewhere/anything.scala:10:all
helper: app/tools/package.scala:4:helper
limit: app/src/main/scala/app/Basis.scala:7:limit
store: app/src/main/scala/app/Main.scala:8:store
get: app/src/main/java/app/Store.java:3:get
Person: elsewhere/anything.scala:3:Person
name: elsewhere/anything.scala:3:name
Person: elsewhere/anything.scala:3:Person
make: elsewhere/anything.scala:7:make
full: elsewhere/base.scala:4:full
log: app/src/main/scala/app/Basis.scala:4:log
log: app/src/main/scala/app/Basis.scala:4:log
Person: elsewhere/anything.scala:3:Person\
""")
