"""Measures a checkpoint alone, without repository memory, on repositories it never saw.

    $ python -m training.evaluate checkpoint.pt --tokenizer tokenizer.json \
        --rows heldout.jsonl --holes holes.jsonl --out result.json

Bits per byte over whole files, and for each hole the bits per byte of its target, whether the
greedy rest of the line is exact (spacing at the ends aside), its edit similarity, and whether the
first token is right.
"""

from __future__ import annotations

import argparse
import json
import math
import random
from collections import defaultdict
from collections.abc import Callable
from dataclasses import asdict, dataclass
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional

from training.export_hf import load_checkpoint
from training.model import LayerCache, Model
from training.tokenizer import END_OF_TEXT, file_header, read_rows

MAX_NEW_TOKENS = 48


@dataclass(frozen=True)
class Outcome:
    """How one hole went; `nats` is the cost of the true target's tokens, `size` its UTF-8 bytes."""

    repo: str
    kind: str
    lang: str
    exact: bool
    similarity: float
    first: bool
    nats: float
    size: int


@torch.no_grad()
def continue_line(model: Model, tokenizer: Tokenizer, prompt: list[int]) -> str:
    """Return the greedy continuation of `prompt` up to its first newline, which is left out."""
    caches = [LayerCache() for _ in model.layers]
    logits = model.logits(torch.tensor([prompt]), caches, last=1)
    new: list[int] = []
    while len(new) < MAX_NEW_TOKENS:
        token = int(logits[0, -1].argmax())
        if token == END_OF_TEXT:
            break
        new.append(token)
        text: str = tokenizer.decode(new)
        if "\n" in text:
            return text.split("\n", 1)[0]
        start = len(prompt) + len(new) - 1
        logits = model.logits(torch.tensor([[token]]), caches, start=start, last=1)
    return str(tokenizer.decode(new))


@torch.no_grad()
def token_nats(model: Model, ids: list[int], scored: int) -> Tensor:
    """Return the cost in nats of the last `scored` of `ids`, each given all before it."""
    logits = model.logits(torch.tensor([ids[:-1]]), last=scored)[0]
    return functional.cross_entropy(logits, torch.tensor(ids[-scored:]), reduction="none")


def make_prompt(tokenizer: Tokenizer, hole: dict[str, Any], room: int) -> list[int]:
    """Return the header and as much of the prefix's end as fits into `room` tokens."""
    header: list[int] = tokenizer.encode(file_header(hole["repo"], hole["path"])).ids
    prefix: list[int] = tokenizer.encode(hole["prefix"]).ids
    kept = max(0, room - len(header))
    return (header + prefix[len(prefix) - min(kept, len(prefix)) :])[-room:]


def try_hole(model: Model, tokenizer: Tokenizer, hole: dict[str, Any], context: int) -> Outcome:
    """Complete one hole with at most `context` tokens of prompt and answer together."""
    prompt = make_prompt(tokenizer, hole, context - MAX_NEW_TOKENS)
    gold: list[int] = tokenizer.encode(hole["target"]).ids[:MAX_NEW_TOKENS]
    costs = token_nats(model, prompt + gold, len(gold))
    line = continue_line(model, tokenizer, prompt)
    target = hole["target"].strip()
    guess: list[int] = tokenizer.encode(line).ids
    return Outcome(
        repo=hole["repo"],
        kind=hole["kind"],
        lang=hole["lang"],
        exact=line.strip() == target,
        similarity=SequenceMatcher(None, line.strip(), target, autojunk=False).ratio(),
        first=guess[:1] == gold[:1],
        nats=float(costs.sum()),
        size=len(tokenizer.decode(gold).encode()),
    )


def summarize(
    outcomes: list[Outcome], key: Callable[[Outcome], str]
) -> dict[str, dict[str, float]]:
    """Return the mean figures of each group of outcomes that shares a key."""
    groups: dict[str, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        groups[key(outcome)].append(outcome)
    return {name: _means(group) for name, group in sorted(groups.items())}


def _means(group: list[Outcome]) -> dict[str, float]:
    count = len(group)
    bits = sum(each.nats for each in group) / math.log(2)
    return {
        "n": count,
        "exact": round(sum(each.exact for each in group) / count, 4),
        "similarity": round(sum(each.similarity for each in group) / count, 4),
        "first_token": round(sum(each.first for each in group) / count, 4),
        "bits_per_byte": round(bits / sum(each.size for each in group), 4),
    }


def bits_per_byte(
    model: Model, tokenizer: Tokenizer, rows: list[dict[str, Any]], context: int, limit: int
) -> dict[str, float]:
    """Return bits per byte of each language over a fixed sample of about `limit` bytes of each.

    A file is read in windows of `context` tokens that do not overlap, its header unscored before
    the first one, so most tokens see about half a window.
    """
    order = sorted(rows, key=lambda row: (row["repo"], row["path"]))
    random.Random(3).shuffle(order)
    nats: dict[str, float] = defaultdict(float)
    size: dict[str, int] = defaultdict(int)
    for row in order:
        lang = row["lang"]
        if size[lang] < limit:
            nats[lang] += _file_nats(model, tokenizer, row, context)
            size[lang] += len(row["text"].encode())
    return {lang: round(nats[lang] / math.log(2) / size[lang], 4) for lang in sorted(size)}


def _file_nats(model: Model, tokenizer: Tokenizer, row: dict[str, Any], context: int) -> float:
    header: list[int] = tokenizer.encode(file_header(row["repo"], row["path"])).ids
    text: list[int] = tokenizer.encode(row["text"]).ids
    total = float(token_nats(model, header + text[:context], min(context, len(text))).sum())
    for begin in range(context, len(text), context):
        part = text[begin - 1 : begin + context]
        total += float(token_nats(model, part, len(part) - 1).sum())
    return total


def evaluate(
    model: Model, tokenizer: Tokenizer, rows: list[dict[str, Any]], holes: list[dict[str, Any]]
) -> dict[str, Any]:
    """Return all figures of one model, ready for JSON."""
    context = model.config.max_position_embeddings
    outcomes = [try_hole(model, tokenizer, hole, context) for hole in holes]
    return {
        "bits_per_byte": bits_per_byte(model, tokenizer, rows, context // 2, 300_000),
        "holes": summarize(outcomes, lambda each: f"{each.kind} {each.lang}"),
        "holes_by_repo": summarize(outcomes, lambda each: f"{each.kind} {each.repo}"),
        "outcomes": [asdict(each) for each in outcomes],
    }


def main() -> None:
    """Read the command line and evaluate."""
    parser = argparse.ArgumentParser(description="Evaluate a checkpoint on held-out code.")
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--tokenizer", type=Path, required=True)
    parser.add_argument("--rows", type=Path, required=True)
    parser.add_argument("--holes", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--quantized", action="store_true", help="with int4 and int8 weights")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    model = load_checkpoint(options.checkpoint)
    model.set_quantized(options.quantized)
    tokenizer = Tokenizer.from_file(str(options.tokenizer))
    result = evaluate(
        model, tokenizer, list(read_rows(options.rows)), list(read_rows(options.holes))
    )
    options.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
