"""What is known about SQL: definitions, references, imports, meanings across files."""

from __future__ import annotations

from inline_snapshot import snapshot

from tests.indexer.checks import check_definitions_needed, check_symbols
from tests.indexer.languages.used import check_references, sample


def test_definitions() -> None:
    check_symbols(
        sample("shop.sql"),
        snapshot("""\
class people | CREATE TABLE shop.people | -- People who buy.
field people.id <INTEGER> | id INTEGER PRIMARY KEY
field people.name <VARCHAR> | name VARCHAR(20) NOT NULL
field people.mood <mood> | "mood" mood
field people.boss <INTEGER> | boss INTEGER REFERENCES people(id)
enum mood | CREATE TYPE mood AS ENUM
class pair | CREATE TYPE pair AS
field pair.a <int> | a int
field pair.b <text> | b text
field people.age <INT> | age INT
class adults | CREATE VIEW adults AS | /* Grown up. */
class totals | CREATE MATERIALIZED VIEW totals AS
key people_name | CREATE UNIQUE INDEX IF NOT EXISTS pe
function add | CREATE OR REPLACE FUNCTION add(a int
constant numbers | CREATE SEQUENCE numbers
module stock | CREATE SCHEMA stock
function touch | CREATE TRIGGER touch BEFORE UPDATE O\
"""),
    )


def test_references() -> None:
    check_references(
        "shop.sql",
        snapshot("""\
2 shop:name
5 mood:type
6 people:name
11 people:name
14 p:name id:attribute name:attribute people:type p:name age:attribute
15 count:call orders:type
16 people:name name:attribute
18 a:attribute b:attribute
22 people:name add:name
24 people:name id:attribute name:attribute
25 people:type age:attribute add:call id:attribute\
"""),
    )


def test_definitions_of_other_files() -> None:
    check_definitions_needed(
        """\
-- reports/ages.sql --
SELECT p.name, add(1, 2) FROM people p JOIN orders o ON o.$0
-- schema/tables.sql --
-- People.
CREATE TABLE people (id int, name text);
CREATE TABLE orders (id int, person int);
CREATE FUNCTION add(a integer, b integer) RETURNS integer AS $$ SELECT a + b; $$ LANGUAGE sql;
""",
        snapshot("""\
schema/tables.sql (type of o)
    CREATE TABLE orders (id int, person int);
schema/tables.sql (definition of people)
    -- People.
    CREATE TABLE people (id int, name text);
schema/tables.sql (definition of add)
    CREATE FUNCTION add(a integer, b integer) RETURNS integer AS $$ SELECT a + b; $$ LANGUAGE sql;
"""),
    )
