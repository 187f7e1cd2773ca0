package app.shop

import app.base.{Base, Named => Called}
import app.store._
import app.more.*
import app.given
import scala.collection.mutable
import scala.util.{Try, Success as Done}

/** A type of things. */
type Items = Map[String, List[Item]]

package object tools {
  val limit: Int = 10
  def twice(n: Int): Int = n * 2
}

/**
 * A person.
 */
@entity(name = "é")
class Person[T <: AnyRef](val name: String, private var store: Store[T], age: Int = 0)
    extends Base[T](name)
    with Called
    with Comparable[Person[T]] {

  type Key = String
  val label: String = s"$name ${store.size}"
  var count = 0
  lazy val items = new Items()
  val (left, right) = (1, 2)
  private[this] val cached = new Cache[T, Item](10)

  def this(store: Store[T]) = this("", store)

  /** Full name. */
  override def full(count: Int)(implicit context: Context): String = {
    def nested(): Int = 1
    val local = helper("🦀")
    local + count + nested()
  }

  def +(that: Person[T]): Person[T] = this
  def unary_! : Boolean = false
  def size_=(n: Int): Unit = ()

  class Inner(deep: Int) {
    def outer = Person.this.name
  }
}

/** Makes people. */
object Person extends Factory[Person[_]] {
  final val Max = 3
  def apply(): Person[AnyRef] = new Person("", new Store)
  implicit class Rich(val underlying: String) extends AnyVal {
    def shorten: String = underlying.take(Max)
  }
  implicit val ordering: Ordering[Person[_]] = Ordering.by(_.name)
}

trait Named extends Base[Any] with Other { self: Person[_] =>
  def title: String
  val short: String
  def hello(): Unit = println(title)
}

sealed abstract class Shape
case class Circle(radius: Double) extends Shape
case object Nothing extends Shape

enum Color(val rgb: Int) extends Hue {
  case Red extends Color(0xff0000)
  case Green, Blue
  case Mix(one: Int)
  def next: Color = Red
}

opaque type Id = Long

given intOrd: Ordering[Int] with {
  def compare(x: Int, y: Int): Int = x - y
}

given Conversion[String, Id] = _.length

extension (text: String)
  def initial: Char = text.head
  def words: List[String] = text.split(" ").toList

object Main:
  val all = mutable.ListBuffer[Item]()

  def run(who: Person[_], block: => Int)(using store: Store[Int]): Unit =
    val made: Store[Int] = Store()
    val found = new Registry
    for
      item <- found.all
      other = item.next
    do who.full(block)
    made.shape match
      case Circle(radius) => println(radius)
      case other: Shape => println(other)
    found.all.map(_.id).foreach(println)

end Main

@main def start(args: String*): Unit = Main.run(Person(), 1)
