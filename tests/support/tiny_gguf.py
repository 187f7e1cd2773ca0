"""A model of random weights in a file that llama.cpp loads: two layers, one token for each byte."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np

from tests.support.tiny_tokenizer import tokenizer_definition

WIDTH, HIDDEN, LAYERS, HEADS = 64, 128, 2, 2
CONTROL = ("<|im_start|>", "<|im_end|>", "<|repo_name|>", "<|fim_pad|>")
# Without a template of its own the server would guess one.
CHAT = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def write_model(path: Path, seed: int = 0) -> None:
    """A Llama of about 100 KB with the control tokens of filling in the middle."""
    definition = tokenizer_definition((("h e"), ("he l")), CONTROL)
    spelt = list(definition["model"]["vocab"])
    control = [token["content"] for token in definition["added_tokens"]]
    tokens = [*spelt, *control]
    kinds = [gguf.TokenType.NORMAL] * len(spelt) + [gguf.TokenType.CONTROL] * len(control)

    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(2048)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(HIDDEN)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges([" ".join(merge) for merge in definition["model"]["merges"]])
    writer.add_eos_token_id(tokens.index("<|endoftext|>"))
    writer.add_bos_token_id(tokens.index("<|endoftext|>"))
    writer.add_add_bos_token(False)
    for role in ("fim_pre", "fim_suf", "fim_mid"):
        name = {"fim_pre": "prefix", "fim_suf": "suffix", "fim_mid": "middle"}[role]
        writer.add_uint32(f"tokenizer.ggml.{role}_token_id", tokens.index(f"<|fim_{name}|>"))
    writer.add_chat_template(CHAT)

    random = np.random.default_rng(seed)

    def add(name: str, *shape: int) -> None:
        writer.add_tensor(name, (random.standard_normal(shape) * 0.3).astype(np.float32))

    add("token_embd.weight", len(tokens), WIDTH)
    add("output.weight", len(tokens), WIDTH)
    writer.add_tensor("output_norm.weight", np.ones(WIDTH, np.float32))
    for layer in range(LAYERS):
        for norm in ("attn_norm", "ffn_norm"):
            writer.add_tensor(f"blk.{layer}.{norm}.weight", np.ones(WIDTH, np.float32))
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            add(f"blk.{layer}.{name}.weight", WIDTH, WIDTH)
        add(f"blk.{layer}.ffn_gate.weight", HIDDEN, WIDTH)
        add(f"blk.{layer}.ffn_up.weight", HIDDEN, WIDTH)
        add(f"blk.{layer}.ffn_down.weight", WIDTH, HIDDEN)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
