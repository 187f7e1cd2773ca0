"""C#: types, members and namespaces."""

from __future__ import annotations

from inline_snapshot import snapshot

from indexer import Role
from indexer.languages.c_sharp.imports import split
from tests.indexer.checks import check_imports, check_symbols
from tests.indexer.languages.checks import meanings, sample, uses

PROGRAM = """\
-- src/Main.cs --
using System;
using App.Model;
using static App.Tools.Text;
using Known = App.Model.Registry;

namespace App.Shop
{
    class Main : §Basis
    {
        private readonly Store store;

        public void Run(§Person who, §Person.Mood mood)
        {
            who.§Full(1);
            §Known.§All.Clear();
            §Helper(§Limit);
            §store.§Get("x");
            this.§store.§Get("x");
            var made = new §Person();
            made.§Name.Trim();
            §Log("x");
            §Outer.§Go();
            var other = §Person.§Make();
            other.§Full(2);
        }
    }
}
-- src/Basis.cs --
namespace App.Shop;

public abstract class Basis { protected void Log(string text) { } }
public class Store { public string Get(string key) => key; }
-- src/Outer.cs --
namespace App;

static class Outer { public static void Go() { } }
-- lib/Anything.cs --
namespace App.Model
{
    public partial class Person : Base
    {
        public string Name { get; set; }
        public enum Mood { Good }
        public static Person Make() => new Person();
    }
    public static class Registry { public static List<Person> All; }
}
-- lib/Base.cs --
namespace App.Model;

public abstract class Base { public int Full(int count) { return count; } }
-- lib/Text.cs --
namespace App.Tools;

public static class Text
{
    public const int Limit = 1;
    public static int Helper(int count) => count;
}
"""


def test_symbols() -> None:
    check_symbols(
        sample("Shop.cs"),
        snapshot("""\
module App.Shop | namespace App.Shop
class App.Shop.Person <Base INa> | [Entity("é")] public abstract partia | /// <summary> /// Who bu
field App.Shop.Person.Limit <int> | public const int Limit = 10;
field App.Shop.Person.store <Store T> | private readonly Store<T> store, oth
field App.Shop.Person.others <Store T> | private readonly Store<T> store, oth
field App.Shop.Person.cache <Cache> | private static Cache cache = new Cac
field App.Shop.Person.Changed <EventHandler Args> | public event EventHandler<Args> Chan
field App.Shop.Person.Done <EventHandler> | public event EventHandler Done
method App.Shop.Person.Person | public Person(Store<T> store) : base | /// <summary>Makes one.<
method App.Shop.Person.Person | static Person()
method App.Shop.Person.Person | ~Person()
field App.Shop.Person.Name <string> | [Key] public string Name | /// <summary>The name.</
field App.Shop.Person.Count <int> | public int Count
field App.Shop.Person.this <T> | public T this[int index]
method App.Shop.Person.Full <Task string> | public override async Task<string> F | /* Full name. */
function App.Shop.Person.Full.Nested <int> | int Nested()
method App.Shop.Person.Later <void> | public abstract void Later();
method App.Shop.Person.Title <string> | string INamed.Title()
method App.Shop.Person.+ <Person T> | public static Person<T> operator +(P
method App.Shop.Person.string | public static implicit operator stri
class App.Shop.Person.Inner | public class Inner
field App.Shop.Person.Inner.Deep <int> | public int Deep;
enum App.Shop.Person.Mood | private enum Mood
field App.Shop.Person.Mood.Good | Good
field App.Shop.Person.Mood.Bad | Bad = 2
type App.Shop.Person.Handler | public delegate void Handler(object
interface App.Shop.INamed <IBase IOther> | public interface INamed : IBase, IOt
method App.Shop.INamed.Title <string> | string Title();
field App.Shop.INamed.Size <int> | int Size
method App.Shop.INamed.Hello <void> | void Hello()
enum App.Shop.Color | public enum Color : byte
field App.Shop.Color.Red | [Display] Red
field App.Shop.Color.Green | Green = 2
class App.Shop.Point <IEquatable> | public readonly struct Point : IEqua
field App.Shop.Point.X <int> | public readonly int X, Y;
field App.Shop.Point.Y <int> | public readonly int X, Y;
method App.Shop.Point.Point | public Point(int x, int y)
class App.Shop.Circle <Shape> | public record Circle(double Radius,
field App.Shop.Circle.Radius <double> | double Radius
field App.Shop.Circle.Area <Store int> | Store<int> Area
class App.Shop.Pair | public record struct Pair(int One, i
field App.Shop.Pair.One <int> | int One
field App.Shop.Pair.Two <int> | int Two
class App.Shop.Primary <Base> | public class Primary(Store<int> stor
field App.Shop.Primary.store <Store int> | Store<int> store
type App.Shop.Maker | public delegate TResult Maker<in T,
class App.Shop.Extensions | public static class Extensions | /// <summary>Trims.</sum
method App.Shop.Extensions.Shorten <string> | public static string Shorten(this st
method App.Shop.Extensions.Run <void> | public static void Run(Person<object\
"""),
    )


def test_imports() -> None:
    check_imports(
        sample("Shop.cs"),
        snapshot("""\
from 'System' star
from 'System.Collections.Generic' star
from 'App.Tools.Text' star
from 'App.Base'
    Named as Called
from 'App.Store' star
from 'App.More' star\
"""),
    )


def test_statements() -> None:
    assert split("using A.B;") == [("A.B", 0, (), "", True)]
    assert split("global using static A.B.C;") == [("A.B.C", 0, (), "", True)]
    assert split("using X = A.B.C;") == [("A.B", 0, (("C", "X"),), "", False)]
    assert split("using X = A.B.C<int>;") == [("A.B", 0, (("C", "X"),), "", False)]
    assert split("using X = global::A.@in;") == [("A", 0, (("in", "X"),), "", False)]
    assert split("using") == []


def test_roles_of_references() -> None:
    assert uses("Shop.cs", Role.ATTRIBUTE, Role.TYPE, Role.CALL) == snapshot("""\
attribute: All Count Id Name Radius Shape WriteLine store
call: Cache Close Dispose Failure ForEach Full Helper Make Nested Open Registry Select Title
ToList Trace WriteLine block nameof
type: Args Base Cache Circle Display Entity EventHandler Func IBase IEquatable INa INamed
IOException IOther InternalsVisibleTo Item Key Person Point Shape Shop Store T TResult Task\
""")


def test_meanings_across_files() -> None:
    assert meanings(PROGRAM) == snapshot("""\
Basis: src/Basis.cs:3:Basis
Person: lib/Anything.cs:3:Person
Person: lib/Anything.cs:3:Person
Full: lib/Base.cs:3:Full
Known: lib/Anything.cs:9:Registry
All: lib/Anything.cs:9:All
Helper: lib/Text.cs:6:Helper
Limit: lib/Text.cs:5:Limit
store: src/Main.cs:10:store
Get: src/Basis.cs:4:Get
store: src/Main.cs:10:store
Get: src/Basis.cs:4:Get
Person: lib/Anything.cs:3:Person
Name: lib/Anything.cs:5:Name
Log: src/Basis.cs:3:Log
Outer: src/Outer.cs:3:Outer
Go: src/Outer.cs:3:Go
Person: lib/Anything.cs:3:Person
Make: lib/Anything.cs:7:Make
Full: lib/Base.cs:3:Full\
""")
