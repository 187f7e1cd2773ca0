"""Key material in text: found by its shape, replaced by asterisks of the same length.

Two guards keep secrets out of the index and of prompts. `ignore.py` refuses files by name; this
module looks at content, because keys also stand in ordinary source files. Masking keeps the length
and the line ends, so every offset stays true.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence

_KEY_BLOCK = re.compile(
    rb"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----.*?"
    rb"(?:-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----|\Z)",
    re.DOTALL,
)
# Each pattern is tried only if one of its literals occurs: a search for a literal costs next to
# nothing, and ordinary source holds none.
_SHAPES: tuple[tuple[tuple[bytes, ...], re.Pattern[bytes]], ...] = (
    (
        (b"AKIA", b"ASIA", b"ABIA", b"ACCA"),
        re.compile(rb"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b"),
    ),
    (
        (b"ghp_", b"gho_", b"ghu_", b"ghs_", b"ghr_", b"github_pat_"),
        re.compile(rb"\b(?:gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{40,})"),
    ),
    ((b"glpat-",), re.compile(rb"\bglpat-[\w-]{20,}")),
    (
        (b"xoxb-", b"xoxp-", b"xoxa-", b"xoxr-", b"xoxs-", b"xapp-"),
        re.compile(rb"\b(?:xox[bpars]|xapp)-[A-Za-z0-9-]{10,}"),
    ),
    ((b"hooks.slack.com",), re.compile(rb"hooks\.slack\.com/services/[\w/]{20,}")),
    (
        (b"sk_live_", b"rk_live_", b"sk_test_"),
        re.compile(rb"\b(?:sk|rk)_(?:live|test)_[A-Za-z0-9]{16,}"),
    ),
    ((b"sk-",), re.compile(rb"\bsk-(?:[a-z]+-)?[A-Za-z0-9_-]{32,}")),
    ((b"AIza",), re.compile(rb"\bAIza[\w-]{35}")),
    ((b"ya29.",), re.compile(rb"\bya29\.[\w-]{20,}")),
    ((b"npm_",), re.compile(rb"\bnpm_[A-Za-z0-9]{36}")),
    ((b"pypi-AgE",), re.compile(rb"\bpypi-AgE[\w-]{50,}")),
    ((b"hf_",), re.compile(rb"\bhf_[A-Za-z0-9]{30,}")),
    ((b"eyJ",), re.compile(rb"\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}")),
    ((b"SG.",), re.compile(rb"\bSG\.[\w-]{16,}\.[\w-]{30,}")),
    ((b"GOCSPX-",), re.compile(rb"\bGOCSPX-[\w-]{24,}")),
    ((b":AA",), re.compile(rb"\b\d{8,10}:AA[\w-]{32,}")),  # a bot of Telegram
    ((b"dop_v1_",), re.compile(rb"\bdop_v1_[a-f0-9]{60,}")),
    ((b"shpat_", b"shpss_"), re.compile(rb"\bshp(?:at|ss)_[a-fA-F0-9]{30,}")),
    ((b"AGE-SECRET-KEY-1",), re.compile(rb"\bAGE-SECRET-KEY-1[0-9A-Z]{50,}")),
    ((b"/api/webhooks/",), re.compile(rb"/api/webhooks/\d{10,}/[\w-]{40,}")),
    ((b"dapi",), re.compile(rb"\bdapi[a-f0-9]{32}\b")),
    ((b"AccountKey=",), re.compile(rb"(?<=AccountKey=)[A-Za-z0-9+/=]{40,}")),
)
_ASSIGNED_WORDS = (
    b"secret",
    b"SECRET",
    b"Secret",
    b"token",
    b"TOKEN",
    b"Token",
    b"passw",
    b"PASSW",
    b"Passw",
    b"api_key",
    b"API_KEY",
    b"apiKey",
    b"access_key",
    b"ACCESS_KEY",
    b"accessKey",
)
_ASSIGNED = re.compile(
    rb"(?i)(?:secret|token|passwo?r?d|passwd|api_?key|access_?key)\w*[\"']?\s*(?::\s*\w+\s*)?[:=]\s*"
    rb"[\"']([A-Za-z0-9+/_=.~-]{20,200})[\"']"
)
_URL_PASSWORD = re.compile(
    rb"\b[a-z][a-z0-9+.-]{1,20}://[^\s/:@\"']{1,60}:([^\s/:@\"'{}$<>%]{6,100})@"
)
TRIGGERS = (
    *((literal, b"") for literals, _ in _SHAPES for literal in literals),
    *((word, b"quoted") for word in _ASSIGNED_WORDS),
    (b"://", b"@"),
)
"""What a text must hold for `token_ranges` to find anything in it: a literal, and with it another
one, or ("quoted") a word in quotes that is long enough. Told to the native extraction, which looks
for these and asks here about the rest.
"""
_KEPT = frozenset(b"\r\n")
MIN_ENTROPY = 3.5
"""Bits per character from which an assigned value counts as random."""


def mask_secrets(text: bytes) -> bytes:
    """The text with key material replaced by asterisks; the same object if it holds none."""
    return mask_ranges(text, secret_ranges(text))


def mask_ranges(text: bytes, ranges: Sequence[tuple[int, int]]) -> bytes:
    """The text with the bytes of some ranges replaced by asterisks, line ends kept."""
    if not ranges:
        return text
    masked = bytearray(text)
    for start, end in ranges:
        masked[start:end] = bytes(byte if byte in _KEPT else ord("*") for byte in text[start:end])
    return bytes(masked)


def looks_secret(text: bytes) -> bool:
    """Whether a text holds something shaped like a key, a token or a password."""
    return bool(secret_ranges(text))


def secret_ranges(text: bytes) -> tuple[tuple[int, int], ...]:
    """Byte ranges of key material, sorted; they may overlap."""
    return tuple(sorted((*key_block_ranges(text), *token_ranges(text))))


def key_block_ranges(text: bytes) -> tuple[tuple[int, int], ...]:
    """Private keys over several lines; to the text's end where one is not closed."""
    if b"PRIVATE KEY" not in text:
        return ()
    return tuple(match.span() for match in _KEY_BLOCK.finditer(text))


def token_ranges(text: bytes) -> tuple[tuple[int, int], ...]:
    """Tokens and passwords, which stand in one line, sorted."""
    ranges = [
        match.span()
        for literals, shape in _SHAPES
        if any(map(text.__contains__, literals))
        for match in shape.finditer(text)
    ]
    if any(map(text.__contains__, _ASSIGNED_WORDS)):
        ranges += [
            match.span(1) for match in _ASSIGNED.finditer(text) if _looks_random(match.group(1))
        ]
    if b"://" in text and b"@" in text:
        ranges += [match.span(1) for match in _URL_PASSWORD.finditer(text)]
    return tuple(sorted(ranges))


def _looks_random(value: bytes) -> bool:
    """Whether a value is no word, path or placeholder: letters and digits mixed, spread evenly."""
    has_digit = any(48 <= byte <= 57 for byte in value)
    has_letter = any(65 <= byte <= 90 or 97 <= byte <= 122 for byte in value)
    if not (has_digit and has_letter):
        return False
    counts = Counter(value)
    entropy = -sum(n / len(value) * math.log2(n / len(value)) for n in counts.values())
    return entropy >= MIN_ENTROPY
