"""Values that configure the runtime: frozen, checked when made, named as in vLLM and HF."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class Priority(IntEnum):
    """Who goes first when several sequences want the model; lower runs earlier."""

    TYPING = 0
    ACTION = 1
    AGENT = 2


@dataclass(frozen=True, slots=True)
class RopeParameters:
    """How rotary positions are stretched, under the names of Hugging Face's `rope_parameters`.

    `rope_type` is default, linear, dynamic or yarn; 0 stands for what the method itself derives.
    """

    rope_type: str = "default"
    factor: float = 1.0
    original_max_position_embeddings: int = 0
    attention_factor: float = 0.0
    beta_fast: float = 32.0
    beta_slow: float = 1.0
    mscale: float = 0.0
    mscale_all_dim: float = 0.0
    truncate: bool = True


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """The shape of a decoder, under the names of its Hugging Face `config.json`.

    Layers are sparse, with `num_experts`, or dense, with one MLP of `intermediate_size`; see
    `is_sparse`. A shared expert of size 0 is none. `sliding_window` 0 means that every position
    sees all before it. `use_qk_norm` says whether the heads of queries and keys are normed.
    """

    vocab_size: int
    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    head_dim: int
    rms_norm_eps: float
    rope_theta: float
    max_position_embeddings: int
    tie_word_embeddings: bool
    intermediate_size: int = 0
    num_experts: int = 0
    num_experts_per_tok: int = 0
    moe_intermediate_size: int = 0
    norm_topk_prob: bool = False
    shared_expert_intermediate_size: int = 0
    decoder_sparse_step: int = 1
    mlp_only_layers: tuple[int, ...] = ()
    qkv_bias: bool = False
    use_qk_norm: bool = True
    sliding_window: int = 0
    rope_parameters: RopeParameters = RopeParameters()

    def is_sparse(self, layer: int) -> bool:
        """Whether a layer, counted from 0, has experts."""
        chosen = (layer + 1) % self.decoder_sparse_step == 0
        return self.num_experts > 0 and chosen and layer not in self.mlp_only_layers

    @property
    def max_context(self) -> int:
        """The most tokens of a sequence for which the graph computes what the model does.

        YaRN stretches what the model was made for. Within a sliding window all is seen, as the
        graph has it; frequencies that change with the length (dynamic) do so beyond
        `max_position_embeddings` only.
        """
        rope, limit = self.rope_parameters, self.max_position_embeddings
        if rope.rope_type == "yarn":
            limit = max(limit, int(rope.factor * rope.original_max_position_embeddings))
        return min(limit, self.sliding_window) if self.sliding_window else limit


@dataclass(frozen=True, slots=True)
class SamplingParams:
    """How tokens are chosen. The defaults are greedy decoding.

    `temperature` 0 is greedy; `top_k` 0, `top_p` 1.0 and `min_p` 0.0 switch a filter off.
    The text must begin with `start`; log-probabilities are then conditional on that.
    `stop` strings end the text before them; `stop_ids` end it before that token.
    `seed` makes a sampled sequence repeatable whatever runs beside it.
    """

    max_tokens: int = 64
    temperature: float = 0.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    seed: int = 0
    start: str = ""
    stop: tuple[str, ...] = ()
    stop_ids: tuple[int, ...] = ()
    logprobs: bool = False

    def __post_init__(self) -> None:
        if self.max_tokens < 1:
            raise ValueError(f"max_tokens must be at least 1, not {self.max_tokens}")
        if self.temperature < 0:
            raise ValueError(f"temperature must not be negative, not {self.temperature}")
        if self.top_k < 0:
            raise ValueError(f"top_k must be 0 (off) or positive, not {self.top_k}")
        if not 0 < self.top_p <= 1:
            raise ValueError(f"top_p must be in (0, 1], not {self.top_p}")
        if not 0 <= self.min_p <= 1:
            raise ValueError(f"min_p must be in [0, 1], not {self.min_p}")
        if self.repetition_penalty <= 0:
            raise ValueError(f"repetition_penalty must be positive, not {self.repetition_penalty}")


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """How the engine runs. `threads` 0 means as many as the machine has cores, four at most.

    Keys and values take `kv_bytes` at most, each number `kv_bits` (8 or 32) wide; `max_running`
    sequences are computed side by side, `max_waiting` may queue; `prefill_chunk` prompt tokens are
    computed in one step, so that a cancel waits for one chunk at most. Up to `max_draft` tokens are
    guessed and checked ahead; 0 switches that off.
    """

    threads: int = 0
    kv_bytes: int = 256 * 1024 * 1024
    kv_bits: int = 32
    max_running: int = 8
    max_draft: int = 8
    prefill_chunk: int = 256
    max_waiting: int = 64
    use_memory: bool = True

    def __post_init__(self) -> None:
        if self.kv_bits not in (8, 32):
            raise ValueError(f"kv_bits must be 8 or 32, not {self.kv_bits}")
