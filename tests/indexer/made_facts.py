"""Facts without a text: what tests of the tables put in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from indexer.facts import KIND_NUMBER, WIDTH, FileFacts, Kind, packed


def made_facts(
    path: str,
    defines: Sequence[str] = (),
    uses: Sequence[str] = (),
    bags: Sequence[Sequence[str]] = (),
) -> FileFacts:
    """Facts of a file with some definitions, references and chunks of words, in this order."""
    numbers: dict[str, int] = {}

    def number(name: str) -> int:
        return numbers.setdefault(name, len(numbers))

    symbols = [[number(name), KIND_NUMBER[Kind.FUNCTION], -1] + [0] * 10 for name in defines]
    references = [[number(name), start, 0] for start, name in enumerate(uses)]
    pieces: list[list[int]] = []
    terms: list[tuple[int, int]] = []
    for start, bag in enumerate(bags):
        counts = Counter(bag)
        pieces.append([start, start + 1, start, start + 1, len(terms), len(terms) + len(counts)])
        terms += [(number(word), count) for word, count in counts.items()]
    return FileFacts(
        path=path,
        language="python",
        digest=b"",
        size=0,
        packed_names=packed(numbers),
        symbol_rows=np.array(symbols, np.int32).reshape(-1, WIDTH).tobytes(),
        packed_details=packed("" for _ in defines),
        owner_rows=b"",
        packed_owners=b"",
        reference_rows=np.array(references, np.int32).tobytes(),
        import_rows=b"",
        packed_imports=b"",
        chunk_rows=np.array(pieces, np.int32).tobytes(),
        chunk_terms=np.array(terms, np.int32).tobytes(),
        secrets=(),
        has_errors=False,
    )
