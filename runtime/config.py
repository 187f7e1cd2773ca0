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
class ModelConfig:
    """The shape of a Qwen3-MoE decoder, under the names of its Hugging Face `config.json`."""

    vocab_size: int
    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    head_dim: int
    num_experts: int
    num_experts_per_tok: int
    moe_intermediate_size: int
    norm_topk_prob: bool
    rms_norm_eps: float
    rope_theta: float
    max_position_embeddings: int
    tie_word_embeddings: bool


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
