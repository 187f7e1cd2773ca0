"""GGUF files: numbers as the gguf package gives them, names and text as they were."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
from gguf import GGMLQuantizationType as Kind
from gguf.quants import dequantize
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.export.architectures import read_config
from runtime.export.errors import ExportError
from runtime.export.sources import GgufModel, open_source
from runtime.export.sources.gguf_tokenizer import tokenizer_of
from runtime.export.tensors import check_tensors
from runtime.tokenizer import Tokenizer, byte_alphabet
from tests.runtime.checkpoints import CONFIG, weights
from tests.runtime.gguf_files import F32, write_gguf
from tests.support.tiny_tokenizer import tokenizer_definition

WIDE: dict[str, Any] = {
    **CONFIG,
    "hidden_size": 256,
    "moe_intermediate_size": 256,
    "head_dim": 128,
}
DENSE: dict[str, Any] = {
    **CONFIG,
    "architectures": ["Qwen2ForCausalLM"],
    "num_experts": 0,
    "intermediate_size": 64,
}
MOE2: dict[str, Any] = {
    **CONFIG,
    "architectures": ["Qwen2MoeForCausalLM"],
    "intermediate_size": 64,
    "shared_expert_intermediate_size": 64,
    "norm_topk_prob": False,
}
# All that the package can turn into floats, but what is stored as floats.
QUANTIZED = sorted(set(gguf.quants._type_traits), key=int)


@pytest.mark.parametrize("kind", QUANTIZED, ids=lambda kind: kind.name)
def test_every_type_is_dequantized_bit_by_bit_as_the_package_does(
    tmp_path: Path, kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of random bytes, so that all scales and codes occur, numbers that are none among them."""
    rng = np.random.default_rng(int(kind))
    _, size = gguf.GGML_QUANT_SIZES[kind]
    block, _ = gguf.GGML_QUANT_SIZES[kind]
    raw = rng.integers(0, 256, (2, 256, 256 // block * size), np.uint8)
    path = tmp_path / "model.gguf"
    monkeypatch.setattr("tests.runtime.gguf_files.quantize", lambda array, _: raw_of(array, raw))
    write_gguf(path, WIDE, weights(WIDE), kind)
    source = GgufModel(path)
    with np.errstate(all="ignore"):
        wanted = dequantize(raw, kind)
    for expert in range(2):
        name = f"model.layers.0.mlp.experts.{expert}.up_proj.weight"
        assert source.storage(name).kind == kind.name
        found = source._read(name)
        np.testing.assert_array_equal(found.view(np.uint32), wanted[expert].view(np.uint32))


def raw_of(array: Any, raw: Any) -> Any:
    """Random bytes in the shape of a quantized array."""
    rows = int(np.prod(array.shape[:-1]))
    flat = np.resize(raw, (rows, raw.shape[-1] * array.shape[-1] // 256))
    return flat.reshape(*array.shape[:-1], -1)


@pytest.mark.parametrize(
    ("kind", "bits"), [(Kind.Q4_0, 4), (Kind.Q4_0, 8), (Kind.Q5_0, 8), (Kind.Q8_0, 8)]
)
def test_grids_like_ours_are_kept(tmp_path: Path, kind: Kind, bits: int) -> None:
    source = GgufModel(write_gguf(tmp_path / "m.gguf", CONFIG, weights(), kind))
    matrices = [name for name, shape in source.shapes.items() if len(shape) == 2]
    for name in matrices:
        if name.endswith("mlp.gate.weight"):
            continue
        kept = source.read_quantized(name, bits, 32)
        assert kept is not None
        assert (bits, 32) in source.storage(name).grids
        np.testing.assert_array_equal(kept.dequantize()[0], source.read(name))
        assert source.read_quantized(name, bits, 64) is None
    assert source.read_quantized("model.layers.0.mlp.gate.weight", bits, 32) is None


def test_a_step_that_our_grid_has_not_is_left_to_rounding(tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "m.gguf", CONFIG, weights(), Kind.Q8_0)
    source = GgufModel(path)
    name = "model.layers.0.self_attn.q_proj.weight"
    start, before = source._places[name][0].start, source.read(name)
    content = bytearray(path.read_bytes())
    content[start + 2] = 0x80
    path.write_bytes(content)
    changed = GgufModel(path)
    assert changed.read_quantized(name, 8, 32) is None
    assert changed.read(name).flat[0] == -128 * abs(before[0, :32]).max() / 127


@pytest.mark.parametrize("config", [CONFIG, DENSE, MOE2], ids=["qwen3moe", "qwen2", "qwen2moe"])
def test_names_shapes_and_configuration(tmp_path: Path, config: dict[str, Any]) -> None:
    tensors = weights(config)
    source = GgufModel(write_gguf(tmp_path / "m.gguf", config, tensors))
    assert read_config(source.config) == read_config(config)
    check_tensors(source, read_config(config))
    for name, array in tensors.items():
        np.testing.assert_array_equal(source.read(name), array)


def test_yarn(tmp_path: Path) -> None:
    extra = {
        "rope.scaling.type": "yarn",
        "rope.scaling.factor": 4.0,
    }
    path = write_gguf(tmp_path / "m.gguf", CONFIG, weights(), extra=extra)
    with pytest.raises(ExportError, match=r"lacks the entry .*original_context_length"):
        GgufModel(path)


def test_a_model_in_parts(tmp_path: Path) -> None:
    tensors = weights()
    write_gguf(tmp_path / "m.gguf", CONFIG, tensors, split=4)
    parts = sorted(tmp_path.glob("*.gguf"))
    assert len(parts) > 2
    for named in (parts[0], parts[-1], tmp_path):
        source = open_source(str(named), {})
        assert source.name == "m"
        for name, array in tensors.items():
            np.testing.assert_array_equal(source.read(name), array)
    parts[1].unlink()
    with pytest.raises(ExportError, match=r"is missing: the model has"):
        open_source(str(parts[0]), {})


def test_parts_that_were_renamed(tmp_path: Path) -> None:
    write_gguf(tmp_path / "m.gguf", CONFIG, weights(), split=4)
    first, second, *_ = sorted(tmp_path.glob("*.gguf"))
    content = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(content)
    with pytest.raises(ExportError, match=r"says that it is part 1 .*by its name it is 0"):
        GgufModel(first)


def test_several_models_in_a_folder(tmp_path: Path) -> None:
    for name in ("a-Q4_0.gguf", "b-Q8_0.gguf"):
        write_gguf(tmp_path / name, CONFIG, weights())
    with pytest.raises(ExportError, match=r"holds 2 models, give one of them: a-Q4_0\.gguf, b-"):
        open_source(str(tmp_path), {})


def qwen_like(merges: tuple[str, ...]) -> dict[str, Any]:
    """A tokenizer that cuts text as Qwen2's does, with few merges."""
    definition = tokenizer_definition(merges)
    words = (
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
        r"|\s*[\r\n]+|\s+(?!\S)|\s+"
    )
    split = {
        "type": "Split",
        "pattern": {"Regex": words},
        "behavior": "Isolated",
        "invert": False,
    }
    byte_level = {
        "type": "ByteLevel",
        "add_prefix_space": False,
        "trim_offsets": False,
        "use_regex": False,
    }
    pre = {"type": "Sequence", "pretokenizers": [split, byte_level]}
    return {**definition, "normalizer": {"type": "NFC"}, "pre_tokenizer": pre}


MERGES = ("Ġ Ġ", "ĠĠ ĠĠ", "i n", "Ġ in", "d e", "de f", "s e", "se l", "sel f", "Ċ Ċ", "Ã ©")


@pytest.fixture(scope="module")
def rebuilt(tmp_path_factory: pytest.TempPathFactory) -> tuple[Tokenizer, Tokenizer]:
    """An original tokenizer, and the one that comes out of a GGUF file of it."""
    original = qwen_like(MERGES)
    config = {**CONFIG, "vocab_size": 320}
    path = tmp_path_factory.mktemp("tokenizer") / "m.gguf"
    write_gguf(path, config, weights(config), tokenizer=original)
    return Tokenizer(original), Tokenizer(json.loads(GgufModel(path).tokenizer()))


@given(st.one_of(st.text(), st.from_regex(r"([a-z]{1,6}|    |\n|def |self\.|[0-9]+|'ll|é)*")))
@settings(deadline=None)
def test_rebuilt_tokenizers_encode_as_the_original(
    rebuilt: tuple[Tokenizer, Tokenizer], text: str
) -> None:
    original, again = rebuilt
    assert again.encode(text) == original.encode(text)


def test_rebuilt_tokenizers_know_the_same_tokens(rebuilt: tuple[Tokenizer, Tokenizer]) -> None:
    original, again = rebuilt
    assert again.vocab_size == original.vocab_size
    for name in ("<|fim_prefix|>", "<tool_call>", "<|endoftext|>"):
        assert again.token_id(name) == original.token_id(name) is not None
    for token in range(original.vocab_size):
        assert again.token_bytes(token) == original.token_bytes(token)


def test_control_tokens_in_front_keep_their_ids() -> None:
    tokens = ["<|endoftext|>", *byte_alphabet(), "<tool>"]
    metadata = {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "qwen2",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": np.array([3, *[1] * 256, 4]),
        "tokenizer.ggml.merges": [],
    }
    tokenizer = Tokenizer(tokenizer_of(metadata, "m"))
    assert (tokenizer.token_id("<|endoftext|>"), tokenizer.token_id("<tool>")) == (0, 257)
    assert tokenizer.encode("a<|endoftext|>")[0] == tokens.index("a")
    assert not {0, 257} & set(tokenizer.encode("a<|endoftext|><tool>"))


def test_a_tokenizer_of_another_kind(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="has a tokenizer of the kind 'llama', 'default'"):
        tokenizer_of({"tokenizer.ggml.model": "llama", "tokenizer.ggml.pre": "default"}, "m")


def test_another_architecture(tmp_path: Path) -> None:
    writer = gguf.GGUFWriter(tmp_path / "m.gguf", "llama")
    writer.add_tensor("token_embd.weight", np.zeros((4, 32), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with pytest.raises(ExportError, match=r"the architecture is 'llama'; supported are qwen2"):
        GgufModel(tmp_path / "m.gguf")


def test_numbers_that_are_none(tmp_path: Path) -> None:
    tensors = weights()
    tensors["model.norm.weight"][3] = np.inf
    source = GgufModel(write_gguf(tmp_path / "m.gguf", CONFIG, tensors, F32))
    with pytest.raises(ExportError, match=r"model\.norm\.weight in .* holds NaN or infinity"):
        source.read("model.norm.weight")
