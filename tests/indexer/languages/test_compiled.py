"""Go, Rust, C and C++: declarations in the forms that real code writes them in."""

from __future__ import annotations

from inline_snapshot import snapshot

from tests.indexer.checks import check_symbols


def test_fields_that_go_embeds() -> None:
    check_symbols(
        """\
-- a.go --
package a

type Server struct {
	Base
	*http.Handler
	list.List[int]
	name string
}
""",
        snapshot("""\
class Server | Server struct
field Server.Base <Base> | Base
field Server.Handler <http.Handler> | *http.Handler
field Server.List <list.List int> | list.List[int]
field Server.name <string> | name string\
"""),
    )


def test_impls_of_types_that_are_no_plain_names() -> None:
    check_symbols(
        """\
-- a.rs --
trait Named { type Out: Clone; fn name(&self) -> String; }
impl Named for u8 { fn name(&self) -> String { String::new() } }
impl<'a, T: Named> Named for &'a mut T { fn name(&self) -> String { String::new() } }
impl Named for [u16] { fn name(&self) -> String { String::new() } }
impl dyn Named { fn twice(&self) {} }
impl Named for a::Deep<u8> { fn name(&self) -> String { String::new() } }
""",
        snapshot("""\
interface Named | trait Named
type Named.Out <Clone> | type Out: Clone;
method Named.name <String> | fn name(&self) -> String;
extension u8 <Named> | impl Named for u8
method u8.name <String> | fn name(&self) -> String
extension T <Named> | impl<'a, T: Named> Named for &'a mut
method T.name <String> | fn name(&self) -> String
extension u16 <Named> | impl Named for [u16]
method u16.name <String> | fn name(&self) -> String
extension Named | impl dyn Named
method Named.twice | fn twice(&self)
extension Deep <Named> | impl Named for a::Deep<u8>
method Deep.name <String> | fn name(&self) -> String\
"""),
    )


def test_declarators_in_c() -> None:
    check_symbols(
        """\
-- a.c --
static const char *names[] = { "a" }, **words;
int grid[2][3];
static int (*compare)(int, int) = 0;
void (*handlers[4])(void);
typedef struct node { struct node *next; char *tags[3]; } node_t;
typedef int number(int);
typedef enum color { RED } color;
""",
        snapshot("""\
variable names <char> | static const char *names[] = { "a" }
variable words <char> | static const char *names[] = { "a" }
variable grid <int> | int grid[2][3];
variable compare <int> | static int (*compare)(int, int) = 0;
variable handlers <void> | void (*handlers[4])(void);
class node | struct node
field node.next <node> | struct node *next;
field node.tags <char> | char *tags[3];
type node_t <node> | node_t
type number | typedef int number(int);
enum color | enum color
field color.RED | RED
type color <color> | color\
"""),
    )


def test_members_in_cpp() -> None:
    check_symbols(
        """\
-- a.hpp --
class Value {
 public:
  Value() = default;
  Value(const Value&) = delete;
  Value& operator=(const Value& other);
  bool operator==(const Value& other) const { return true; }
  explicit operator bool() const;
 private:
  char name_[8];
  std::mutex mutex_;
  int guarded_ GUARDED_BY(mutex_);
};
struct Value::Part { int x; void Reset(); };
void Value::Part::Reset() {}
std::ostream& operator<<(std::ostream& out, const Value& value);
""",
        snapshot("""\
class Value | class Value
method Value.Value | Value() = default;
method Value.Value | Value(const Value&) = delete;
method Value.operator= <Value> | Value& operator=(const Value& other)
method Value.operator== <bool> | bool operator==(const Value& other)
field Value.name_ <char> | char name_[8];
field Value.mutex_ <std::mutex> | std::mutex mutex_;
field Value.guarded_ <int> | int guarded_ GUARDED_BY(mutex_);
class Value.Part | struct Value::Part
field Value.Part.x <int> | int x;
method Value.Part.Reset <void> | void Reset();
method Part.Reset <void> | void Value::Part::Reset()
function operator<< <std::ostream> | std::ostream& operator<<(std::ostrea\
"""),
    )


def test_a_macro_between_class_and_its_name() -> None:
    check_symbols(
        """\
-- a.hpp --
class EXPORT Cache {
 public:
  Cache() = default;
  virtual ~Cache();
  int size_;
  void Clear();
};
struct Locked {
  int Read() LOCKS_EXCLUDED(mutex_) { return 1; }
};
EXPORT cache_t* cache_create(int size);
int after;
""",
        snapshot("""\
class Cache | class EXPORT Cache
method Cache.~Cache | ~Cache()
field Cache.size_ <int> | int size_;
method Cache.Clear <void> | void Clear();
class Locked | struct Locked
method Locked.Read <int> | int Read() LOCKS_EXCLUDED(mutex_)
function Locked.Read.LOCKS_EXCLUDED <int> | int Read() LOCKS_EXCLUDED(mutex_)
function cache_create <EXPORT> | EXPORT cache_t* cache_create(int siz
variable after <int> | int after;\
"""),
    )
