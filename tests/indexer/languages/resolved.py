"""Text-in, text-out check of what imports lead to."""

from __future__ import annotations

from indexer.resolve import Resolver
from tests.support.fixture import index_of, parse


def check_resolved(source: str, expect: str) -> None:
    """Compares what each import of the fixture's (first) file leads to: the likeliest file."""
    fixture = parse(source)
    index = index_of(fixture)
    index.refresh()
    resolver = Resolver(index._table, index._files)
    rows = []
    for clause in index.imports(fixture.path):
        if clause.module or clause.level:
            found = resolver.modules(fixture.path, clause)
            target = index.relative(found[0]) if found else "nothing"
            rows.append(f"{'.' * clause.level}{clause.module} -> {target}")
    assert "\n".join(rows) == expect
