"""Ruby: modules, classes, methods, attributes and what is required."""

from __future__ import annotations

from inline_snapshot import snapshot

from indexer import Role
from indexer.languages.ruby.imports import split
from tests.indexer.checks import check_imports, check_symbols
from tests.indexer.languages.checks import meanings, sample, uses

PROGRAM = """\
-- lib/app/main.rb --
require "app/tools"
require_relative "basis"

module App
  class Main < §Basis
    include §Loud

    def initialize(store)
      @store = Store.new
      @who = store
    end

    def run
      @store.§get("x")
      made = §Person.new
      made.§full(1)
      made.§name
      §helper(§LIMIT)
      §log("x")
      §Model::§Registry.§all
      self.§run
      §shout
      made.§whisper
    end
  end
end
-- lib/app/basis.rb --
module App
  class Basis
    def log(text); end
  end
end
-- lib/app/store.rb --
module App
  class Store
    def get(key) = key
  end
end
-- lib/app/person.rb --
module App
  class Person < Base
    extend Model::Quiet
    attr_reader :name
  end
end
-- lib/app/base.rb --
module App
  class Base
    def full(count); end
  end
end
-- lib/app/model/registry.rb --
module App
  module Model
    class Registry
      def self.all; end
    end
  end
end
-- lib/app/loud.rb --
module App
  module Loud
    def shout; end
  end

  module Model
    module Quiet
      def whisper; end
    end
  end
end
-- lib/app/tools.rb --
LIMIT = 1
def helper(count)
  count
end
"""


def test_symbols() -> None:
    check_symbols(
        sample("shop.rb"),
        snapshot("""\
constant LIMIT | LIMIT = 10
variable $verbose | $verbose = false
module App | module App | # Where things are sold.
module App.Shop | module Shop
constant App.Shop.VERSION | VERSION = "1.0".freeze
class App.Shop.Pair <Struct> | Pair = Struct.new(:one, :two) do def
field App.Shop.Pair.one | Pair = Struct.new(:one, :two) do def
field App.Shop.Pair.two | Pair = Struct.new(:one, :two) do def
method App.Shop.Pair.sum | def sum
class App.Shop.Person <Base::Named> | class Person < Base::Named | # A person. # It has a n
field App.Shop.Person.COLORS | COLORS = %i[red green].freeze
field App.Shop.Person.count | @@count = 0
field App.Shop.Person.registry | attr_reader :registry
method App.Shop.Person.build | def build(store) =
field App.Shop.Person.name | attr_accessor :name, :age
field App.Shop.Person.age | attr_accessor :name, :age
field App.Shop.Person.label | attr_reader "label"
field App.Shop.Person.mood | attr_writer :mood
method App.Shop.Person.initialize | def initialize(store, name: "", *res | # Makes one. # # @param
field App.Shop.Person.store | @store = store
field App.Shop.Person.cache <Cache> | @cache = Cache.new(LIMIT)
method App.Shop.Person.make | def self.make(store)
method App.Shop.Person.full | def full(count) | # Full name.
method App.Shop.Person.name= | def name=(value)
method App.Shop.Person.<=> | def <=>(other)
method App.Shop.Person.[] | def [](key) =
method App.Shop.Person.empty? | def empty? =
method App.Shop.Person.close! | def close!; end
method App.Shop.Person.to_s | alias to_s full
method App.Shop.Person.complete | alias_method :complete, :full
method App.Shop.Person.dynamic | define_method(:dynamic) { |x| x }
method App.Shop.Person.hidden | def hidden
method App.Shop.Person.guarded | def guarded
class App.Shop.Person.Error <StandardError> | Error = Class.new(StandardError)
class App.Shop.Person.Inner | class Inner;
field App.Shop.Person.Inner.deep | attr_reader :deep
class Late <App::Shop::Person> | class App::Shop::Late < App::Shop::P
method Late.late | def late; end
method App.run | def App.run(who)
function helper | def helper(text)\
"""),
    )


def test_imports() -> None:
    check_imports(
        sample("shop.rb"),
        snapshot("""\
from 'set' star
from .'base/named' star
from .'./store' star
from 'app/cache'
    Cache
from ''
    Comparable
from ''
    Enumerable, Forwardable
from ''
    Loud\
"""),
    )


def test_statements() -> None:
    assert split('require "a/b"') == [("a/b", 0, (), "", True)]
    assert split("require('a')") == [("a", 0, (), "", True)]
    assert split("Kernel.require 'a'") == [("a", 0, (), "", True)]
    assert split("require_relative '../a'") == [("../a", 1, (), "", True)]
    assert split("autoload :Cache, 'a/cache'") == [("a/cache", 0, (("Cache", "Cache"),), "", False)]
    assert split('require "#{name}"') == []
    assert split("include Comparable, Foo::Bar") == [
        ("", 0, (("Comparable", "Comparable"), ("Foo::Bar", "Bar")), "", False)
    ]
    assert split("extend self") == []


def test_roles_of_references() -> None:
    assert uses("shop.rb", Role.ATTRIBUTE, Role.TYPE, Role.CALL) == snapshot("""\
attribute: Person Shop count name store
call: alias_method attr_accessor attr_reader attr_writer block_given? define_method delegate
each freeze full helper make message name new nil? private puts raise run to_s upcase warn zero?
type: IOError Named Person\
""")


def test_meanings_across_files() -> None:
    assert meanings(PROGRAM) == snapshot("""\
Basis: lib/app/basis.rb:2:Basis
Loud: lib/app/loud.rb:2:Loud
get: lib/app/store.rb:3:get
Person: lib/app/person.rb:2:Person
full: lib/app/base.rb:3:full
name: lib/app/person.rb:4:name
helper: lib/app/tools.rb:2:helper
LIMIT: lib/app/tools.rb:1:LIMIT
log: lib/app/basis.rb:3:log
Model: lib/app/loud.rb:6:Model
Registry: lib/app/model/registry.rb:3:Registry
all: lib/app/model/registry.rb:4:all
run: lib/app/main.rb:13:run
shout: lib/app/loud.rb:3:shout
whisper: lib/app/loud.rb:8:whisper\
""")
