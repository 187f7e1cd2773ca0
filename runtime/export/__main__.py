"""The command line: `python -m runtime.export CHECKPOINT_DIR BUNDLE_DIR`."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from runtime.bundle import Bundle
from runtime.errors import EngineError
from runtime.export.calibrate_texts import MIN_TOKENS, TOKENS, Calibration
from runtime.export.decoder import Schemes
from runtime.export.errors import ExportError
from runtime.export.linear import Scheme
from runtime.export.write import Options, export_bundle
from runtime.prompt_format import LAYOUTS

_DESCRIPTION = """\
Turn a checkpoint into a bundle that lsp-server can use.

CHECKPOINT_DIR is a Hugging Face directory of a Qwen2, Qwen2-MoE, Qwen3 or Qwen3-MoE model:
config.json, one or more safetensors files, tokenizer.json. It is read one tensor at a time, so it
may be larger than memory.
BUNDLE_DIR is made, or filled, with bundle.json, model.onnx, weights.bin and tokenizer.json.
"""
_EPILOG = """\
how to choose:
  int4 experts with int8 projections (the defaults) run fastest: nearly all weights of such a model
  are experts, and each token reads only a few of them. --block 64 saves 6 % of their size and costs
  some accuracy. Where quality matters more than size: --experts int8.
  fp32 everywhere gives the checkpoint's own numbers, for comparisons; it is large and slow.
  The manifest, bundle.json, records the relative error of the weights in each layer.

examples:
  python -m runtime.export checkpoints/small bundles/small
  python -m runtime.export checkpoints/coder bundles/coder --context 32768 --prompt-format fim
  python -m runtime.export checkpoints/small bundles/exact --experts fp32 --projections fp32 \\
      --embedding fp32

then:
  lsp-server doctor --set engine.bundle=BUNDLE_DIR
"""
_BITS = {"int4": 4, "int8": 8, "fp32": 32}


def main() -> int:
    """Read the command line, export, and say what was made; 0 if it worked, 1 if not."""
    arguments = _parser().parse_args()
    try:
        options = _options(arguments)
        calibration = _calibration(arguments)
        bundle = export_bundle(arguments.checkpoint, arguments.bundle, options, calibration)
    except (EngineError, OSError) as error:
        sys.stderr.write(f"export failed: {error}\n")
        return 1
    sys.stdout.write(_summary(bundle))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m runtime.export",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("checkpoint", type=Path, metavar="CHECKPOINT_DIR")
    add("bundle", type=Path, metavar="BUNDLE_DIR")
    add(
        "--experts",
        choices=_BITS,
        default="int4",
        help="experts and MLPs (default int4)",
    )
    add(
        "--sensitive",
        type=_layers,
        default=(),
        metavar="LAYERS",
        help="layers, counted from 0, whose experts keep int8 where others have int4: 0,47",
    )
    add("--projections", choices=_BITS, default="int8", help="q, k, v and o (default int8)")
    add(
        "--embedding",
        choices=("int8", "fp32"),
        default="int8",
        help="the embedding and the output head, which share their bytes if tied (default int8)",
    )
    add("--block", type=int, choices=(32, 64), default=32, help="weights per scale (default 32)")
    add(
        "--trained-grid",
        action="store_true",
        help="int4: keep the plain grid, max|w| / 7, that the checkpoint was trained on, "
        "calibrated or not; by default each block's scale is searched for the least error",
    )
    add(
        "--calibrate",
        type=Path,
        metavar="TEXTS",
        help="round by what the model does with these texts: a folder, a text file, or a .jsonl "
        'file of objects with "text"; slower, closer to the original',
    )
    add(
        "--calibration-tokens",
        type=int,
        default=TOKENS,
        help=f"how much of them to read (default {TOKENS})",
    )
    add("--name", default="", help="how the model is called (default: the checkpoint's folder)")
    add("--context", type=int, default=0, help="tokens that fit the cache (default: the model's)")
    add(
        "--prompt-format",
        choices=LAYOUTS,
        default="prefix",
        help="prefix: the model continues text (default); fim: it can also fill in the middle",
    )
    add("--memory", type=Path, help="a JSON file: the mixture table of the repository memory")
    add("--licence", default="not stated", help="the licence of the weights, for the manifest")
    add("--force", action="store_true", help="replace the bundle that BUNDLE_DIR holds")
    return parser


def _options(arguments: argparse.Namespace) -> Options:
    def scheme(kind: str) -> Scheme:
        return Scheme(_BITS[kind], arguments.block, searched=not arguments.trained_grid)

    return Options(
        schemes=Schemes(
            experts=scheme(arguments.experts),
            projections=scheme(arguments.projections),
            embedding=scheme(arguments.embedding),
            sensitive=arguments.sensitive,
        ),
        name=arguments.name,
        context=arguments.context,
        prompt_layout=arguments.prompt_format,
        memory=_read_memory(arguments.memory),
        licence=arguments.licence,
        replace=arguments.force,
    )


def _layers(text: str) -> tuple[int, ...]:
    try:
        return tuple(sorted({int(number) for number in text.split(",")}))
    except ValueError as error:
        message = f"give numbers of layers with commas between, such as 0,47, not {text!r}"
        raise argparse.ArgumentTypeError(message) from error


def _calibration(arguments: argparse.Namespace) -> Calibration | None:
    if arguments.calibrate is None:
        return None
    if arguments.calibration_tokens < MIN_TOKENS:
        raise ExportError(
            f"--calibration-tokens must be at least {MIN_TOKENS}, not "
            f"{arguments.calibration_tokens}"
        )

    def report(line: str) -> None:
        sys.stderr.write(f"{line}\n")

    return Calibration(arguments.calibrate, arguments.calibration_tokens, report)


def _read_memory(path: Path | None) -> dict[str, Any] | None:
    if path is None:
        return None
    try:
        table = json.loads(path.read_bytes())
    except ValueError as error:
        raise ExportError(f"{path} is not JSON: {error}") from error
    if not isinstance(table, dict):
        raise ExportError(f"{path} must hold a JSON object")
    return table


def _summary(bundle: Bundle) -> str:
    size = sum(record.bytes for record in bundle.files.values())
    error = bundle.quantization["relative_rms_error"]
    worst: dict[str, float] = {}
    for layer in error["layers"]:
        for part, value in layer.items():
            worst[part] = max(worst.get(part, 0.0), value)
    parts = "".join(f"{part} at most {worst[part]:.4f}, " for part in sorted(worst))
    return (
        f"{bundle.path}: {bundle.name}, {size / 1e6:.1f} MB, context {bundle.context}\n"
        f"relative rms error of the weights: {parts}embedding {error['embedding']:.4f}\n"
    )


if __name__ == "__main__":
    sys.exit(main())
