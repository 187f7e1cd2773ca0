"""What `lsp-server model` prints for people."""

from __future__ import annotations

from pathlib import Path
from typing import Any

PARTS = ("experts", "projections", "embedding")


def size_text(count: float) -> str:
    """A number of bytes in the unit that suits it."""
    for unit, size in (("GB", 1e9), ("MB", 1e6)):
        if count >= size:
            return (
                f"{count / size:.2f} {unit}" if count < 10 * size else f"{count / size:.1f} {unit}"
            )
    return f"{count / 1e3:.1f} kB"


def list_text(folder: Path, rows: list[dict[str, Any]], unfinished: list[str]) -> str:
    width = max(len(row["name"]) for row in rows)
    lines = [f"models in {folder}"]
    for row in rows:
        mark = "*" if row["in_use"] else " "
        if "problem" in row:
            lines.append(f"{mark} {row['name']:{width}}  cannot be used: {row['problem']}")
            continue
        bits = "/".join(str(row["bits"][part]) for part in PARTS)
        lines.append(
            f"{mark} {row['name']:{width}}  {size_text(row['bytes']):>8}  "
            f"context {row['context']}, bits {bits} (experts/projections/embedding)"
        )
    lines += [
        f"  {name}: the import was interrupted; run it again to go on, or remove it"
        for name in unfinished
    ]
    return "\n".join([*lines, "* is in use", ""])


def info_text(found: dict[str, Any]) -> str:
    config, quantization = found["config"], found["quantization"]
    experts = (
        f", {config['num_experts']} experts of which a token takes {config['num_experts_per_tok']}"
        if config["num_experts"]
        else ""
    )
    cache = found["cache_per_token"]
    lines = [
        f"{found['name']}  {found['path']}",
        f"  shape      {config['num_hidden_layers']} layers, hidden size "
        f"{config['hidden_size']}{experts}",
        f"  size       {size_text(found['bytes'])}",
        f"  precision  {precision_text(quantization)}",
        *([f"  source     {quantization['source']}"] if "source" in quantization else []),
        f"  context    {found['context']} tokens; keys and values take {size_text(cache)} a token, "
        f"{size_text(cache * found['context'])} with all of it",
        f"  prompts    {found['prompt_format']}",
        f"  a token    reads {size_text(found['read_per_token'])} of weights; this machine reads "
        f"{size_text(found['read_bandwidth'])} a second",
    ]
    lines += [
        f"  predicted  {speed:.3g} tokens/s behind {context} tokens"
        for context, speed in found["predicted_tokens_per_s"].items()
    ]
    lines.append(f"             (lsp-server bench --bundle {found['path']} measures it)")
    if found["free_memory"] is not None:
        lines.append(f"  memory     {size_text(found['free_memory'])} are free now")
    return "\n".join([*lines, *_error_lines(quantization), ""])


def precision_text(quantization: dict[str, Any]) -> str:
    parts = []
    for part in PARTS:
        scheme = quantization.get(part, {})
        bits = scheme.get("bits")
        block = f" in blocks of {scheme['block_size']}" if "block_size" in scheme else ""
        parts.append(f"{part} {'float32' if bits == 32 else f'int{bits}'}{block}")
    return ", ".join(parts)


def _error_lines(quantization: dict[str, Any]) -> list[str]:
    """A table of the errors of layers; neighbours that are alike to two digits are one line."""
    error = quantization.get("relative_rms_error")
    if not isinstance(error, dict) or not error.get("layers"):
        return ["  error      not recorded"]
    rows: list[tuple[int, int, str]] = []
    for number, layer in enumerate(error["layers"]):
        text = ", ".join(f"{part} {value:.2g}" for part, value in layer.items())
        if rows and rows[-1][2] == text:
            rows[-1] = (rows[-1][0], number, text)
        else:
            rows.append((number, number, text))
    lines = [f"  error      relative rms of the weights; embedding {error['embedding']:.2g}"]
    for first, last, text in rows:
        where = f"layer {first}" if first == last else f"layers {first}-{last}"
        lines.append(f"    {where:14} {text}")
    return lines
