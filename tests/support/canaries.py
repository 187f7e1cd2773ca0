"""Secrets that belong to nobody, of many kinds, each findable wherever it may turn up."""

from __future__ import annotations

import random
import string
from collections.abc import Callable
from dataclasses import dataclass

_HEX, _WORD, _UPPER = (
    "0123456789abcdef",
    string.ascii_letters + string.digits,
    string.digits + string.ascii_uppercase,
)
Make = Callable[[random.Random], str]


@dataclass(frozen=True)
class Canary:
    """A line of code that holds a secret, and the part of it that must not turn up anywhere."""

    kind: str
    line: str
    secret: str


def _of(alphabet: str, size: int) -> Make:
    return lambda rng: "".join(rng.choices(alphabet, k=size))


# Kind, prefix, what is secret, suffix, and the line around. Put together here, so that no scanner
# takes this file for a leak.
_KINDS: tuple[tuple[str, str, Make, str, str], ...] = (
    ("aws", "AKI" + "A", _of(_UPPER, 16), "", 'KEY = "{}"'),
    ("github", "gh" + "p_", _of(_WORD, 36), "", 'TOKEN = "{}"'),
    ("github fine", "github_" + "pat_", _of(_WORD, 60), "", 'x = "{}"'),
    ("gitlab", "glp" + "at-", _of(_WORD, 20), "", "# {}"),
    ("slack", "xox" + "b-", _of(_WORD, 24), "", 'slack("{}")'),
    ("slack hook", "https://hooks.slack" + ".com/services/", _of(_WORD, 30), "", 'post("{}")'),
    ("stripe", "sk_" + "live_", _of(_WORD, 24), "", 'stripe.key = "{}"'),
    ("openai", "s" + "k-proj-", _of(_WORD, 40), "", 'client = Client("{}")'),
    ("google", "AI" + "za", _of(_WORD, 35), "", 'maps = "{}"'),
    ("google oauth", "ya" + "29.", _of(_WORD, 40), "", 'bearer = "{}"'),
    ("google client", "GOC" + "SPX-", _of(_WORD, 28), "", 'client = "{}"'),
    ("npm", "np" + "m_", _of(_WORD, 36), "", 'auth = "{}"'),
    ("pypi", "pypi-" + "AgE", _of(_WORD, 60), "", 'upload("{}")'),
    ("hugging face", "h" + "f_", _of(_WORD, 34), "", 'login("{}")'),
    (
        "jwt",
        "ey" + "JhbGciOiJIUzI1NiJ9.ey" + "JzdWIiOiIxMjM0NTY3.",
        _of(_WORD, 43),
        "",
        'jwt = "{}"',
    ),
    ("azure", "Account" + "Key=", _of(_WORD, 86), "==", 'blob = "{}"'),
    ("sendgrid", "S" + "G.", _of(_WORD, 22), "." + "x" * 43, 'mail("{}")'),
    ("telegram", "123456789:" + "AA", _of(_WORD, 33), "", 'bot = "{}"'),
    ("url", "postgres://admin:", _of(_WORD, 20), "@db.example/x", 'db = "{}"'),
    ("assigned", "", _of(_WORD, 32), "", 'api_key = "{}"'),
    ("digital ocean", "dop" + "_v1_", _of(_HEX, 64), "", 'ocean = "{}"'),
    ("shopify", "shp" + "at_", _of(_HEX, 32), "", 'shop = "{}"'),
    ("age", "AGE-SECRET" + "-KEY-1", _of(_UPPER, 58), "", 'age = "{}"'),
    (
        "discord",
        "https://discord.example/api" + "/webhooks/1234567890123/",
        _of(_WORD, 60),
        "",
        'hook("{}")',
    ),
    ("databricks", "da" + "pi", _of(_HEX, 32), "", 'spark = "{}"'),
)
KINDS = tuple(kind for kind, *_ in _KINDS)


def canaries(each: int, seed: int = 0) -> list[Canary]:
    """So many of each kind, kind after kind."""
    rng = random.Random(seed)
    found = []
    for kind, prefix, make, suffix, line in _KINDS:
        for _ in range(each):
            secret = make(rng)
            found.append(Canary(kind, line.format(prefix + secret + suffix), secret))
    return found
