"""Which files define a name; patched by the difference between a file's old and new facts."""

from __future__ import annotations

from collections.abc import Iterator

from indexer.facts import FileFacts, Symbol


class SymbolTable:
    """Facts by path, and paths by the names that they define."""

    def __init__(self) -> None:
        self._facts: dict[str, FileFacts] = {}
        self._paths: dict[str, set[str]] = {}
        self._symbol_count = 0

    def put(self, path: str, facts: FileFacts | None) -> None:
        """Sets or removes the facts of a file."""
        old = self._facts.get(path)
        before = old.defined_names() if old is not None else frozenset()
        after = facts.defined_names() if facts is not None else frozenset()
        for name in before - after:
            paths = self._paths[name]
            paths.discard(path)
            if not paths:
                del self._paths[name]
        for name in after - before:
            self._paths.setdefault(name, set()).add(path)
        self._symbol_count -= len(old.details) if old is not None else 0
        self._symbol_count += len(facts.details) if facts is not None else 0
        if facts is None:
            self._facts.pop(path, None)
        else:
            self._facts[path] = facts

    def facts(self, path: str) -> FileFacts | None:
        return self._facts.get(path)

    def paths(self) -> Iterator[str]:
        return iter(self._facts)

    def paths_defining(self, name: str) -> frozenset[str]:
        return frozenset(self._paths.get(name, ()))

    def definitions_of(self, name: str) -> Iterator[Symbol]:
        """Symbols called `name`, file by file in the order of their paths."""
        for path in sorted(self._paths.get(name, ())):
            yield from self._facts[path].symbols_named(name)

    def names(self) -> Iterator[str]:
        return iter(self._paths)

    @property
    def file_count(self) -> int:
        return len(self._facts)

    @property
    def symbol_count(self) -> int:
        return self._symbol_count
