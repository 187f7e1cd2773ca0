"""Definitions that the code at a cursor needs: how they are found and ordered, in Python."""

from __future__ import annotations

import time

from inline_snapshot import snapshot

from tests.indexer.checks import check_definitions_needed, render_snippets
from tests.support.fixture import index_of, parse


def test_python_the_receiver_comes_first() -> None:
    check_definitions_needed(
        '''\
-- app/main.py --
from app.models import User, Missing
from . import util
import app.db as db


class Service(User):
    def __init__(self, conn: db.Connection):
        self.conn = conn
        self.helper = util.Helper(3)

    def run(self):
        rows = self.conn.$0
-- app/__init__.py --
-- app/models.py --
from app.base import Base
class User(Base):
    """A person.

    More."""
    @property
    def full(self) -> str:
        """Full name."""
-- app/base.py --
class Base:
    def save(self, force=False):
        pass
-- app/util.py --
class Helper:
    def __init__(self, n): self.n = n
    def help(self): ...
-- app/db.py --
class Pool:
    def release(self): ...
class Connection(Pool):
    "Talks to a database."
    def execute(self, sql: str, *args) -> "Cursor": ...
''',
        snapshot('''\
app/db.py (type of self.conn)
    class Connection(Pool):
        """Talks to a database."""
        def execute(self, sql: str, *args) -> "Cursor": ...
app/db.py (base of Connection)
    class Pool:
        def release(self): ...
app/models.py (base of Service)
    class User(Base):
        """A person."""
        @property
        def full(self) -> str:
            """Full name."""
app/base.py (base of Service)
    class Base:
        def save(self, force=False):
app/util.py (definition of Helper)
    class Helper:
        def __init__(self, n): self.n = n
'''),
    )


def test_python_what_was_typed_of_a_member_filters() -> None:
    check_definitions_needed(
        """\
-- main.py --
from lib import Box
def f(box: Box):
    box.op$0
-- lib.py --
class Box:
    def __init__(self): ...
    def open(self): ...
    def close(self): ...
    def operate(self, n): ...
""",
        snapshot("""\
lib.py (type of box)
    class Box:
        def __init__(self): ...
        def open(self): ...
        def operate(self, n): ...
"""),
    )


def test_python_reexports_are_followed() -> None:
    check_definitions_needed(
        """\
-- main.py --
from pkg import Thing, helper as h
from pkg.sub import *
$0
-- pkg/__init__.py --
from .impl import *
from .deep.more import helper
-- pkg/impl.py --
class Thing:
    def do(self): pass
-- pkg/deep/__init__.py --
-- pkg/deep/more.py --
def helper(a, b=1) -> int:
    "Helps."
    return a
-- pkg/sub.py --
VALUE = 3
""",
        snapshot('''\
pkg/impl.py (definition of Thing)
    class Thing:
        def do(self): pass
pkg/deep/more.py (definition of h)
    def helper(a, b=1) -> int:
        """Helps."""
'''),
    )


def test_python_types_that_name_one_another_end() -> None:
    """In a circle of two, and with more ways through a dozen names than anyone can go."""
    for parameters in ("a: b.x, b: a.y", _each_of_all_others("abcdefghijkl")):
        fixture = parse(f"-- m.py --\ndef f({parameters}):\n    a.$0\n")
        assert index_of(fixture).definitions_needed(fixture.path, fixture.offset, 5) == []


def _each_of_all_others(names: str) -> str:
    """Parameters whose types are parts of what all other parameters are."""
    types = {name: " | ".join(f"{one}.x" for one in names if one != name) for name in names}
    return ", ".join(f"{name}: {written}" for name, written in types.items())


def test_python_a_circle_of_imports_ends() -> None:
    check_definitions_needed(
        """\
-- a.py --
from b import x
x$0
-- b.py --
from a import x
""",
        snapshot(""),
    )


def test_python_an_unused_import_comes_before_used_ones() -> None:
    check_definitions_needed(
        """\
-- main.py --
from lib import first, second, third


def f():
    third()
    first()


def g():
    $0
-- lib.py --
def first(): ...
def second(): ...
def third(): ...
""",
        snapshot("""\
lib.py (definition of second)
    def second(): ...
lib.py (definition of first)
    def first(): ...
lib.py (definition of third)
    def third(): ...
"""),
    )


def test_python_members_of_an_imported_module() -> None:
    check_definitions_needed(
        """\
-- main.py --
from pkg import models
import pkg.util as util
util.run()
class A(models.$0
-- pkg/__init__.py --
-- pkg/util.py --
def run(): ...
-- pkg/models.py --
from pkg.fields import *
class Model: ...
def _hidden(): ...
-- pkg/fields.py --
class CharField:
    def __init__(self, size): ...
class IntField: ...
""",
        snapshot("""\
pkg/fields.py (offered by models)
    class CharField:
    class IntField: ...
pkg/models.py (offered by models)
    class Model: ...
pkg/util.py (definition of run)
    def run(): ...
"""),
    )


def test_python_the_same_file_outside_of_the_window() -> None:
    far = 'def far(a: int) -> str:\n    """Far away."""\n    return str(a)\n'
    near = "def near(b): ...\n"
    check_definitions_needed(
        far + "# filler\n" * 80 + near + "far(near(1))\n$0\n",
        snapshot('''\
main.py (definition of far)
    def far(a: int) -> str:
        """Far away."""
'''),
    )


def test_python_fields_typed_in_a_base() -> None:
    check_definitions_needed(
        """\
-- main.py --
from base import Base
class A(Base):
    def f(self):
        self.client.$0
-- base.py --
from client import Client
class Base:
    def __init__(self):
        self.client = Client("x")
-- client.py --
class Client:
    def send(self, data: bytes) -> None: ...
""",
        snapshot("""\
client.py (type of self.client)
    class Client:
        def send(self, data: bytes) -> None: ...
base.py (definition of client)
    class Base:
        def __init__(self):
            self.client = Client("x")
"""),
    )


def test_python_members_of_super() -> None:
    check_definitions_needed(
        """\
-- main.py --
from base import Base
class A(Base):
    def save(self):
        super().$0
-- base.py --
class Root:
    def load(self): ...
class Base(Root):
    def save(self): ...
""",
        snapshot("""\
base.py (base of A)
    class Base(Root):
        def save(self): ...
base.py (base of A)
    class Root:
        def load(self): ...
"""),
    )


def test_python_a_local_from_a_call() -> None:
    check_definitions_needed(
        """\
-- main.py --
from lib import make
def f():
    thing = make()
    thing.$0
-- lib.py --
class Thing:
    def act(self): ...
def make() -> Thing: ...
""",
        snapshot("""\
lib.py (type of thing)
    class Thing:
        def act(self): ...
lib.py (definition of make)
    def make() -> Thing: ...
"""),
    )


def test_nothing_is_needed_of_a_text_without_a_language() -> None:
    check_definitions_needed("-- notes.txt --\nfoo.$0", "")


def test_the_limit_is_kept_and_a_deadline_in_the_past_gives_nothing() -> None:
    fixture = parse("from lib import a, b\n$0\n-- lib.py --\ndef a(): ...\ndef b(): ...\n")
    index = index_of(fixture)
    assert len(index.definitions_needed(fixture.path, fixture.offset, 2)) == 2
    assert len(index.definitions_needed(fixture.path, fixture.offset, 1)) == 1
    assert index.definitions_needed(fixture.path, fixture.offset, 0) == []
    late = time.monotonic() - 1
    assert index.definitions_needed(fixture.path, fixture.offset, 2, late) == []


def test_a_snippet_says_where_it_is_from() -> None:
    fixture = parse("from lib import f\n$0\n-- lib.py --\n\n\ndef f(\n    a,\n):\n    return a\n")
    index = index_of(fixture)
    (snippet,) = index.definitions_needed(fixture.path, fixture.offset, 5)
    assert (snippet.start_line, snippet.end_line, snippet.lines) == (2, 4, (2, 3, 4))
    assert fixture.files[snippet.path][snippet.start : snippet.end].decode() == "def f(\n    a,\n):"
    assert (
        render_snippets(index, [snippet])
        == "lib.py (definition of f)\n    def f(\n        a,\n    ):\n"
    )
