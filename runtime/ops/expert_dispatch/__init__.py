"""`sopilka::ExpertDispatch`: a layer's router choice, experts and weighted sum in one node.

reference.py says what it computes, layout.h how its weights are stored, dispatch.cc how it works.
"""

from runtime.ops.expert_dispatch.pack import (
    LAYOUT_VERSION,
    Attributes,
    Quantized,
    pack_down,
    pack_gate_up,
    quantize,
    unpack_down,
    unpack_gate_up,
)

__all__ = [
    "LAYOUT_VERSION",
    "Attributes",
    "Quantized",
    "pack_down",
    "pack_gate_up",
    "quantize",
    "unpack_down",
    "unpack_gate_up",
]
