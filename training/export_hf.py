"""Writes a checkpoint as a Hugging Face folder that transformers and our exporter both read.

$ python -m training.export_hf checkpoint.pt --tokenizer tokenizer.json --out FOLDER
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from training.model import Attention, Experts, Layer, Model, ModelConfig
from training.tokenizer import SPECIAL_TOKENS


def hf_state(model: Model) -> dict[str, Tensor]:
    """Return the weights under Qwen3-MoE's names; the tied lm_head is left out, as is usual."""
    state: dict[str, Tensor] = {
        "model.embed_tokens.weight": model.embedding,
        "model.norm.weight": model.norm.weight,
    }
    for index, layer in enumerate(model.layers):
        assert isinstance(layer, Layer)
        prefix = f"model.layers.{index}."
        state[prefix + "input_layernorm.weight"] = layer.input_norm.weight
        state[prefix + "post_attention_layernorm.weight"] = layer.post_norm.weight
        state |= {prefix + name: each for name, each in _attention(layer.attention).items()}
        state |= {prefix + name: each for name, each in _experts(layer.experts).items()}
    return {name: tensor.detach().clone().contiguous() for name, tensor in state.items()}


def _attention(attention: Attention) -> dict[str, Tensor]:
    return {
        "self_attn.q_proj.weight": attention.q_proj,
        "self_attn.k_proj.weight": attention.k_proj,
        "self_attn.v_proj.weight": attention.v_proj,
        "self_attn.o_proj.weight": attention.o_proj,
        "self_attn.q_norm.weight": attention.q_norm.weight,
        "self_attn.k_norm.weight": attention.k_norm.weight,
    }


def _experts(experts: Experts) -> dict[str, Tensor]:
    state: dict[str, Tensor] = {"mlp.gate.weight": experts.router}
    for index in range(experts.config.num_experts):
        prefix = f"mlp.experts.{index}."
        state[prefix + "gate_proj.weight"] = experts.gate_proj[index]
        state[prefix + "up_proj.weight"] = experts.up_proj[index]
        state[prefix + "down_proj.weight"] = experts.down_proj[index]
    return state


def tokenizer_config() -> dict[str, Any]:
    """Return the tokenizer_config.json."""
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": ModelConfig().max_position_embeddings,
        "bos_token": None,
        "eos_token": SPECIAL_TOKENS[0],
        "pad_token": SPECIAL_TOKENS[0],
        "unk_token": None,
        "additional_special_tokens": list(SPECIAL_TOKENS[1:]),
        "clean_up_tokenization_spaces": False,
        "add_bos_token": False,
    }


def export(model: Model, tokenizer: Path, folder: Path, dtype: torch.dtype = torch.float32) -> None:
    """Write the folder; a reader of an older one never sees a half-written mixture."""
    config = model.config.to_hf() | {"torch_dtype": str(dtype).removeprefix("torch.")}
    generation = {"do_sample": False, "eos_token_id": 0, "pad_token_id": 0}
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
        new, old = Path(temporary) / "new", Path(temporary) / "old"
        new.mkdir()
        state = {name: tensor.to(dtype) for name, tensor in hf_state(model).items()}
        save_file(state, new / "model.safetensors", metadata={"format": "pt"})
        (new / "model.safetensors").chmod(0o644)  # The writer makes it private; it is no secret.
        shutil.copyfile(tokenizer, new / "tokenizer.json")
        _write_json(new / "config.json", config)
        _write_json(new / "generation_config.json", generation)
        _write_json(new / "tokenizer_config.json", tokenizer_config())
        if folder.exists():
            folder.rename(old)
        new.rename(folder)


def _write_json(path: Path, document: dict[str, Any]) -> None:
    path.write_text(json.dumps(document, indent=2) + "\n")


def load_checkpoint(path: Path) -> Model:
    """Return the model of a training checkpoint, in evaluation mode, not quantized."""
    stored = torch.load(path, weights_only=True)
    model = Model(ModelConfig(**stored["config"]))
    model.load_state_dict(stored["model"])
    return model.eval()


def main() -> None:
    """Read the command line and export."""
    parser = argparse.ArgumentParser(description="Export a checkpoint as a Hugging Face folder.")
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--tokenizer", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--bf16", action="store_true", help="halve the file, losing precision")
    options = parser.parse_args()
    dtype = torch.bfloat16 if options.bf16 else torch.float32
    export(load_checkpoint(options.checkpoint), options.tokenizer, options.out, dtype)


if __name__ == "__main__":
    main()
