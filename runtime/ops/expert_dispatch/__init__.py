"""`sopilka::ExpertDispatch`: a mixture-of-experts layer in one node. The reference comes first: reference.py."""

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
