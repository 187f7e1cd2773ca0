from __future__ import annotations

import pytest

from indexer import language_of
from indexer.language import languages
from tests.indexer.samples import SAMPLES


def test_every_language_has_a_sample_without_errors() -> None:
    covered = set()
    for name, text in SAMPLES.items():
        language = language_of(name)
        assert language is not None
        assert not language.parse(text.encode()).root_node.has_error, name
        covered.add(language.name)
    assert covered == set(languages())


@pytest.mark.parametrize("name", sorted(languages()))
def test_queries_compile_and_say_what_they_find(name: str) -> None:
    language = languages()[name]
    assert len(language.facts_heads) == language.facts_query.pattern_count
    assert language.locals_query is not None
    assert callable(language.imports.candidates)


def test_languages_by_name_extension_and_client() -> None:
    assert [
        language.name if (language := language_of(*arguments)) else None
        for arguments in (
            ("/a/b.py",),
            ("/a/b.PY",),
            ("/a/SConstruct",),
            ("/a/b.tsx",),
            ("/a/b.h",),
            ("/a/b.unknown", "rust"),
            ("/a/b.py", "klingon"),
            ("/a/.py",),
            ("/a/Makefile",),
        )
    ] == ["python", "python", "python", "tsx", "cpp", "rust", "python", None, None]
