"""Key material that stands where names, types and modules do."""

from __future__ import annotations

from indexer import extract, language_of
from indexer.facts import FileFacts

TOKEN = "ghp_" + "Q7w8E9r0T1y2U3i4O5p6A7s8D9f0G1h2J3k4"
STARS = "*" * len(TOKEN)


def facts_of(path: str, text: str) -> FileFacts:
    language = language_of(path)
    assert language is not None
    return extract(path, language, text.encode())


def test_a_token_as_a_name_is_hidden_and_keeps_its_length() -> None:
    facts = facts_of("a.py", f"def {TOKEN}(): ...\n\nclass C({TOKEN}): ...\n")
    assert [symbol.name for symbol in facts.symbols] == [STARS, "C"]
    assert facts.symbols[1].detail == STARS
    assert {STARS} == {reference.name for reference in facts.references}


def test_a_password_in_an_address_hides_no_word() -> None:
    text = 'import { secret } from "https://me:secret@host.org/secret.js";\nsecret();\n'
    facts = facts_of("a.js", text)
    assert facts.secrets and "secret" in facts.names
    (clause,) = facts.imports
    assert clause.module == "https://me:******@host.org/secret.js"


def test_a_text_without_secrets_is_left_alone() -> None:
    facts = facts_of("a.py", "PRIVATE_KEY = read()\n")
    assert facts.secrets == () and facts.names[0] == "PRIVATE_KEY"
