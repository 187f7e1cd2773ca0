"""Integer matrices as AWQ (gemm) and GPTQ publish them: `qweight`, `qzeros`, `scales`, `g_idx`.

A weight is (code - zero) * scale, one zero and one scale for each `group_size` inputs of an output.
Both store matrices transposed, [inputs, outputs], with several codes in an int32:
AWQ packs eight outputs in the order 0 2 4 6 1 3 5 7, GPTQ packs inputs and stores zero - 1.
Sources: Lin et al., arXiv 2306.00978; Frantar et al., arXiv 2210.17323; the layouts as AutoAWQ and
AutoGPTQ write them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.export.errors import ExportError
from runtime.export.sources.safetensors import TensorInfo, read_float, read_raw
from runtime.ops.expert_dispatch.pack import Quantized

_AWQ_PLACES = (0, 4, 1, 5, 2, 6, 3, 7)  # Output n of eight lies in the nibble _AWQ_PLACES[n].
PARTS = ("qweight", "qzeros", "scales", "g_idx")


@dataclass(frozen=True, slots=True)
class Layout:
    """How the matrices of one checkpoint are packed."""

    method: str
    bits: int
    group: int
    zero_offset: int

    @property
    def kind(self) -> str:
        return f"{self.method.upper()} int{self.bits} group {self.group}"


def layout_of(config: dict[str, Any]) -> Layout:
    """Read a `quantization_config`; raise ExportError for what cannot be mapped without loss."""
    method = str(config.get("quant_method")).lower()
    bits = config.get("bits", config.get("w_bit"))
    group = config.get("group_size", config.get("q_group_size"))
    where = f"config.json: {method.upper()}"
    if type(bits) is not int or bits not in ((4,) if method == "awq" else (4, 8)):
        raise ExportError(f"{where} with bits {bits!r:.20} is not supported: 4 is")
    if type(group) is not int or (group != -1 and (group < 32 or group % 32)):
        raise ExportError(f"{where} with group_size {group!r:.20} is not supported: 32, 64, 128 is")
    if method == "awq":
        version = str(config.get("version", "gemm")).lower()
        if version != "gemm":
            raise ExportError(f"{where} in the layout {version!r:.20} is not supported: gemm is")
        return Layout(method, bits, group, 0)
    version = str(config.get("checkpoint_format", "gptq")).lower()
    if version not in ("gptq", "gptq_v2"):
        raise ExportError(f"{where} in the layout {version!r:.20} is not supported: gptq is")
    return Layout(method, bits, group, 1 if version == "gptq" else 0)


@dataclass(frozen=True, slots=True)
class PackedMatrix:
    """One packed matrix [outputs, inputs] and its parts."""

    name: str
    layout: Layout
    parts: dict[str, TensorInfo]

    @property
    def shape(self) -> tuple[int, int]:
        rows, columns = self.parts["qweight"].shape
        per_word = 32 // self.layout.bits
        if self.layout.method == "awq":
            return columns * per_word, rows
        return columns, rows * per_word

    @property
    def group(self) -> int:
        return self.shape[1] if self.layout.group == -1 else self.layout.group

    def check(self) -> None:
        """Raise ExportError where parts are missing or do not fit one another."""
        for part in PARTS[:3]:
            if part not in self.parts:
                raise ExportError(f"{self.name} has a packed matrix without {part}")
        if len(self.parts["qweight"].shape) != 2:
            raise ExportError(f"{self.name}.qweight must have two dimensions")
        outputs, inputs = self.shape
        if inputs % self.group:
            raise ExportError(f"{self.name}: {inputs} inputs are no multiple of {self.group}")
        groups, per_word = inputs // self.group, 32 // self.layout.bits
        wanted = {
            "qzeros": ((groups, outputs // per_word), ("I32",)),
            "scales": ((groups, outputs), ("F16", "BF16", "F32")),
            "qweight": (self.parts["qweight"].shape, ("I32",)),
            "g_idx": ((inputs,), ("I32", "I64")),
        }
        for part, info in self.parts.items():
            shape, kinds = wanted[part]
            if info.shape != shape or info.dtype not in kinds or outputs % per_word:
                raise ExportError(
                    f"{self.name}.{part} is {info.dtype} {list(info.shape)}, must be "
                    f"{' or '.join(kinds)} {list(shape)}"
                )

    def dequantize(self) -> NDArray[np.float32]:
        """Return the matrix as float32; each product is rounded once."""
        steps, scales = self._steps()
        blocks = steps.reshape(*scales.shape, self.group).astype(np.float32)
        blocks *= scales[..., None]
        return blocks.reshape(self.shape)

    def quantized(self, bits: int, block: int) -> Quantized:
        """Return it as [1, N, K] of `bits` with the scales repeated.

        Raises ExportError where that would not be exact: what was rounded once is not rounded anew.
        """
        if self.group % block or bits not in (4, 8):
            raise ExportError(
                f"{self.name} is {self.layout.kind}: int{bits} in blocks of {block} cannot hold it "
                "without loss"
            )
        steps, scales = self._steps()
        halves = scales.astype(np.float16)
        low, high = (-8, 7) if bits == 4 else (-127, 127)
        if steps.min() < low or steps.max() > high:
            advice = "import it with --quant int8" if bits == 4 else "import it with --quant fp16"
            raise ExportError(
                f"{self.name} is {self.layout.kind} with zero points, which a grid of {bits} bits "
                f"around zero cannot hold without loss: {advice}"
            )
        if (halves.astype(np.float32) != scales).any():
            raise ExportError(f"{self.name} has scales that float16 cannot hold without loss")
        repeated = np.repeat(halves, self.group // block, axis=1)
        return Quantized(steps.astype(np.int8)[None], repeated[None], bits, block)

    def is_symmetric(self) -> bool:
        """Whether all zero points are in the middle, so that steps have as many bits as codes."""
        middle = 2 ** (self.layout.bits - 1)
        return bool((self._zeros() == middle).all())

    def _zeros(self) -> NDArray[np.int16]:
        """Return the zero points, int16 [groups, outputs]."""
        layout = self.layout
        zeros = _codes(read_raw(self.parts["qzeros"]), layout.bits, layout.method == "awq")
        # As the reference does: zero - 1 = -1 is stored as the largest code, and comes back as 0.
        return np.asarray((zeros.astype(np.int16) + layout.zero_offset) & (2**layout.bits - 1))

    def _steps(self) -> tuple[NDArray[np.int16], NDArray[np.float32]]:
        """Return code - zero, int16 [outputs, inputs], and scales float32 [outputs, groups]."""
        self._check_order()
        layout, words, zeros = self.layout, read_raw(self.parts["qweight"]), self._zeros()
        if layout.method == "awq":
            codes = _codes(words, layout.bits, True).T
        else:
            codes = _codes(np.ascontiguousarray(words.T), layout.bits, False)
        steps = codes.astype(np.int16).reshape(*zeros.T.shape, self.group)
        steps -= zeros.T[..., None]
        scales = np.ascontiguousarray(read_float(self.parts["scales"]).T)
        return steps.reshape(self.shape), scales

    def _check_order(self) -> None:
        if "g_idx" not in self.parts:
            return
        order = read_raw(self.parts["g_idx"])
        if (order != np.arange(len(order)) // self.group).any():
            raise ExportError(
                f"{self.name} orders its inputs by activation (GPTQ's desc_act), which blocks of "
                "columns cannot express: take a checkpoint without desc_act"
            )


def _codes(words: NDArray[Any], bits: int, is_awq: bool) -> NDArray[np.uint8]:
    """Unpack int32 [rows, words] to codes uint8 [rows, words * 32 / bits]."""
    octets = np.ascontiguousarray(words, "<i4").view(np.uint8).reshape(*words.shape, 4)
    if bits == 8:
        return octets.reshape(len(words), -1)
    nibbles = np.stack([octets & 15, octets >> 4], axis=-1).reshape(*words.shape, 8)
    if is_awq:
        nibbles = nibbles[..., _AWQ_PLACES]
    return np.asarray(nibbles.reshape(len(words), -1))
