-- People who buy.
CREATE TABLE shop.people (
  id INTEGER PRIMARY KEY,
  name VARCHAR(20) NOT NULL,
  "mood" mood,
  boss INTEGER REFERENCES people(id)
);

CREATE TYPE mood AS ENUM ('sad', 'é');
CREATE TYPE pair AS (a int, b text);
ALTER TABLE people ADD COLUMN age INT;

/* Grown up. */
CREATE VIEW adults AS SELECT p.id, name FROM people p WHERE p.age > 18;
CREATE MATERIALIZED VIEW totals AS SELECT count(*) FROM orders;
CREATE UNIQUE INDEX IF NOT EXISTS people_name ON people (name);
CREATE OR REPLACE FUNCTION add(a integer, b integer) RETURNS integer AS $$
  SELECT a + b;
$$ LANGUAGE sql;
CREATE SEQUENCE numbers;
CREATE SCHEMA stock;
CREATE TRIGGER touch BEFORE UPDATE ON people FOR EACH ROW EXECUTE FUNCTION add();

INSERT INTO people (id, name) VALUES (1, 'x');
UPDATE people SET age = add(1, 2) WHERE id = 2;
