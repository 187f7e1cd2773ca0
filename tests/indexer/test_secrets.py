"""Key material is found by its shape, and nothing that leaves the index holds any."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer import looks_secret, mask_secrets
from tests.support.canaries import KINDS, canaries
from tests.support.fixture import index_of, parse

# Assembled at run time, so that no scanner takes this file for a leak.
CANARIES = {
    "private key": "-----BEGIN RSA " + "PRIVATE KEY-----\nMIIEpAIBAAKCAQEA7\n-----END RSA "
    "PRIVATE KEY-----",
    "unfinished private key": "-----BEGIN " + "PRIVATE KEY-----\nMIIEpAIBAAKCAQEA7bXb",
    "aws": "AKIA" + "IOSFODNN7EXAMPLE",
    "github": "ghp_" + "16C7e42F292c6912E7710c838347Ae178B4a",
    "github fine": "github_pat_" + "11ABCDEFG0aBcDeFgHiJkL_mNoPqRsTuVwXyZ0123456789",
    "gitlab": "glpat-" + "x9Yz12abCD34efGH56ij",
    "slack": "xoxb-" + "123456789012-abcdefGHIJKL",
    "stripe": "sk_live_" + "4eC39HqLyjWDarjtT1zdp7dc",
    "google": "AIza" + "SyA1234567890abcdefghijklmnopqrstuv",
    "openai": "sk-" + "proj-abcdefghij1234567890ABCDEFGHIJ",
    "jwt": "eyJ" + "hbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3.dozjgNryP4J3jVmNHl0w5N",
    "hugging face": "hf_" + "abcdefghijklmnopqrstuvwxyzABCDEF12",
}
ASSIGNED = {
    'API_KEY = "{}"': "q8Zr2Lx0Vb7Nm4Kp9Wt3Ys6D",
    "password: str = '{}'": "q8Zr2Lx0Vb7Nm4Kp9Wt3Ys6D",
    '"accessKey": "{}"': "q8Zr2Lx0Vb7Nm4Kp9Wt3Ys6D",
    'url = "postgres://admin:{}@db.example/x"': "s3cr3tPassw0rd",
}
INNOCENT = (
    'token = "identifier"',
    'password = "correct horse battery staple"',
    'secret_name = "projects/my-project/secrets/database"',
    "def test_password_is_hashed_with_argon2(): ...",
    'TOKEN_URL = "https://example.com/oauth2/token/refresh"',
    "-----BEGIN CERTIFICATE-----",
    "sk-learn and task-management-and-other-words",
    'uuid = "123e4567-e89b-12d3-a456-426614174000"',
    'password_hash = ""',
    'url = "postgres://{user}:{password}@host/db"',
)


@pytest.mark.parametrize("name", CANARIES)
def test_shapes_of_keys_are_found(name: str) -> None:
    text = f'x = """{CANARIES[name]}"""\nafter = 1\n'.encode()
    masked = mask_secrets(text)
    assert looks_secret(text)
    assert CANARIES[name].split("\n")[-1].encode() not in masked or "unfinished" in name
    assert len(masked) == len(text) and masked.count(b"\n") == text.count(b"\n")
    assert not looks_secret(masked)


@pytest.mark.parametrize("kind", KINDS)
def test_every_canary_of_a_kind_is_masked(kind: str) -> None:
    for canary in canaries(40):
        if canary.kind == kind:
            masked = mask_secrets(f"before = 1\n{canary.line}\nafter = 2\n".encode()).decode()
            assert canary.secret not in masked, canary.line
            assert masked.startswith("before = 1\n") and masked.endswith("\nafter = 2\n")


@pytest.mark.parametrize("pattern", ASSIGNED)
def test_random_values_of_telling_names_are_found(pattern: str) -> None:
    value = ASSIGNED[pattern]
    masked = mask_secrets(pattern.format(value).encode())
    assert masked == pattern.format("*" * len(value)).encode()


@pytest.mark.parametrize("text", INNOCENT)
def test_ordinary_code_is_left_alone(text: str) -> None:
    assert mask_secrets(text.encode()) == text.encode()


@given(st.binary(max_size=200), st.sampled_from(sorted(CANARIES)), st.binary(max_size=200))
def test_masking_keeps_every_offset(before: bytes, name: str, after: bytes) -> None:
    text = before + b"\n" + CANARIES[name].encode() + b"\n" + after
    masked = mask_secrets(text)
    assert len(masked) == len(text)
    assert [at for at, byte in enumerate(masked) if byte == 10] == [
        at for at, byte in enumerate(text) if byte == 10
    ]


def test_no_canary_reaches_a_snippet_a_name_or_a_text() -> None:
    planted = "".join(
        f'KEY_{number} = """{canary}"""\ndef use_{number}(client): return KEY_{number}\n'
        for number, canary in enumerate(CANARIES.values())
        if not canary.endswith("bXb")
    )
    imports = ", ".join(f"KEY_{number}, use_{number}" for number in range(len(CANARIES)))
    fixture = parse(
        f"-- main.py --\nfrom lib import {imports}\nuse_1(client)\n$0\n-- lib.py --\n{planted}"
    )
    index = index_of(fixture)
    shown = index.definitions_needed(fixture.path, fixture.offset, 50)
    shown += index.similar_chunks(fixture.path, fixture.offset, 50)
    assert len(shown) > 10
    text = "".join(snippet.text for snippet in shown)
    lib = f"{fixture.path.rsplit('/', 1)[0]}/lib.py"
    whole = index.text_of(lib)
    facts = index.facts(lib)
    assert whole is not None and facts is not None
    terms = " ".join(term for chunk in facts.chunks for term in chunk.terms)
    for canary in CANARIES.values():
        for line in canary.split("\n"):
            if "KEY" in line:
                continue
            assert line not in text
            assert line not in whole.decode()
            assert not any(part in terms for part in line.split("-") if len(part) > 15)
