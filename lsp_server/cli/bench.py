"""`lsp-server bench`: how fast a model runs on this machine, and what it takes."""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from lsp_server.cli.options import BadInput, read_settings
from lsp_server.cli.output import fail, write, write_json
from lsp_server.machine import read_bandwidth
from lsp_server.models import bundle_path
from runtime import Engine, EngineConfig, EngineError, Request, SamplingParams, build_engine
from runtime.bundle import Bundle
from runtime.model_runner import Chunk

DESCRIPTION = """\
Measures a model on this machine with random tokens: speed depends on its shape, not on its text.

  lsp-server bench                       the model that is in use
  lsp-server bench --model NAME          another one of lsp-server model list
  lsp-server bench --bundle DIR          any bundle
  lsp-server bench --json > before.json  for a script, or to compare two versions

what the lines say (median, then the smallest and largest of the rounds):
  decode       tokens a second, one sequence, behind so many tokens of context
  predicted    the same from the bytes that a token reads and the bandwidth measured beforehand
  prefill      prompt tokens a second, in steps as large as the engine takes them
  first token  milliseconds from the request to the first token: cold with a prompt that was never
               seen, warm with the same prompt again, whose keys and values are held
  keystrokes   tokens that each key of a short session of typing cost: the rest was held
  int8         the same decode with keys and values of 8 bits instead of 32
  memory       anonymous is what only this process has; mapped is the file of weights, which the
               system drops under pressure and shares among processes

Other programs on the machine disturb: close them, or compare the best numbers of two runs.
--threads 1 disturbs least. Exit code 1 if the model cannot be loaded.
"""
CONTEXTS = (16, 512, 2048, 8192)
COLD_TOKENS = 1500
TYPED = "    for name, value in sorted(options.items()):\n        print(name, value)\n"
BEFORE = "import sys\n\n\ndef show(options: dict[str, int]) -> None:\n"


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="lsp-server bench",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--bundle", type=Path, metavar="DIR", help="the folder of a bundle")
    parser.add_argument("--model", metavar="NAME", help="an imported model, or default")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--threads", type=int, default=0, help="0: as many as the engine takes")
    parser.add_argument("--rounds", type=int, default=5, help="how often each is measured")
    parser.add_argument("--tokens", type=int, default=32, help="tokens decoded in a round")
    options = parser.parse_args(arguments)
    if options.rounds < 1 or options.tokens < 1 or options.threads < 0:
        return fail("--rounds and --tokens must be at least 1, --threads not negative")
    try:
        bundle = Bundle.open(_chosen(options))
        predicted = predict(bundle)
        found = measure(bundle, options.threads, options.rounds, options.tokens)
        found["predicted_tokens_per_s"] = predicted
    except BadInput as error:
        return fail(str(error))
    except EngineError as error:
        return fail(str(error), 1)
    if options.json:
        write_json(found)
    else:
        write(_for_people(found))
    return 0


def _chosen(options: argparse.Namespace) -> Path:
    if options.bundle is not None:
        return Path(options.bundle)
    settings = read_settings([] if options.model is None else [f"engine.model={options.model}"])
    # A name that is given goes before a folder that the user's settings have.
    chosen = settings.engine if options.model is None else replace(settings.engine, bundle="")
    return bundle_path(chosen)


def predict(bundle: Bundle) -> dict[str, float]:
    """Tokens a second behind each context length that fits, from bytes and bandwidth."""
    from runtime.export.footprint import footprint

    cost, bandwidth = footprint(bundle.config, bundle.quantization), read_bandwidth()
    return {
        str(length): cost.tokens_per_second(bandwidth, length)
        for length in CONTEXTS
        if length <= bundle.context
    }


def measure(bundle: Bundle, threads: int, rounds: int, tokens: int) -> dict[str, Any]:
    """All measurements of a checked bundle. Raises EngineError."""
    engine = build_engine(bundle, EngineConfig(threads=threads, use_memory=False))
    try:
        bench = Bench(engine, rounds, tokens)
        found: dict[str, Any] = {"model": bundle.name, "context": bench.limit, "threads": threads}
        # First what writes to blocks directly: afterwards the engine remembers what it put there.
        found["decode_tokens_per_s"] = bench.decode()
        found["prefill_tokens_per_s"] = bench.prefill()
        found["first_token_ms"] = bench.first_token()
        found["keystroke_tokens"] = bench.keystrokes()
        found["memory_bytes"] = memory_bytes()
    finally:
        engine.close()
    config = EngineConfig(threads=threads, use_memory=False, kv_bits=8)
    engine = build_engine(bundle, config)
    try:
        found["int8_decode_tokens_per_s"] = Bench(engine, rounds, tokens).decode()
    finally:
        engine.close()
    return found


class Bench:
    """Measurements of one engine that has served nobody yet."""

    def __init__(self, engine: Engine, rounds: int, tokens: int) -> None:
        self.engine, self.rounds = engine, rounds
        self.limit = engine.runner.max_context
        self.tokens = min(tokens, self.limit // 2)
        self.rng = np.random.default_rng(0)

    def decode(self) -> dict[str, dict[str, float]]:
        """Tokens a second behind each context length that fits."""
        wanted = [length for length in CONTEXTS if length + self.tokens <= self.limit]
        found = {}
        for length in wanted or [self.limit - self.tokens]:
            self._run(length, 0, 0)
            found[str(length)] = self._rates(self.tokens, lambda at=length: self._write(at))  # type: ignore[misc]
        return found

    def prefill(self) -> dict[str, Any]:
        count = min(COLD_TOKENS, self.limit - 1)
        return {"tokens": count, **self._rates(count, lambda: self._run(count, 0, 1))}

    def first_token(self) -> dict[str, Any]:
        """Milliseconds with prompts that are new, and again with the same."""
        count = min(COLD_TOKENS, self.limit - 2)
        prompts = [self._random(count) for _ in range(self.rounds)]
        pairs = [(self._ask(prompt)[0], self._ask(prompt)[0]) for prompt in prompts]
        cold, warm = (list(values) for values in zip(*pairs, strict=True))
        return {"tokens": count, "cold": _spread(cold), "warm": _spread(warm)}

    def keystrokes(self) -> dict[str, float]:
        """Tokens computed for each key of TYPED, written behind a file's beginning."""
        encode = self.engine.tokenizer.encode
        computed = []
        for end in range(len(TYPED) + 1):
            prompt = encode(BEFORE + TYPED[:end])[-(self.limit - 2) :]
            computed.append(self._ask(tuple(prompt))[1])
        keys = computed[1:]  # The first request reads the file.
        return {
            "keys": len(keys),
            "p50": float(np.percentile(keys, 50)),
            "p95": float(np.percentile(keys, 95)),
            "largest": float(max(keys)),
        }

    def _write(self, past: int) -> None:
        for index in range(self.tokens):
            self._run(1, past + index, 1)

    def _run(self, count: int, past: int, num_logits: int) -> None:
        """Let the model compute tokens in steps as the engine would, in the pool's first blocks."""
        runner, step = self.engine.runner, self.engine.config.prefill_chunk
        blocks = np.arange(-(-(past + count) // runner.block_size), dtype=np.int32)
        tokens = np.array(self._random(count), np.int64)
        for start in range(0, count, step):
            part = tokens[start : start + step]
            wanted = num_logits if start + len(part) == count else 0
            runner.run([Chunk(blocks, part, past + start, wanted)])

    def _ask(self, prompt: tuple[int, ...]) -> tuple[float, int]:
        """Milliseconds to the first token, and tokens that were computed for it."""
        began = time.perf_counter()
        number = self.engine.add(Request(prompt, SamplingParams(max_tokens=1)))
        while self.engine.has_work:
            self.engine.step()
        seconds = time.perf_counter() - began
        result = self.engine.result(number)
        if result.error is not None:
            raise EngineError(f"the model failed: {result.error}")
        return seconds * 1e3, result.usage.computed

    def _rates(self, count: int, work: Callable[[], None]) -> dict[str, float]:
        work()
        rates = []
        for _ in range(self.rounds):
            began = time.perf_counter()
            work()
            rates.append(count / (time.perf_counter() - began))
        return _spread(rates)

    def _random(self, count: int) -> tuple[int, ...]:
        return tuple(self.rng.integers(0, self.engine.vocab_size, count).tolist())


def memory_bytes() -> dict[str, int]:
    """What this process holds now, where the system tells: Linux does."""
    status = Path("/proc/self/status")
    if not status.exists():
        return {}
    fields = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
    names = {"anonymous": "RssAnon", "mapped": "RssFile"}
    return {
        name: int(fields[field].split()[0]) * 1024
        for name, field in names.items()
        if field in fields
    }


def _spread(values: list[float]) -> dict[str, float]:
    return {"median": statistics.median(values), "least": min(values), "most": max(values)}


def _for_people(found: dict[str, Any]) -> str:
    def spread(value: dict[str, float]) -> str:
        return f"{value['median']:.4g} ({value['least']:.4g}-{value['most']:.4g})"

    lines = [f"{found['model']}, context {found['context']}"]
    for name, title in (("decode", "decode"), ("int8_decode", "int8")):
        for length, rate in found[f"{name}_tokens_per_s"].items():
            lines.append(f"  {title:12} {spread(rate)} tokens/s behind {length} tokens")
    for length, rate in found.get("predicted_tokens_per_s", {}).items():
        lines.append(f"  predicted    {rate:.4g} tokens/s behind {length} tokens")
    prefill, first, keys = (
        found[name] for name in ("prefill_tokens_per_s", "first_token_ms", "keystroke_tokens")
    )
    lines += [
        f"  prefill      {spread(prefill)} tokens/s, {prefill['tokens']} tokens",
        f"  first token  cold {spread(first['cold'])} ms, warm {spread(first['warm'])} ms, "
        f"{first['tokens']} tokens",
        f"  keystrokes   p50 {keys['p50']:.0f}, p95 {keys['p95']:.0f} tokens a key",
    ]
    memory = ", ".join(
        f"{name} {size / 1e6:.0f} MB" for name, size in found["memory_bytes"].items()
    )
    return "\n".join([*lines, f"  memory       {memory or 'not told by this system'}", ""])
