"""`typedef struct X {...} X` is one thing with one name, wherever somebody asks for it."""

from __future__ import annotations

import pytest

from indexer import Kind
from tests.support.fixture import index_of, parse

SOURCE = """\
-- main.c --
#include "types.h"
void run(X *x, node *n, client *c, other *o) {
    $0
}
-- types.h --
typedef struct X { int first; } X;
typedef struct node node;
struct node { node *next; int value; };
typedef struct client { int id; } client, *client_pointer;
typedef enum mode { on } mode;
typedef struct other other;
"""


@pytest.mark.parametrize("name", ["X", "node", "client", "mode"])
def test_the_body_is_found_and_its_second_name_is_not(name: str) -> None:
    fixture = parse(SOURCE)
    index = index_of(fixture)
    found = [one for one in index.symbols_matching(name, 20) if one.name == name]
    assert [one.kind for one in found] == [Kind.ENUM if name == "mode" else Kind.CLASS]
    body = found[0]
    if name != "mode":
        offset = fixture.text.index(name.encode() + b" *")
        targets = index.definitions_at(fixture.path, offset)
        assert [(one.path, one.name_start) for one in targets] == [(body.path, body.name_start)]


@pytest.mark.parametrize(
    ("written", "member"), [("x->", "first"), ("n->next->", "value"), ("c->", "id")]
)
def test_members_are_those_of_the_body(written: str, member: str) -> None:
    fixture = parse(SOURCE.replace("$0", f"{written}$0"))
    assert member in index_of(fixture).names_in_scope(fixture.path, fixture.offset)
    shown = index_of(fixture).context(fixture.path, fixture.offset, 2_000)
    texts = "".join(one.text for one in shown)
    assert texts.count("typedef struct X { int first; } X;") <= 1


def test_a_second_name_of_nothing_known_stays() -> None:
    fixture = parse(SOURCE)
    found = index_of(fixture).symbols_matching("other", 20)
    assert [(one.name, one.kind) for one in found] == [("other", Kind.TYPE)]
