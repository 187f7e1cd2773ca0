"""Keeps key material out of facts: a token may stand where a name or a type is expected."""

from __future__ import annotations

from dataclasses import replace

from indexer.facts import FileFacts

LONG = 16
"""Bytes from which a piece of key material is hidden wherever it stands; a shorter one, such as the
password in an address, may also be an ordinary word."""


def without_secrets(facts: FileFacts, text: bytes) -> FileFacts:
    """The facts of a text with asterisks for its key material in names, details and imports.

    `facts.secrets` says where in the text it stands; most texts have none and cost nothing.
    """
    if not facts.secrets:
        return facts
    hidden: dict[bytes, bytes] = {}
    for start, end in facts.secrets:
        whole = text[start:end]
        for piece in (whole, *whole.split()):
            if len(piece) >= LONG:
                hidden[piece] = b"*" * len(piece)
        if len(whole) < LONG:
            hidden[b":" + whole + b"@"] = b":" + b"*" * len(whole) + b"@"

    def masked(blob: bytes) -> bytes:
        for piece in sorted(hidden, key=len, reverse=True):
            blob = blob.replace(piece, hidden[piece])
        return blob

    return replace(
        facts,
        packed_names=masked(facts.packed_names),
        packed_details=masked(facts.packed_details),
        packed_owners=masked(facts.packed_owners),
        packed_imports=masked(facts.packed_imports),
    )
