"""Makes a bundle of random weights in the shape of any supported model: speed needs no real ones.

    python benchmarks/random_bundle.py BUNDLE_DIR --preset qwen3-30b-a3b [--layers 4] [--vocab 1024]

How fast a model runs depends on its shape, not on its values, so one random expert serves as all
of them, and one stretch of rows is repeated in every matrix; each copy has bytes of its own in the
file, so caches help no more than with real weights. Little is in memory at any time: 30B in int4
takes 17 GB of disk, minutes, and less than 1 GB of memory. The tokenizer is the default model's.

Presets are the shapes of Qwen2.5-Coder, Qwen3 and their mixtures; default is the model that ships.
`--config FILE` takes a config.json instead.
"""

from __future__ import annotations

import argparse
import functools
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[1]))

from runtime.bundle import TOKENIZER, Bundle, default_bundle_path
from runtime.config import ModelConfig
from runtime.errors import EngineError
from runtime.export.architectures import read_config
from runtime.export.decoder import Decoder, Schemes, check_blocks
from runtime.export.graph import PAGE
from runtime.export.linear import Scheme, is_packed
from runtime.export.quantize import ErrorMeter, quantize_matrix
from runtime.export.tensors import tensor_shapes
from runtime.export.weights import WeightWriter
from runtime.export.write import Options, prompt_format, write_bundle
from runtime.ops.expert_dispatch.pack import PANEL_ROWS, pack_down, pack_gate_up, quantize
from runtime.ops.linear.pack import pack, panel_bytes

QWEN3_30B = ModelConfig(
    vocab_size=151936,
    hidden_size=2048,
    num_hidden_layers=48,
    num_attention_heads=32,
    num_key_value_heads=4,
    head_dim=128,
    num_experts=128,
    num_experts_per_tok=8,
    moe_intermediate_size=768,
    norm_topk_prob=True,
    rms_norm_eps=1e-6,
    rope_theta=1e7,
    max_position_embeddings=262144,
    tie_word_embeddings=False,
)
QWEN25_CODER_1B = ModelConfig(
    vocab_size=151936,
    hidden_size=1536,
    intermediate_size=8960,
    num_hidden_layers=28,
    num_attention_heads=12,
    num_key_value_heads=2,
    head_dim=128,
    qkv_bias=True,
    use_qk_norm=False,
    rms_norm_eps=1e-6,
    rope_theta=1e6,
    max_position_embeddings=32768,
    tie_word_embeddings=True,
)
PRESETS = {
    "qwen3-30b-a3b": QWEN3_30B,
    "qwen3-480b-a35b": replace(
        QWEN3_30B,
        hidden_size=6144,
        num_hidden_layers=62,
        num_attention_heads=96,
        num_key_value_heads=8,
        num_experts=160,
        moe_intermediate_size=2560,
    ),
    "qwen2.5-coder-0.5b": replace(
        QWEN25_CODER_1B,
        hidden_size=896,
        intermediate_size=4864,
        num_hidden_layers=24,
        num_attention_heads=14,
        head_dim=64,
    ),
    "qwen2.5-coder-1.5b": QWEN25_CODER_1B,
    "qwen2.5-coder-7b": replace(
        QWEN25_CODER_1B,
        vocab_size=152064,
        hidden_size=3584,
        intermediate_size=18944,
        num_attention_heads=28,
        num_key_value_heads=4,
        tie_word_embeddings=False,
    ),
    "qwen3-4b": replace(
        QWEN25_CODER_1B,
        hidden_size=2560,
        intermediate_size=9728,
        num_hidden_layers=36,
        num_attention_heads=32,
        num_key_value_heads=8,
        qkv_bias=False,
        use_qk_norm=True,
        max_position_embeddings=40960,
    ),
    "qwen1.5-moe-a2.7b": replace(
        QWEN3_30B,
        num_hidden_layers=24,
        num_attention_heads=16,
        num_key_value_heads=16,
        num_experts=60,
        num_experts_per_tok=4,
        moe_intermediate_size=1408,
        shared_expert_intermediate_size=5632,
        norm_topk_prob=False,
        qkv_bias=True,
        use_qk_norm=False,
        rope_theta=1e6,
        max_position_embeddings=8192,
    ),
}
DEFAULT = "default"
REPEATED_ROWS = 256


class RandomTensors:
    """Small tensors of the right shapes; large ones are never made."""

    def __init__(self, config: ModelConfig) -> None:
        self.shapes = tensor_shapes(config)
        self.rng = np.random.default_rng(0)

    def read(self, name: str) -> NDArray[np.float32]:
        """Gains are 1; a matrix has the spread that keeps its products near 1."""
        shape = self.shapes[name]
        return np.ones(shape, np.float32) if len(shape) == 1 else self.matrix(*shape)

    def read_quantized(self, name: str, bits: int, block: int) -> None:
        """Nothing is stored on a grid."""

    def matrix(self, rows: int, columns: int) -> NDArray[np.float32]:
        values = self.rng.standard_normal((rows, columns), np.float32)
        return values * np.float32(columns**-0.5)


class RandomWriter(WeightWriter):
    """Large weights, repeated from small random pieces."""

    tensors: RandomTensors

    def exact(self, name: str, source: str) -> str:
        shape = self.tensors.shapes[source]
        if len(shape) == 1 or shape[0] <= REPEATED_ROWS:
            return super().exact(name, source)
        piece = self.tensors.matrix(REPEATED_ROWS, shape[1])
        self._repeat(name, piece, shape)
        return name

    def table(self, name: str, source: str, scheme: Scheme, meter: ErrorMeter) -> None:
        rows, columns = self.tensors.shapes[source]
        if scheme.bits == 32 or is_packed(rows, scheme):
            self.matrix(name, source, scheme, meter)
            return
        piece = self.tensors.matrix(min(rows, REPEATED_ROWS), columns)
        quantized = quantize_matrix(piece, scheme.bits, scheme.block)
        for part, values in (("weight", quantized.values), ("scales", quantized.scales)):
            self._repeat(f"{name}.{part}", values, (rows, *values.shape[1:]))

    def matrix(self, name: str, source: str, scheme: Scheme, meter: ErrorMeter) -> None:
        rows, columns = self.tensors.shapes[source]
        if scheme.bits == 32:
            self.exact(f"{name}.weight", source)
            return
        piece = self.tensors.matrix(min(rows, REPEATED_ROWS), columns)
        packed = pack(quantize(piece[None], scheme.bits, scheme.block))
        width = panel_bytes(columns, scheme.bits, scheme.block)
        self._repeat(f"{name}.weight", packed, (rows // PANEL_ROWS, width))

    def experts(self, name: str, sources: Sequence[str], scheme: Scheme, meter: ErrorMeter) -> None:
        inner, hidden = self.tensors.shapes[f"{sources[0]}.gate_proj.weight"]
        inner = -(-inner // scheme.block) * scheme.block
        rows = {"gate_up": min(inner, REPEATED_ROWS), "down": min(hidden, REPEATED_ROWS)}
        gate, up, down = (
            quantize(self.tensors.matrix(*shape)[None], scheme.bits, scheme.block)
            for shape in (
                (rows["gate_up"], hidden),
                (rows["gate_up"], hidden),
                (rows["down"], inner),
            )
        )
        for part, packed, all_rows in (
            ("gate_up", pack_gate_up(gate, up), inner),
            ("down", pack_down(down), hidden),
        ):
            # A few rows lie side by side, whatever the part, so they too can be repeated.
            width = packed.shape[1] // rows[part] * all_rows
            whole = np.resize(packed, (1, width))
            self._repeat(f"{name}.{part}", whole, (len(sources), width))

    def _repeat(self, name: str, piece: NDArray[np.generic], shape: tuple[int, ...]) -> None:
        """Write a tensor that is a piece again and again along its first axis."""
        with self.graph.stream(name, piece.dtype, shape, PAGE) as file:
            for start in range(0, shape[0], len(piece)):
                file.write(np.ascontiguousarray(piece[: shape[0] - start]).tobytes())


def make(target: Path, config: ModelConfig, options: Options) -> Bundle:
    """Write the bundle; see the module's docstring. Raises EngineError."""
    check_blocks(config, options.schemes)
    decoder = functools.partial(Decoder, tensors=RandomTensors(config), writer=RandomWriter)
    tokenizer = (default_bundle_path() / TOKENIZER).read_bytes()
    prompt = prompt_format(tokenizer, config, options.prompt_layout)
    return write_bundle(target, config, tokenizer, prompt, options, decoder)


def config_of(arguments: argparse.Namespace) -> ModelConfig:
    if arguments.config is not None:
        config = read_config(json.loads(arguments.config.read_bytes()))
    elif arguments.preset == DEFAULT:
        config = Bundle.open(default_bundle_path()).config
    else:
        config = PRESETS[arguments.preset]
    return replace(
        config,
        num_hidden_layers=arguments.layers or config.num_hidden_layers,
        vocab_size=arguments.vocab or config.vocab_size,
    )


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("bundle", type=Path, metavar="BUNDLE_DIR")
    add("--preset", choices=(*PRESETS, DEFAULT), default="qwen3-30b-a3b")
    add("--config", type=Path, help="a config.json instead of a preset")
    add("--layers", type=int, default=0, help="fewer layers than the model has")
    add("--vocab", type=int, default=0, help="another vocabulary, of 8192 or more tokens")
    add("--context", type=int, default=4096, help="tokens of a sequence at most")
    add("--block", type=int, choices=(32, 64), default=32, help="weights per scale")
    add("--projections", type=int, choices=(4, 8), default=4, help="bits of q, k, v and o")
    add("--embedding", type=int, choices=(4, 8), default=8, help="bits of embedding and head")
    arguments = parser.parse_args()
    try:
        config = config_of(arguments)
        block = arguments.block
        options = Options(
            schemes=Schemes(
                Scheme(4, block),
                Scheme(arguments.projections, block),
                Scheme(arguments.embedding, block),
            ),
            name=f"random-{arguments.preset}-{config.num_hidden_layers}",
            context=min(arguments.context, config.max_context),
            licence="none: random numbers",
        )
        bundle = make(arguments.bundle, config, options)
    except (EngineError, OSError) as error:
        sys.stderr.write(f"random_bundle: {error}\n")
        return 1
    size = sum(record.bytes for record in bundle.files.values())
    print(f"{bundle.path}: {bundle.name}, {size / 1e9:.2f} GB, context {bundle.context}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
