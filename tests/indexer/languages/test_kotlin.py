"""Kotlin: classes, extensions and packages."""

from __future__ import annotations

from inline_snapshot import snapshot

from indexer import Role
from indexer.languages.kotlin.imports import split
from tests.indexer.checks import check_imports, check_symbols
from tests.indexer.languages.checks import meanings, sample, uses

PROGRAM = """\
-- app/src/main/kotlin/Main.kt --
package app

import app.model.Person
import app.model.Person.Mood
import app.model.shorten
import app.tools.*
import app.model.Registry as Known

class Main(private val store: Store) : §Basis() {
    fun run(who: §Person, mood: §Mood) {
        who.§full(1)
        "x".§shorten()
        §Known.§all.clear()
        §helper(§LIMIT)
        §store.§get("x")
        val made = §Person("x")
        made.§name.§initial
        §log("x")
        val inner: §Person.Inner = §beside()
        §Person.§make()
    }
}
-- app/src/main/kotlin/Basis.kt --
package app

open class Basis {
    fun log(text: String) {}
}
fun beside() = Unit
-- elsewhere/anything.kt --
package app.model

class Person(val name: String) : Base() {
    enum class Mood { GOOD }
    inner class Inner
    private val count = 1

    companion object {
        fun make() = Person("")
    }
}
object Registry {
    val all = mutableListOf<Person>()
}
fun String.shorten() = take(1)
val String.initial: Char get() = first()
-- elsewhere/base.kt --
package app.model

abstract class Base {
    fun full(count: Int) = count
}
-- app/tools/Tools.kt --
package app.tools

const val LIMIT = 1
fun helper(count: Int) = count
-- app/src/main/java/app/Store.java --
package app;

public class Store { public String get(String key) { return key; } }
"""


def test_symbols() -> None:
    check_symbols(
        sample("Shop.kt"),
        snapshot("""\
module app.shop | package app.shop
constant LIMIT <Int> | const val LIMIT: Int = 10 | /** How many things fit.
variable cache <Cache> | val cache = Cache<String, Item>()
variable left | var (left, right) = 1 to 2
variable right | var (left, right) = 1 to 2
variable late <Store> | private lateinit var late: Store
type Items <Map String List Item> | typealias Items = Map<String, List<I
type Handler <Item Unit> | typealias Handler = (Item) -> Unit
class Person <Base Called Comparable> | @Entity(name = "é") open class Perso | /** * A person. */
field Person.name <String> | val name: String | /** The name. */
field Person.store <Store T> | private var store: Store<T>
field Person.label <String> | val label: String
field Person.count | var count = 0
field Person.items | val items by lazy { Items() }
field Person.cached <Cache> | val cached = Cache<T, Item>(LIMIT)
field Person.other <Store T> | lateinit var other: Store<T>
method Person.constructor | constructor(store: Store<T>) : this(
method Person.full <String> | override fun full(count: Int): Strin | /** Full name. */
function Person.full.nested <Int> | fun nested(): Int
method Person.twice <R> | suspend fun <R> twice(block: suspend
method Person.plus <Person T> | operator fun plus(that: Person<T>):
class Person.Inner | inner class Inner(val deep: Int)
field Person.Inner.deep <Int> | val deep: Int
method Person.Inner.outer | fun outer()
field Person.MAX | const val MAX = 3
method Person.make <Person Any> | @JvmStatic fun make(): Person<Any>
interface Named <Base Other> | interface Named : Base<Any>, Other
field Named.title <String> | val title: String
method Named.greet | fun greet(who: Person<*>)
method Named.hello | fun hello()
interface Visitor | fun interface Visitor<in T>
method Visitor.visit <Boolean> | fun visit(what: T): Boolean
enum Color | enum class Color(val rgb: Int)
field Color.rgb <Int> | val rgb: Int
field Color.RED | RED(0xFF0000)
field Color.GREEN | GREEN(0x00FF00) { override fun next(
method Color.next | override fun next()
method Color.next <Color> | abstract fun next(): Color
class Shape | sealed class Shape
class Shape.Circle <Shape> | data class Circle(val radius: Double
field Shape.Circle.radius <Double> | val radius: Double
class Shape.Nothing <Shape> | data object Nothing : Shape()
class Id | @JvmInline value class Id(val value:
field Id.value <Long> | val value: Long
interface Marker | annotation class Marker(val why: Str
field Marker.why <String> | val why: String
class Registry <Visitor> | object Registry : Visitor<Item>
field Registry.all <mutableListOf> | val all = mutableListOf<Item>()
method Registry.visit <Boolean> | override fun visit(what: Item): Bool
class Plain | abstract class Plain
method String.shorten <String> | fun String.shorten(length: Int = LIM | /** Trims. */
field Person.initial <Char> | val Person<*>.initial: Char
method List.joined <List T> | infix fun <T> List<T>.joined(other:
function run | internal inline fun <reified T> run(
function run.visit | override fun visit(what: Item)\
"""),
    )


def test_imports() -> None:
    check_imports(
        sample("Shop.kt"),
        snapshot("""\
from 'app.base'
    Base
from 'app.base'
    Named as Called
from 'app.store' star
from 'kotlin.math'
    max\
"""),
    )


def test_statements() -> None:
    assert split("import a.b.C") == [("a.b", 0, (("C", "C"),), "", False)]
    assert split("import a.`in`.C as D;") == [("a.in", 0, (("C", "D"),), "", False)]
    assert split("import  a.b . *") == [("a.b", 0, (), "", True)]
    assert split("import lonely") == [("", 0, (("lonely", "lonely"),), "", False)]
    assert split("import") == []


def test_roles_of_references() -> None:
    assert uses("Shop.kt", Role.ATTRIBUTE, Role.TYPE, Role.CALL) == snapshot("""\
attribute: all id name radius shape size
call: Cache Items Person Store add block close first forEach full helper lazy map max
mutableListOf nested println take to
type: Any Base Boolean Called Char Circle Color Comparable Double Entity IllegalStateException
Int Item JvmInline JvmName JvmStatic List Long Map Other Person R Shape Store String T Unit
Visitor\
""")


def test_meanings_across_files() -> None:
    assert meanings(PROGRAM) == snapshot("""\
Basis: app/src/main/kotlin/Basis.kt:3:Basis
Person: elsewhere/anything.kt:3:Person
Mood: elsewhere/anything.kt:4:Mood
full: elsewhere/base.kt:4:full
shorten: elsewhere/anything.kt:15:shorten ?
Known: elsewhere/anything.kt:12:Registry
all: elsewhere/anything.kt:13:all
helper: app/tools/Tools.kt:4:helper
LIMIT: app/tools/Tools.kt:3:LIMIT
store: app/src/main/kotlin/Main.kt:9:store
get: app/src/main/java/app/Store.java:3:get
Person: elsewhere/anything.kt:3:Person
name: elsewhere/anything.kt:3:name
initial: elsewhere/anything.kt:16:initial ?
log: app/src/main/kotlin/Basis.kt:4:log
Person: elsewhere/anything.kt:3:Person
beside: app/src/main/kotlin/Basis.kt:6:beside
Person: elsewhere/anything.kt:3:Person
make: elsewhere/anything.kt:9:make\
""")


def test_headers_that_the_grammar_takes_for_calls_of_words() -> None:
    check_symbols(
        """\
-- Odd.kt --
@Target(FIELD)
annotation class Mark

@Delete
class Alone

@Flaky // why
open class Noted {
    fun kept() = 1
}
""",
        snapshot("""\
interface Mark | annotation class Mark
class Alone | @Delete class Alone
class Noted | @Flaky // why open class Noted
method Noted.kept | fun kept()\
"""),
    )
