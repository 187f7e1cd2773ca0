"""Reads a package's licence from what the package itself says, and judges it by an allow-list.

The licence field is preferred, then the classifiers, then the text of the licence file. A package
whose licence stays unknown is not allowed.
"""

from __future__ import annotations

import re
from email.parser import HeaderParser

ALLOWED = frozenset(
    (
        *("0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "BlueOak-1.0.0", "CC0-1.0"),
        *("HPND", "ISC", "MIT", "MIT-0", "PSF-2.0", "Python-2.0", "Unlicense", "Zlib"),
    )
)

_SPELLINGS = (
    (r"\bmit-0\b", "MIT-0"),
    (r"\bmit\b|\bexpat\b", "MIT"),
    (r"apache(-2| 2|.*2\.0|\s+(software|license)|$)|asl 2", "Apache-2.0"),
    (r"0bsd|zero-clause bsd", "0BSD"),
    (r"bsd.{0,3}2|2.clause bsd|simplified bsd", "BSD-2-Clause"),
    (r"\bbsd\b|new bsd|modified bsd", "BSD-3-Clause"),
    (r"\bisc\b|isc license", "ISC"),
    (r"\bhpnd\b|historical permission", "HPND"),
    (r"unlicense", "Unlicense"),
    (r"python software foundation|\bpsf", "PSF-2.0"),
    (r"\bzlib\b", "Zlib"),
    (r"\bcc0\b", "CC0-1.0"),
)

_FOREIGN = re.compile(r"gpl|affero|mozilla|\bmpl|\bepl|eupl|sspl|proprietary|commercial|cddl", re.I)

_TEXTS = (
    (r"Permission is hereby granted, free of charge, to any person obtaining a copy", "MIT"),
    (r"Apache License\s+Version 2\.0", "Apache-2.0"),
    (r"Redistribution and use in source and binary forms.*Neither the name", "BSD-3-Clause"),
    (r"Redistribution and use in source and binary forms", "BSD-2-Clause"),
    (r"Permission to use, copy, modify, and(/or)? distribute this software for any", "ISC"),
    (r"This is free and unencumbered software released into the public domain", "Unlicense"),
)


def is_allowed(expression: str) -> bool:
    """Say whether an SPDX expression can be satisfied by allowed licences alone.

    "A OR B" needs one allowed side, "A AND B" both; an unknown word or exception is refused.
    """
    tokens = re.findall(r"\(|\)|[^\s()]+", expression)
    allowed, rest = _parse_or(tokens)
    return allowed and not rest


def _parse_or(tokens: list[str]) -> tuple[bool, list[str]]:
    allowed, rest = _parse_and(tokens)
    while rest and rest[0].upper() == "OR":
        other, rest = _parse_and(rest[1:])
        allowed = allowed or other
    return allowed, rest


def _parse_and(tokens: list[str]) -> tuple[bool, list[str]]:
    allowed, rest = _parse_term(tokens)
    while rest and rest[0].upper() == "AND":
        other, rest = _parse_term(rest[1:])
        allowed = allowed and other
    return allowed, rest


def _parse_term(tokens: list[str]) -> tuple[bool, list[str]]:
    if not tokens:
        return False, []
    if tokens[0] == "(":
        allowed, rest = _parse_or(tokens[1:])
        return allowed and rest[:1] == [")"], rest[1:]
    return tokens[0] in ALLOWED, tokens[1:]


def from_python_metadata(metadata: str) -> str:
    """Return the licence that a METADATA or PKG-INFO file states; empty where it states none."""
    headers = HeaderParser().parsestr(metadata)
    if expression := (headers.get("License-Expression") or "").strip():
        return expression
    classifiers = [
        each.rsplit("::", 1)[-1].strip()
        for each in headers.get_all("Classifier", [])
        if each.startswith("License ::")
    ]
    named = [_spdx(each) for each in classifiers if each != "OSI Approved"]
    if named:
        # Several classifiers can mean a choice or a sum; the stricter reading is the safe one.
        return " AND ".join(sorted({each or "unknown" for each in named}))
    stated = (headers.get("License") or "").strip()
    return _spdx(stated) if len(stated) < 80 else from_text(stated)


def from_npm_manifest(manifest: dict[str, object]) -> str:
    """Return the licence that a package.json states, its older object and list forms included."""
    stated = manifest.get("license") or manifest.get("licenses") or ""
    if isinstance(stated, list):
        stated = stated[0] if len(stated) == 1 else ""
    if isinstance(stated, dict):
        stated = stated.get("type", "")
    return stated.strip() if isinstance(stated, str) else ""


def from_text(text: str) -> str:
    """Return the licence whose well-known wording the text holds; empty where none is known."""
    if "PYTHON SOFTWARE FOUNDATION LICENSE VERSION 2" in text:
        return "PSF-2.0"  # Its preamble tells of the GPL, which the next line would refuse.
    if _FOREIGN.search(text[:2000]):
        return ""
    for wording, name in _TEXTS:
        if re.search(wording, text, re.S):
            return name
    return ""


def _spdx(words: str) -> str:
    if is_allowed(words):
        return words
    if _FOREIGN.search(words):
        return ""
    for spelling, name in _SPELLINGS:
        if re.search(spelling, words.lower()):
            return name
    return ""
