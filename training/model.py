"""Qwen3-MoE in plain PyTorch, equal to transformers' Qwen3MoeForCausalLM to the last digits.

Grouped-query attention with RMS-normalised queries and keys and rotate-half RoPE; in every layer a
mixture of SwiGLU experts with softmax over all experts, then top-k, then renormalised weights;
tied embeddings (Qwen3 Technical Report, arXiv 2505.09388).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.fake_quant import fake_quantize
from training.linear_loss import linear_cross_entropy


@dataclass(frozen=True)
class ModelConfig:
    """Shape of the model, under the names of transformers' Qwen3MoeConfig."""

    vocab_size: int = 8192
    hidden_size: int = 192
    num_hidden_layers: int = 4
    num_attention_heads: int = 3
    num_key_value_heads: int = 1
    head_dim: int = 64
    num_experts: int = 8
    num_experts_per_tok: int = 2
    moe_intermediate_size: int = 128
    rope_theta: float = 10000.0
    rms_norm_eps: float = 1e-6
    max_position_embeddings: int = 1024

    def parameter_counts(self) -> dict[str, int]:
        """Return the number of weights: in all, used for one token, and in the embedding."""
        heads = 2 * (self.num_attention_heads + self.num_key_value_heads)
        expert = 3 * self.hidden_size * self.moe_intermediate_size
        attention = self.hidden_size * self.head_dim * heads + 2 * self.head_dim
        shared = attention + self.hidden_size * (self.num_experts + 2)
        embedding = self.vocab_size * self.hidden_size
        layers, rest = self.num_hidden_layers, embedding + self.hidden_size
        return {
            "total": layers * (shared + self.num_experts * expert) + rest,
            "active": layers * (shared + self.num_experts_per_tok * expert) + rest,
            "embedding": embedding,
        }

    def to_hf(self) -> dict[str, Any]:
        """Return the config.json of the Hugging Face checkpoint."""
        return {
            "architectures": ["Qwen3MoeForCausalLM"],
            "model_type": "qwen3_moe",
            **asdict(self),
            "rope_scaling": None,
            "intermediate_size": self.moe_intermediate_size,
            "norm_topk_prob": True,
            "decoder_sparse_step": 1,
            "mlp_only_layers": [],
            "hidden_act": "silu",
            "attention_bias": False,
            "attention_dropout": 0.0,
            "use_sliding_window": False,
            "sliding_window": None,
            "max_window_layers": self.num_hidden_layers,
            "tie_word_embeddings": True,
            "output_router_logits": False,
            "router_aux_loss_coef": 0.001,
            "initializer_range": 0.02,
            "use_cache": True,
            "bos_token_id": None,
            "eos_token_id": 0,
            "pad_token_id": 0,
        }


class RmsNorm(nn.Module):
    """Root-mean-square normalisation over the last axis (Zhang & Sennrich, 1910.07467)."""

    def __init__(self, size: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """Return x [..., size] scaled to unit mean square, times the weight."""
        return functional.rms_norm(x, (x.shape[-1],), self.weight, self.eps)


@dataclass
class LayerCache:
    """Keys and values [batch, kv heads, positions, head_dim] of the tokens seen so far."""

    key: Tensor | None = None
    value: Tensor | None = None

    def extend(self, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Append new keys and values; return all of them."""
        if self.key is not None and self.value is not None:
            key, value = torch.cat((self.key, key), 2), torch.cat((self.value, value), 2)
        self.key, self.value = key, value
        return key, value


def _normal(*shape: int) -> nn.Parameter:
    return nn.Parameter(torch.randn(*shape) * shape[-1] ** -0.5)


class Attention(nn.Module):
    """Grouped-query attention with normalised queries and keys."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        width, inner = config.hidden_size, config.num_attention_heads * config.head_dim
        self.config = config
        self.quantized = False
        self.q_proj = _normal(inner, width)
        self.k_proj = _normal(config.num_key_value_heads * config.head_dim, width)
        self.v_proj = _normal(config.num_key_value_heads * config.head_dim, width)
        # A zero output projection makes each layer start as the identity.
        self.o_proj = nn.Parameter(torch.zeros(width, inner))
        self.q_norm = RmsNorm(config.head_dim, config.rms_norm_eps)
        self.k_norm = RmsNorm(config.head_dim, config.rms_norm_eps)

    def forward(self, x: Tensor, rope: tuple[Tensor, Tensor], cache: LayerCache | None) -> Tensor:
        """Return the attention output [batch, time, width] for x of the same shape."""
        query = rotate(self.q_norm(self._heads(x, self.q_proj)).transpose(1, 2), rope)
        key = rotate(self.k_norm(self._heads(x, self.k_proj)).transpose(1, 2), rope)
        value = self._heads(x, self.v_proj).transpose(1, 2)
        if cache is not None:
            key, value = cache.extend(key, value)
        groups = self.config.num_attention_heads // self.config.num_key_value_heads
        key, value = (each.repeat_interleave(groups, 1) for each in (key, value))
        new, seen = query.shape[2], key.shape[2]
        if new == seen:
            mixed = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        else:
            mask = torch.ones(new, seen, dtype=torch.bool, device=x.device).tril(seen - new)
            mixed = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        return functional.linear(mixed.transpose(1, 2).flatten(2), self._stored(self.o_proj))

    def _heads(self, x: Tensor, weight: Tensor) -> Tensor:
        projected = functional.linear(x, self._stored(weight))
        return projected.view(*x.shape[:-1], -1, self.config.head_dim)

    def _stored(self, weight: Tensor) -> Tensor:
        return fake_quantize(weight, 8) if self.quantized else weight


def rotate(x: Tensor, rope: tuple[Tensor, Tensor]) -> Tensor:
    """Rotate x [..., time, head_dim] by the angles of its positions (RoFormer, 2104.09864)."""
    cosine, sine = rope
    half = x.shape[-1] // 2
    turned = torch.cat((-x[..., half:], x[..., :half]), -1)
    return x * cosine + turned * sine


class Experts(nn.Module):
    """A router and its SwiGLU experts; the loop over experts suits a CPU."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        width, inner, count = config.hidden_size, config.moe_intermediate_size, config.num_experts
        self.config = config
        self.quantized = False
        self.router = nn.Parameter(torch.randn(count, width) * 0.02)
        self.gate_proj = _normal(count, inner, width)
        self.up_proj = _normal(count, inner, width)
        self.down_proj = nn.Parameter(torch.zeros(count, width, inner))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return (output, balance loss) for x [tokens, width]; a perfect balance gives 1.0.

        The balance loss is Switch Transformers' (arXiv 2101.03961, equation 4).
        """
        count, chosen = self.config.num_experts, self.config.num_experts_per_tok
        probability = functional.linear(x, self.router).softmax(-1)
        weight, expert = probability.topk(chosen, -1)
        weight = weight / weight.sum(-1, keepdim=True)
        order = expert.flatten().argsort(stable=True)
        loads = torch.bincount(expert.flatten(), minlength=count)
        token = order // chosen
        gate, up, down = (self._stored(w) for w in (self.gate_proj, self.up_proj, self.down_proj))
        parts = torch.split(x.index_select(0, token), loads.tolist())
        outputs = [
            functional.linear(
                functional.silu(functional.linear(part, gate[index]))
                * functional.linear(part, up[index]),
                down[index],
            )
            for index, part in enumerate(parts)
        ]
        scaled = torch.cat(outputs) * weight.flatten()[order, None]
        balance = count * (probability.mean(0) * (loads / order.numel())).sum()
        return torch.zeros_like(x).index_add(0, token, scaled), balance

    def _stored(self, weight: Tensor) -> Tensor:
        return fake_quantize(weight, 4) if self.quantized else weight


class Layer(nn.Module):
    """One pre-normalised transformer layer."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.input_norm = RmsNorm(config.hidden_size, config.rms_norm_eps)
        self.post_norm = RmsNorm(config.hidden_size, config.rms_norm_eps)
        self.attention = Attention(config)
        self.experts = Experts(config)

    def forward(
        self, x: Tensor, rope: tuple[Tensor, Tensor], cache: LayerCache | None
    ) -> tuple[Tensor, Tensor]:
        """Return (x after the layer, balance loss) for x [batch, time, width]."""
        x = x + self.attention(self.input_norm(x), rope, cache)
        output, balance = self.experts(self.post_norm(x).flatten(0, 1))
        return x + output.view_as(x), balance


class Model(nn.Module):
    """The language model; `set_quantized` switches fake quantization of its weights on or off."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.quantized = False
        self.embedding = nn.Parameter(torch.randn(config.vocab_size, config.hidden_size) * 0.02)
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.num_hidden_layers))
        self.norm = RmsNorm(config.hidden_size, config.rms_norm_eps)
        steps = torch.arange(0, config.head_dim, 2).float() / config.head_dim
        positions = torch.arange(config.max_position_embeddings).float()
        angles = torch.outer(positions, config.rope_theta**-steps).repeat(1, 2)
        self.register_buffer("cosine", angles.cos(), persistent=False)
        self.register_buffer("sine", angles.sin(), persistent=False)

    def set_quantized(self, quantized: bool) -> None:
        """See experts as int4, other matrices and the embedding as int8 from now on, or not."""
        for module in self.modules():
            if isinstance(module, Attention | Experts | Model):
                module.quantized = quantized

    def stored_embedding(self) -> Tensor:
        """Return the embedding [vocab, width] as the forward pass sees it."""
        return fake_quantize(self.embedding, 8) if self.quantized else self.embedding

    def hidden(
        self, ids: Tensor, embedding: Tensor, caches: list[LayerCache] | None = None, start: int = 0
    ) -> tuple[Tensor, Tensor]:
        """Return (final states [batch, time, width], mean balance loss) of ids [batch, time].

        `start` is the position of the first id; `caches`, one a layer, hold what came before it.
        """
        x = functional.embedding(ids, embedding)
        end = start + ids.shape[1]
        rope = (self.get_buffer("cosine")[start:end], self.get_buffer("sine")[start:end])
        balances = []
        for index, layer in enumerate(self.layers):
            x, balance = layer(x, rope, caches[index] if caches else None)
            balances.append(balance)
        return self.norm(x), torch.stack(balances).mean()

    def logits(
        self, ids: Tensor, caches: list[LayerCache] | None = None, start: int = 0, last: int = 0
    ) -> Tensor:
        """Return logits [batch, time, vocab], of the `last` positions only where it is not 0."""
        embedding = self.stored_embedding()
        states, _ = self.hidden(ids, embedding, caches, start)
        return functional.linear(states[:, -last:], embedding)

    def loss(self, ids: Tensor, balance_weight: float = 0.001) -> tuple[Tensor, Tensor]:
        """Return (loss to minimise, cross-entropy in nats per token) of ids [batch, time + 1]."""
        embedding = self.stored_embedding()
        states, balance = self.hidden(ids[:, :-1], embedding)
        entropy = linear_cross_entropy(states.flatten(0, 1), embedding, ids[:, 1:].flatten())
        return entropy + balance_weight * balance, entropy.detach()
