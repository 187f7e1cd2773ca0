using System;
using System.Collections.Generic;
using static App.Tools.Text;
using Called = App.Base.Named;
global using App.Store;

[assembly: InternalsVisibleTo("Tests")]

namespace App.Shop
{
    using App.More;

    /// <summary>
    /// Who buys.
    /// </summary>
    [Entity("é")]
    public abstract partial class Person<T> : Base<T>, INa where T : class
    {
        public const int Limit = 10;
        private readonly Store<T> store, others;
        private static Cache cache = new Cache();
        public event EventHandler<Args> Changed;
        public event EventHandler Done { add { } remove { } }

        /// <summary>Makes one.</summary>
        public Person(Store<T> store) : base("")
        {
            this.store = store;
            int local = 1;
        }

        static Person() { }

        ~Person() { Dispose(false); }

        /// <summary>The name.</summary>
        [Key]
        public string Name { get; set; } = "";
        public int Count => store.Count;
        public T this[int index] => store[index];

        /* Full name. */
        public override async Task<string> Full(int count, params string[] rest)
        {
            int Nested() => 1;
            return Helper("🦀") + count + Nested();
        }

        public abstract void Later();
        string INamed.Title() => Name;
        public static Person<T> operator +(Person<T> a, Person<T> b) => a;
        public static implicit operator string(Person<T> who) => who.Name;

        public class Inner { public int Deep; }
        private enum Mood { Good, Bad = 2 }
        public delegate void Handler(object sender, Args args);
    }

    public interface INamed : IBase, IOther
    {
        string Title();
        int Size { get; }
        void Hello() => Console.WriteLine(Title());
    }

    public enum Color : byte
    {
        [Display] Red,
        Green = 2,
    }

    public readonly struct Point : IEquatable<Point>
    {
        public readonly int X, Y;
        public Point(int x, int y) => (X, Y) = (x, y);
    }

    public record Circle(double Radius, Store<int> Area) : Shape(Radius);
    public record struct Pair(int One, int Two);
    public class Primary(Store<int> store) : Base<int>(store);

    public delegate TResult Maker<in T, out TResult>(T arg);

    /// <summary>Trims.</summary>
    public static class Extensions
    {
        public static string Shorten(this string text, int length = 1) => text[..length];

        public static void Run(Person<object> who, Func<int> block)
        {
            Store<int> made = new();
            var found = new Registry();
            var all = Registry.Make<int>();
            foreach (Item item in found.All) who?.Full(block());
            if (made.Shape is Circle circle) Console.WriteLine(circle.Radius);
            using (var file = File.Open("x")) { }
            try { made.Close(); } catch (IOException error) { throw new Failure(error); }
            all.Select(item => item.Id).ToList<int>().ForEach(Console.WriteLine);
#if DEBUG
            Trace(nameof(made));
#endif
        }
    }
}
