"""`sopilka::PagedAttention`: norms, rotation, cache and attention of a layer in one node.

reference.py says what it computes, layout.h how the cache is stored, attend.h how it works.
"""

from runtime.ops.paged_attention.cache import BLOCK, LAYOUT_VERSION, Attributes, block_bytes

__all__ = ["BLOCK", "LAYOUT_VERSION", "Attributes", "block_bytes"]
