"""Imports, importers, related files, callers and callees."""

from __future__ import annotations

import pytest

from indexer import ByteEdit, Edit, FileGone, Symbol
from indexer.relations import subject_of
from tests.support.fixture import ROOT, index_of, parse

SOURCE = """
-- app/__init__.py --
-- app/user.py --
from app import mail
from app.base import Base, missing
import os
class User(Base):
    def save(self):
        self.check()
        mail.send(self)
        unknown()
        return helper(lambda: self.save())
    def check(self): ...
def helper(f): f()
rarely_used_name = 1
-- app/base.py --
class Base: ...
-- app/mail.py --
def send(user): ...
def other():
    User().save()
    thing.save()
from app.user import User
-- app/views.py --
from app.user import User
def view(): User().save()
rarely_used_name
-- tests/test_user.py --
from app.user import User
User()
"""


def short(path: str) -> str:
    return path.removeprefix(ROOT + "/")


def test_imports_lead_to_files() -> None:
    index = index_of(parse(SOURCE))
    found = [
        (one.clause.module, [short(path) for path in one.paths])
        for one in index.imports_of_file(f"{ROOT}/app/user.py")
    ]
    assert found == [("app", ["app/mail.py"]), ("app.base", ["app/base.py"]), ("os", [])]
    assert index.imports_of_file("/nowhere.py") == ()


def test_importers_are_the_reverse() -> None:
    index = index_of(parse(SOURCE))
    assert [short(one) for one in index.importers_of(f"{ROOT}/app/user.py")] == [
        "app/mail.py",
        "app/views.py",
        "tests/test_user.py",
    ]
    for path in index.paths():
        for one in index.imports_of_file(path):
            for target in one.paths[:1]:
                assert path in index.importers_of(target)


def test_importers_follow_edits_and_files_that_go() -> None:
    index = index_of(parse(SOURCE))
    user = f"{ROOT}/app/user.py"
    assert len(index.importers_of(user)) == 3
    views = f"{ROOT}/app/views.py"
    index.apply(Edit(views, 2, (ByteEdit(0, len("from app.user import User"), ""),)))
    assert [short(one) for one in index.importers_of(user)] == [
        "app/mail.py",
        "tests/test_user.py",
    ]
    other = index_of(parse(SOURCE.replace("from app.user import User\ndef view", "\ndef view")))
    assert index.importers_of(user) == other.importers_of(user)
    index.apply(FileGone(views))
    assert index.importers_of(f"{ROOT}/app/base.py") == [user]


def test_related_files_come_with_reasons() -> None:
    index = index_of(parse(SOURCE))
    found = {short(one.path): one.why for one in index.related_files(f"{ROOT}/app/user.py", 9)}
    assert "test of it" in found["tests/test_user.py"]
    assert "imported by it" in found["app/base.py"]
    assert "imports it" in found["app/mail.py"] and "imported by it" in found["app/mail.py"]
    assert "shares rarely_used_name" in found["app/views.py"]
    assert next(iter(found)) == "tests/test_user.py"
    assert len(index.related_files(f"{ROOT}/app/user.py", 2)) == 2
    assert index.related_files("/nowhere.py", 9) == []


@pytest.mark.parametrize(
    ("path", "subject"),
    [
        ("/a/test_user.py", "user"),
        ("/a/user_test.go", "user"),
        ("/a/user.spec.ts", "user"),
        ("/a/UserTest.java", "user"),
        ("/a/UserTests.cs", "user"),
        ("/a/user.h", "user"),
        ("/a/user_model.py", "user_model"),
        ("/a/__init__.py", ""),
        ("/a/Testing.java", "ing"),
    ],
)
def test_the_subject_of_a_file(path: str, subject: str) -> None:
    assert subject_of(path) == subject


def symbol(name: str) -> Symbol:
    return next(one for one in index_of(parse(SOURCE)).definitions_of(name))


def test_callers() -> None:
    index = index_of(parse(SOURCE))
    found = [
        (short(one.path), one.caller.name if one.caller else "", one.certain)
        for one in index.callers(symbol("save"))
    ]
    assert found == [
        ("app/user.py", "save", True),
        ("app/mail.py", "other", True),
        ("app/mail.py", "other", False),
        ("app/views.py", "view", True),
    ]


def test_callees() -> None:
    index = index_of(parse(SOURCE))
    found = [
        (one.name, short(one.callee.path) if one.callee else "", one.certain)
        for one in index.callees(symbol("save"))
    ]
    assert found == [
        ("check", "app/user.py", True),
        ("send", "app/mail.py", True),
        ("unknown", "", False),
        ("helper", "app/user.py", True),
        ("save", "app/user.py", True),
    ]


def test_calls_agree_in_both_directions() -> None:
    index = index_of(parse(SOURCE))
    for path in index.paths():
        for one in index.symbols(path):
            for call in index.callees(one):
                if call.callee is not None:
                    places = [(two.path, two.start) for two in index.callers(call.callee)]
                    assert (call.path, call.start) in places
