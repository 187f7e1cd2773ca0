"""Trains the model for a given wall-clock time or number of steps; can be stopped and resumed.

    $ python -m training.train --corpus FOLDER --tokenizer tokenizer.json --run FOLDER --minutes 95

The learning rate, the long-context stage and the quantization-aware stage follow the share of the
time that has passed, so a slow machine trains on fewer tokens but through the same stages.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import time
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import nn

from training.data import TokenSet, Windows, file_stream, load_tokens, repository_stream
from training.export_hf import export
from training.model import Model, ModelConfig
from training.optim import Schedule, build_optimizers

log = logging.getLogger(__name__)
Settings = TypeVar("Settings", "TrainConfig", ModelConfig)


@dataclass(frozen=True)
class TrainConfig:
    """What a run does; `max_steps` of 0 means that the clock, not the count, ends it."""

    minutes: float = 95.0
    max_steps: int = 0
    batch_tokens: int = 4096
    context: int = 512
    long_context: int = 1024
    long_from: float = 0.85
    quantize_from: float = 0.90
    matrix_lr: float = 0.02
    other_lr: float = 0.003
    clip: float = 1.0
    seed: int = 0
    threads: int = 2
    checkpoint_seconds: float = 300.0
    log_every: int = 20


@dataclass
class Progress:
    """Where the run stands: survives in the checkpoint. Times in seconds, over all resumes."""

    step: int = 0
    tokens: int = 0
    windows: int = 0
    long_windows: int = 0
    elapsed: float = 0.0
    cpu: float = 0.0

    def share(self, config: TrainConfig) -> float:
        """Return how much of the run is done, 0..1."""
        if config.max_steps:
            return self.step / config.max_steps
        return min(1.0, self.elapsed / (60.0 * config.minutes))


class Trainer:
    """One run: the model, its optimizers, the data, and the files under `run`."""

    def __init__(self, config: TrainConfig, model_config: ModelConfig, tokens: TokenSet) -> None:
        torch.manual_seed(config.seed)
        self.config = config
        self.progress = Progress()
        self.schedule = Schedule()
        self.model = Model(model_config)
        self.optimizers = build_optimizers(self.model, config.matrix_lr, config.other_lr)
        files = file_stream(tokens, config.seed)
        repositories = repository_stream(tokens, config.seed + 1)
        self.windows = Windows(files, config.context, config.seed)
        self.long_windows = Windows(repositories, config.long_context, config.seed + 1)

    def step(self) -> float:
        """Do one optimizer step; return the batch's cross-entropy in nats per token."""
        share = self.progress.share(self.config)
        self.model.set_quantized(share >= self.config.quantize_from)
        loss, entropy = self.model.loss(self._next_batch(share >= self.config.long_from))
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.model.parameters(), self.config.clip)
        scale = self.schedule.scale(self.progress.step, share)
        rates = (self.config.matrix_lr, self.config.other_lr)
        for optimizer, rate in zip(self.optimizers, rates, strict=True):
            for group in optimizer.param_groups:
                group["lr"] = rate * scale
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        self.progress.step += 1
        return float(entropy)

    def _next_batch(self, long: bool) -> torch.Tensor:
        windows = self.long_windows if long else self.windows
        count = self.config.batch_tokens // windows.length
        first = self.progress.long_windows if long else self.progress.windows
        if long:
            self.progress.long_windows += count
        else:
            self.progress.windows += count
        self.progress.tokens += count * windows.length
        return torch.from_numpy(windows.batch(first, count))

    def save(self, path: Path) -> None:
        """Write the checkpoint so that a crash leaves the old one or the new one, never half."""
        state = {
            "config": asdict(self.model.config),
            "train_config": asdict(self.config),
            "model": self.model.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "progress": asdict(self.progress),
        }
        temporary = path.with_suffix(".tmp")
        torch.save(state, temporary)
        temporary.replace(path)

    def restore(self, path: Path) -> None:
        """Take up a checkpoint's weights, optimizer state and place in the data."""
        state = torch.load(path, weights_only=True)
        self.model.load_state_dict(state["model"])
        for optimizer, stored in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(stored)
        self.progress = Progress(**state["progress"])


@torch.no_grad()
def dev_loss(model: Model, windows: Windows, count: int = 32) -> float:
    """Return the mean cross-entropy in nats per token over the first `count` windows."""
    model.eval()
    batches = (torch.from_numpy(windows.batch(first, 8)) for first in range(0, count, 8))
    losses = [float(model.loss(batch)[1]) for batch in batches]
    model.train()
    return float(np.mean(losses))


def run(trainer: Trainer, dev: Windows, folder: Path, tokenizer: Path) -> None:
    """Train to the end, logging to log.jsonl, with checkpoint.pt and latest/ kept fresh."""
    config, progress = trainer.config, trainer.progress
    began, cpu_began = time.monotonic() - progress.elapsed, time.process_time() - progress.cpu
    saved = progress.elapsed
    losses: list[float] = []
    last_tokens, last_time = progress.tokens, progress.elapsed
    while progress.share(config) < 1.0:
        losses.append(trainer.step())
        progress.elapsed = time.monotonic() - began
        progress.cpu = time.process_time() - cpu_began
        if progress.step % config.log_every == 0:
            rate = (progress.tokens - last_tokens) / (progress.elapsed - last_time)
            last_tokens, last_time = progress.tokens, progress.elapsed
            _log(folder, {**asdict(progress), "loss": float(np.mean(losses)), "tokens_per_s": rate})
            losses.clear()
        done = progress.share(config) >= 1.0
        if done or progress.elapsed - saved >= config.checkpoint_seconds:
            trainer.save(folder / "checkpoint.pt")
            export(trainer.model, tokenizer, folder / "latest")
            _log(folder, {**asdict(progress), "dev_loss": dev_loss(trainer.model, dev)})
            progress.elapsed = time.monotonic() - began
            saved = progress.elapsed


def _log(folder: Path, row: dict[str, Any]) -> None:
    rounded = {key: round(value, 4) for key, value in row.items()}
    with (folder / "log.jsonl").open("a") as file:
        file.write(json.dumps(rounded) + "\n")
    log.info("%s", json.dumps(rounded))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Train the model.")
    parser.add_argument("--corpus", type=Path, required=True, help="folder of train/dev.jsonl")
    parser.add_argument("--tokenizer", type=Path, required=True)
    parser.add_argument("--run", type=Path, required=True, help="folder for logs and checkpoints")
    parser.add_argument("--resume", action="store_true", help="go on from the run's checkpoint")
    for field in (*fields(TrainConfig), *fields(ModelConfig)):
        flag = "--" + field.name.replace("_", "-")
        parser.add_argument(flag, type=type(field.default), default=field.default)
    return parser


def _take(kind: type[Settings], options: argparse.Namespace) -> Settings:
    return kind(**{field.name: getattr(options, field.name) for field in fields(kind)})


def main() -> None:
    """Read the command line and train."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(message)s")
    options = _parser().parse_args()
    config, model_config = _take(TrainConfig, options), _take(ModelConfig, options)
    torch.set_num_threads(config.threads)
    cache = options.run / "tokens"
    tokens = load_tokens(options.corpus / "train.jsonl", options.tokenizer, cache)
    dev_tokens = load_tokens(options.corpus / "dev.jsonl", options.tokenizer, cache)
    dev = Windows(file_stream(dev_tokens, 7), config.context, 7)
    trainer = Trainer(config, model_config, tokens)
    log.info("%d tokens, %s", len(tokens.ids), model_config.parameter_counts())
    if options.resume:
        trainer.restore(options.run / "checkpoint.pt")
    run(trainer, dev, options.run, options.tokenizer)


if __name__ == "__main__":
    main()
