"""Calibrated rounding: weights are rounded by what the model does with text.

The texts go through the decoder layer by layer. Each matrix is rounded by the inputs that it will
really get, which come out of all that was rounded before it, as in GPTQ. Only one layer's rounded
weights and one expert's float weights are in memory, beside the texts' activations. Whatever is
asked for out of order is computed again.

An expert is rounded by the tokens that are sent to it, each weighing what it weighs in the sum. Few
tokens say little about most directions, so a sample of all tokens stands behind them, worth
PRIOR_TOKENS tokens together: it matters to experts that the texts hardly use, and to those alone.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from runtime.config import ModelConfig
from runtime.export.calibrate_forward import attend, gated, rms_norm, route, sigmoid
from runtime.export.calibrate_progress import Progress
from runtime.export.calibrate_rounding import Curvature, round_calibrated
from runtime.export.decoder import Schemes
from runtime.export.linear import Scheme, is_packed
from runtime.export.quantize import quantize_matrix, round_plainly
from runtime.export.tensors import EMBEDDING, Tensors, tensor_shapes
from runtime.ops.expert_dispatch.pack import Quantized

Floats = NDArray[np.float32]

PRIOR_TOKENS = 64
BACKGROUND = 512  # Tokens in the sample of all.
_LAYER = re.compile(r"model\.layers\.(\d+)\.")


class CalibratedRounding:
    """A `Rounding` for what `Decoder` builds; tables and heads are rounded plainly.

    `windows` are token ids of texts, each seen by itself. `report` takes lines about the progress.
    """

    def __init__(
        self,
        tensors: Tensors,
        config: ModelConfig,
        schemes: Schemes,
        windows: Sequence[NDArray[np.int64]],
        report: Callable[[str], None],
    ) -> None:
        self._tensors = tensors
        self._config = config
        self._schemes = schemes
        self._windows = windows
        self._progress = Progress(report, _weights_of(config))
        ends = np.cumsum([len(window) for window in windows]).tolist()
        self._bounds = list(zip([0, *ends], ends, strict=False))
        self._layer = -1
        self._rounded: dict[str, Quantized] = {}
        self._x = np.empty((0, 0), np.float32)

    @property
    def fingerprint(self) -> str:
        """Tells texts apart: other texts or other tokens of them round otherwise."""
        digest = hashlib.sha256()
        for window in self._windows:
            digest.update(len(window).to_bytes(8, "little"))
            digest.update(window.astype("<i8").tobytes())
        return digest.hexdigest()

    def round(self, source: str, start: int, weight: Floats, scheme: Scheme) -> Quantized:
        """See `Rounding`. Rounds the whole layer when its first matrix is asked for."""
        match = _LAYER.match(source)
        if match is None or scheme.bits == 32:
            return round_plainly(weight, scheme)
        self.advance(int(match[1]))
        whole, rows = self._rounded[source], slice(start, start + len(weight))
        return Quantized(whole.values[:, rows], whole.scales[:, rows], whole.bits, whole.block_size)

    def advance(self, layer: int) -> Floats:
        """Round all up to `layer`; return what the texts have become behind it, [T, hidden]."""
        if layer < self._layer:
            self._layer = -1
        if self._layer < 0:
            self._x = self._embed()
        while self._layer < layer:
            self._layer += 1
            self._rounded = {}
            self._attention(self._name("self_attn"))
            self._feed_forward(self._name("mlp"))
        return self._x

    def _embed(self) -> Floats:
        scheme = self._schemes.embedding
        rows = self._tensors.read(EMBEDDING)[np.concatenate(self._windows)]
        if scheme.bits == 32:
            return rows
        if is_packed(self._config.vocab_size, scheme):
            return np.asarray(round_plainly(rows, scheme).dequantize()[0])
        return quantize_matrix(rows, scheme.bits, scheme.block).dequantize()

    def _attention(self, name: str) -> None:
        """Round q, k, v and o, and add what attention reads to the residual stream."""
        config, scheme = self._config, self._schemes.projections
        inputs = self._normed("input_layernorm")
        curvature = _curvature(inputs, scheme)
        query, key, value = (
            inputs @ self._matrix(f"{name}.{part}_proj", scheme, curvature).T for part in "qkv"
        )
        if config.qkv_bias:
            for part, heads in (("q", query), ("k", key), ("v", value)):
                heads += self._tensors.read(f"{name}.{part}_proj.bias")
        norms = [self._read(f"{name}.{part}_norm") for part in "qk" if config.use_qk_norm]
        del inputs  # These are large.
        read = query
        for begin, end in self._bounds:
            text = slice(begin, end)
            read[text] = attend(query[text], key[text], value[text], norms, config)
        del key, value
        self._x += read @ self._matrix(f"{name}.o_proj", scheme, _curvature(read, scheme)).T

    def _feed_forward(self, name: str) -> None:
        """Round the MLP or the experts, and add their output to the residual stream."""
        inputs = self._normed("post_attention_layernorm")
        if not self._config.is_sparse(self._layer):
            self._x += self._mlp(name, inputs, np.ones((len(inputs), 1), np.float32))
            return
        self._experts(name, inputs)
        if self._config.shared_expert_intermediate_size:
            openness = sigmoid(inputs @ self._read(f"{name}.shared_expert_gate").T)
            self._x += openness * self._mlp(f"{name}.shared_expert", inputs, openness)

    def _experts(self, name: str, inputs: Floats) -> None:
        chosen, weights = route(inputs @ self._read(f"{name}.gate").T, self._config)
        sample = np.linspace(0, len(inputs) - 1, min(BACKGROUND, len(inputs))).astype(np.int64)
        share = np.float32((np.square(weights).mean() * PRIOR_TOKENS / len(sample)) ** 0.5)
        for expert in range(self._config.num_experts):
            tokens, ranks = np.nonzero(chosen == expert)
            seen = inputs[np.concatenate([tokens, sample])]
            own = weights[tokens, ranks][:, None]
            weight = np.concatenate([own, np.full((len(sample), 1), share)])
            output = self._mlp(f"{name}.experts.{expert}", seen, weight)
            self._x[tokens] += own * output[: len(tokens)]

    def _mlp(self, name: str, inputs: Floats, weight: Floats) -> Floats:
        """Round a gated MLP by inputs [T, hidden] of some weight [T, 1]; return its outputs."""
        scheme = self._schemes.experts_in(self._layer)
        curvature = _curvature(inputs * weight, scheme)
        gate, up = (
            self._matrix(f"{name}.{part}_proj", scheme, curvature) for part in ("gate", "up")
        )
        inner = _whole_blocks(gated(inputs, gate, up), scheme)
        curvature = _curvature(inner * weight, scheme)
        return np.asarray(inner @ self._matrix(f"{name}.down_proj", scheme, curvature).T)

    def _matrix(self, name: str, scheme: Scheme, curvature: Curvature | None) -> Floats:
        """Round a matrix and keep the result; return what it stands for, [rows, columns]."""
        source = f"{name}.weight"
        weight = _whole_blocks(self._tensors.read(source), scheme)
        if curvature is None:
            return weight
        rounded = self._tensors.read_quantized(source, scheme.bits, scheme.block)
        if rounded is None:
            rounded = round_plainly(weight, scheme)
            if scheme.bits != 4 or scheme.searched:  # A trained grid is kept.
                rounded = round_calibrated(weight, curvature, rounded)
            self._rounded[source] = rounded
        self._progress.add(self._layer, weight.size)
        return np.asarray(rounded.dequantize()[0])

    def _normed(self, gain: str) -> Floats:
        return rms_norm(self._x, self._read(self._name(gain)), self._config.rms_norm_eps)

    def _name(self, part: str) -> str:
        return f"model.layers.{self._layer}.{part}"

    def _read(self, name: str) -> Floats:
        return self._tensors.read(f"{name}.weight")


def _curvature(inputs: Floats, scheme: Scheme) -> Curvature | None:
    """What the inputs [T, columns] say of the columns; None where nothing will be rounded."""
    return None if scheme.bits == 32 else Curvature.of((inputs.T @ inputs).astype(np.float64))


def _whole_blocks(rows: Floats, scheme: Scheme) -> Floats:
    """Fill up columns with zeros to whole blocks, as `WeightWriter` does."""
    missing = -rows.shape[1] % scheme.block
    return np.pad(rows, ((0, 0), (0, missing))) if missing else rows


def _weights_of(config: ModelConfig) -> list[int]:
    """How many weights each layer has."""
    counts = [0] * config.num_hidden_layers
    for name, shape in tensor_shapes(config).items():
        match = _LAYER.match(name)
        if match is not None and name.endswith("_proj.weight"):
            counts[int(match[1])] += math.prod(shape)
    return counts
