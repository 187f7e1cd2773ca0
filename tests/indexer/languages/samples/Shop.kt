@file:JvmName("Shop")

package app.shop

import app.base.Base
import app.base.Named as Called
import app.store.*
import kotlin.math.max

/** How many things fit. */
const val LIMIT: Int = 10
val cache = Cache<String, Item>()
var (left, right) = 1 to 2
private lateinit var late: Store

typealias Items = Map<String, List<Item>>
typealias Handler = (Item) -> Unit

/**
 * A person.
 */
@Entity(name = "é")
open class Person<T : Any>(
    /** The name. */
    val name: String,
    private var store: Store<T>,
    age: Int = 0,
) : Base<T>(name), Called, Comparable<Person<T>> {
    val label: String get() = "$name ${store.size}"
    var count = 0
        private set
    val items by lazy { Items() }
    val cached = Cache<T, Item>(LIMIT)
    lateinit var other: Store<T>

    init {
        val local = 1
        count = local
    }

    constructor(store: Store<T>) : this("", store) {
        count = 2
    }

    /** Full name. */
    override fun full(count: Int): String {
        fun nested(): Int = 1
        return helper("🦀") + count + nested()
    }

    suspend fun <R> twice(block: suspend (T) -> R): R? = null

    operator fun plus(that: Person<T>): Person<T> = this

    inner class Inner(val deep: Int) {
        fun outer() = this@Person.name
    }

    companion object {
        const val MAX = 3
        @JvmStatic fun make(): Person<Any> = Person("", Store())
    }
}

interface Named : Base<Any>, Other {
    val title: String
    fun greet(who: Person<*>)
    fun hello() = println(title)
}

fun interface Visitor<in T> {
    fun visit(what: T): Boolean
}

enum class Color(val rgb: Int) {
    RED(0xFF0000),
    GREEN(0x00FF00) {
        override fun next() = RED
    };

    abstract fun next(): Color
}

sealed class Shape {
    data class Circle(val radius: Double) : Shape()
    data object Nothing : Shape()
}

@JvmInline
value class Id(val value: Long)

annotation class Marker(val why: String)

object Registry : Visitor<Item> {
    val all = mutableListOf<Item>()
    override fun visit(what: Item): Boolean = all.add(what)
}

abstract class Plain

/** Trims. */
fun String.shorten(length: Int = LIMIT): String = take(max(length, 1))

val Person<*>.initial: Char
    get() = name.first()

infix fun <T> List<T>.joined(other: List<T>): List<T> where T : Any = this + other

internal inline fun <reified T> run(who: Person<*>?, noinline block: () -> T) {
    val made: Store<T> = Store()
    val found = Registry.all
    val (one, two) = 1 to 2
    for (item: Item in found) who?.full(one)
    when (val shape = made.shape) {
        is Shape.Circle -> println(shape.radius)
        else -> block()
    }
    try { made.close() } catch (error: IllegalStateException) { throw error }
    found.map { item -> item.id }.forEach(::println)
    val handler = object : Visitor<Item> {
        override fun visit(what: Item) = true
    }
}
