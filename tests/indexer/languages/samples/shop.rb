# frozen_string_literal: true

require "set"
require_relative "base/named"
require_relative './store'
autoload :Cache, "app/cache"

LIMIT = 10
$verbose = false

# Where things are sold.
module App
  module Shop
    VERSION = "1.0".freeze
    Pair = Struct.new(:one, :two) do
      def sum
        one + two
      end
    end

    # A person.
    # It has a name.
    class Person < Base::Named
      include Comparable
      extend Enumerable, Forwardable
      prepend Loud

      COLORS = %i[red green].freeze
      @@count = 0
      class << self
        attr_reader :registry

        def build(store) = new(store)
      end

      attr_accessor :name, :age
      attr_reader "label"
      attr_writer :mood
      delegate :size, to: :store

      # Makes one.
      #
      # @param store [Store]
      def initialize(store, name: "", *rest, **options, &block)
        super()
        @store = store
        @cache = Cache.new(LIMIT)
        @name ||= name
        @@count += 1
        local = 1
      end

      def self.make(store)
        new(store)
      end

      # Full name.
      def full(count)
        helper("🦀") + count.to_s
      end

      def name=(value)
        @name = value
      end

      def <=>(other)
        name <=> other.name
      end

      def [](key) = @store[key]
      def empty? = size.zero?
      def close!; end

      alias to_s full
      alias_method :complete, :full
      define_method(:dynamic) { |x| x }

      private def hidden
        :é
      end

      protected

      def guarded
        yield self if block_given?
      end

      Error = Class.new(StandardError)
      class Inner; attr_reader :deep; end
    end
  end
end

class App::Shop::Late < App::Shop::Person
  def late; end
end

def App.run(who)
  made = Store.new
  found = App::Shop::Person.make(made)
  found.each do |item|
    item.full(1) unless item.nil?
  end
  case found
  when App::Shop::Person then puts found.name
  else raise ArgumentError, "é"
  end
rescue IOError => error
  warn error.message
end

def helper(text)
  text.upcase
end

App.run(nil) if __FILE__ == $PROGRAM_NAME
