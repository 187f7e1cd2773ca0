"""The shape of the key-value cache, as layout.h has it."""

from __future__ import annotations

from dataclasses import asdict, dataclass

# Positions in a block.
BLOCK = 16
LAYOUT_VERSION = 1
CACHE_BITS = (8, 32)


@dataclass(frozen=True, slots=True)
class Attributes:
    """The attributes of a node. `scale` is that of the scores, `epsilon` that of the norms."""

    heads: int
    kv_heads: int
    head_dim: int
    scale: float
    epsilon: float
    layout_version: int = LAYOUT_VERSION

    def as_dict(self) -> dict[str, int | float]:
        return asdict(self)


def block_bytes(kv_heads: int, head_dim: int, cache_bits: int) -> int:
    """Bytes that one block of BLOCK positions takes in one layer."""
    if cache_bits not in CACHE_BITS:
        raise ValueError(f"a cache has 8 or 32 bits, not {cache_bits}")
    values = 2 * BLOCK * head_dim * cache_bits // 8
    scales = 2 * BLOCK * 4 if cache_bits == 8 else 0
    return kv_heads * (values + scales)
