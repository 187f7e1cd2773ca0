"""Precision and context are chosen by what a machine has, and their costs foretold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from gguf import GGMLQuantizationType as Kind

from runtime.export.errors import ExportError
from runtime.export.footprint import footprint
from runtime.export.plan import OVERHEAD_BYTES, Machine, Plan, fits, make_plan
from runtime.export.sources import open_source
from runtime.export.write import shape_of
from tests.runtime.checkpoints import CONFIG, weights, write_checkpoint
from tests.runtime.gguf_files import write_gguf
from tests.runtime.importing import run_import

CONFIG_WIDE: dict[str, Any] = {
    **CONFIG,
    "hidden_size": 64,
    "num_experts": 4,
    "moe_intermediate_size": 64,
    "max_position_embeddings": 262144,
}
PLENTY = Machine(10**12, 1e12)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("plan") / "c"
    return write_checkpoint(path, CONFIG_WIDE, weights(CONFIG_WIDE))


def plan_of(path: Path, precision: str, machine: Machine, context: int = 0) -> Plan:
    source = open_source(str(path), {})
    return make_plan(source, shape_of(source), precision, context, machine)


def test_int8_where_it_fits_and_is_fast(folder: Path) -> None:
    assert plan_of(folder, "auto", PLENTY).precision == "int8"


def test_int4_where_int8_would_be_slow(folder: Path) -> None:
    cost = plan_of(folder, "int8", PLENTY).footprint
    slow = 19.9 * cost.read_per_token / 0.8
    assert plan_of(folder, "auto", Machine(10**12, slow)).precision == "int4"
    fast = 20.1 * cost.read_per_token / 0.8
    assert plan_of(folder, "auto", Machine(10**12, fast)).precision == "int8"


def test_int4_where_int8_does_not_fit(folder: Path) -> None:
    larger, smaller = (plan_of(folder, name, PLENTY, 64) for name in ("int8", "int4"))
    between = Machine((larger.memory + smaller.memory) // 2, 1e12)
    assert plan_of(folder, "auto", between, 64).precision == "int4"
    assert not fits(larger, between)


def test_a_refusal_has_the_numbers(folder: Path) -> None:
    with pytest.raises(ExportError, match=r"int4 takes .* GB of weights, .* context of 2048 .*"):
        plan_of(folder, "auto", Machine(OVERHEAD_BYTES, 1e12))
    # What is asked for by name is planned all the same.
    assert plan_of(folder, "int8", Machine(OVERHEAD_BYTES, 1e12)).precision == "int8"


def test_the_context_is_halved_until_it_fits(folder: Path) -> None:
    whole = plan_of(folder, "int8", PLENTY)
    assert whole.context == 262144
    cache = whole.footprint.cache_per_token
    for memory, wanted in ((32768, 32768), (32767, 16384), (3000, 2048), (1, 2048)):
        room = 2 * memory * cache + OVERHEAD_BYTES + whole.footprint.weights
        assert plan_of(folder, "int8", Machine(room, 1e12)).context == wanted
    assert plan_of(folder, "int8", Machine(None, 1e12)).context == 262144


@pytest.mark.parametrize(
    ("kind", "bits", "exact"),
    [
        (Kind.Q4_0, (4, 4, 4), True),
        (Kind.Q8_0, (8, 8, 8), True),
        (Kind.Q5_0, (8, 8, 8), True),
        (Kind.Q4_1, (8, 8, 8), False),
        (Kind.F16, (8, 8, 8), False),
    ],
)
def test_what_lies_on_a_grid_keeps_it(
    tmp_path: Path, kind: Kind, bits: tuple[int, ...], exact: bool
) -> None:
    path = write_gguf(tmp_path / "m.gguf", CONFIG, weights(), kind)
    plan = plan_of(path, "auto", PLENTY)
    parts = (plan.schemes.experts, plan.schemes.projections, plan.schemes.embedding)
    assert (tuple(part.bits for part in parts), plan.is_exact) == (bits, exact)


def test_four_bits_can_be_kept_in_eight(tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "m.gguf", CONFIG, weights(), Kind.Q4_0)
    bundle = run_import(path, tmp_path / "model", "int8")
    error = bundle.quantization["relative_rms_error"]
    assert bundle.quantization["experts"]["bits"] == 8
    assert error == {"embedding": 0.0, "layers": [{"projections": 0.0, "experts": 0.0}]}


@pytest.mark.parametrize("precision", ["int4", "int8", "fp16"])
def test_the_foretold_size_is_nearly_the_real_one(
    folder: Path, tmp_path: Path, precision: str
) -> None:
    plan = plan_of(folder, precision, Machine(None, 1e12), 64)
    bundle = run_import(folder, tmp_path / "model", precision, context=64)
    size = bundle.weights_path.stat().st_size
    padding = 4096 * 12
    assert plan.size <= size < plan.size + padding
    again = footprint(bundle.config, bundle.quantization)
    assert again == plan.footprint


def test_a_token_reads_the_experts_that_it_takes(folder: Path) -> None:
    source = open_source(str(folder), {})
    config = shape_of(source)
    plan = make_plan(source, config, "fp16", 64, PLENTY)
    expert = 4 * 3 * 64 * 64
    chosen, all_of_them = config.num_experts_per_tok, config.num_experts
    unused = expert * (all_of_them - chosen) * config.num_hidden_layers
    assert plan.footprint.weights - plan.footprint.read_per_token == unused
