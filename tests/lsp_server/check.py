"""Text in, text out: one completion in a fixture, with a model that writes what the test says."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsp_server.features.completion import Ask, Completion, Silence, complete
from lsp_server.features.model import Model
from lsp_server.features.tokens import TokenCache
from lsp_server.settings import CompletionSettings, ContextSettings, MemorySettings, Settings
from runtime import Engine, EngineConfig, InlineEngine, MixtureTable, RepositoryMemory
from runtime.prompt_format import PromptFormat
from tests.support.byte_tokenizer import END, ByteTokenizer
from tests.support.fixture import Fixture, index_of, parse
from tests.support.scripted_runner import MARGIN, ScriptedRunner

# Control tokens of the fim layout: bytes that no fixture has.
FIM = PromptFormat("fim", fim_prefix=1, fim_suffix=2, fim_middle=3, file_sep=4, newline=(10,))
PREFIX = PromptFormat("prefix", file_sep=4, newline=(10,))


def continuing(line: str, text: str) -> Callable[[Sequence[int]], NDArray[np.float32]]:
    """Logits that write `line` and then `text`, from wherever in the line the prompt ends."""
    script = [*(line + text).encode(), END]

    def logits(context: Sequence[int]) -> NDArray[np.float32]:
        known = list(context)
        at = max(
            size
            for size in range(min(len(script), len(known) + 1))
            if known[len(known) - size :] == script[:size]
        )
        row = np.zeros(ByteTokenizer.vocab_size, np.float32)
        row[script[at]] = MARGIN
        return row

    return logits


def scripted_model(
    runner: ScriptedRunner,
    prompt_format: PromptFormat = PREFIX,
    calibration: tuple[float, ...] | None = None,
) -> Model:
    tokenizer: Any = ByteTokenizer()
    engine = Engine(
        runner,
        tokenizer,
        EngineConfig(max_draft=0),
        RepositoryMemory(runner.vocab_size),
        replace(MixtureTable(), calibration=calibration),
        (END,),
    )
    return Model(
        name="scripted",
        engine=InlineEngine(engine),
        tokens=TokenCache(tokenizer.encode),
        prompt_format=prompt_format,
        context=runner.max_context,
    )


def settings_with(**completion: Any) -> Settings:
    """Settings for tests: no deadline that a busy machine could miss, and no memory."""
    return Settings(
        completion=CompletionSettings(**completion),
        context=ContextSettings(deadline_ms=10_000),
        memory=MemorySettings(enable=False),
    )


def ask_of(fixture: Fixture, language: str | None = "python", automatic: bool = False) -> Ask:
    return Ask(fixture.path, fixture.text, fixture.offset, language, automatic=automatic)


def run_completion(
    source: str,
    model: str,
    *,
    language: str | None = "python",
    automatic: bool = False,
    prompt_format: PromptFormat = PREFIX,
    max_context: int = 4096,
    line: str | None = None,
    **completion: Any,
) -> tuple[Completion | Silence, ScriptedRunner]:
    """The model continues the cursor's line with the text `model`, or `line` instead of it."""
    fixture = parse(source)
    before = fixture.text[: fixture.offset].decode()
    line = before[before.rfind("\n") + 1 :] if line is None else line
    runner = ScriptedRunner(continuing(line, model), max_context=max_context)
    loaded = scripted_model(runner, prompt_format)
    ask = ask_of(fixture, language, automatic)
    settings = settings_with(**completion)
    found = asyncio.run(complete(index_of(fixture), loaded, ask, settings, time.monotonic))
    return found, runner


def check_completion(source: str, model: str, **options: Any) -> str:
    """What is inserted and what it replaces, or why nothing is, then the context that was used."""
    found, _ = run_completion(source, model, **options)
    fixture = parse(source)
    if isinstance(found, Silence):
        return f"silence: {found.reason}"
    assert found.start == fixture.offset
    replaced = fixture.text[found.start : found.end].decode()
    lines = [f"insert {found.text!r}" + (f" in place of {replaced!r}" if replaced else "")]
    lines += [
        f"from {span.path}:{span.start_line + 1}-{span.end_line + 1} ({span.why})"
        for span in found.receipt.context
    ]
    return "\n".join(lines)


def prompt_of(source: str, **options: Any) -> str:
    """The prompt as the model got it, control tokens in words."""
    _, runner = run_completion(source, "x", **options)
    tokens = [token for chunk in runner.runs[0] for token in chunk.tokens.tolist()]
    for run in runner.runs[1:]:
        if run[0].num_logits == 0 or len(run[0].tokens) > 1:
            tokens += run[0].tokens.tolist()
        else:
            break
    names = {1: "<prefix>", 2: "<suffix>", 3: "<middle>", 4: "<file>"}
    return "".join(names.get(token, chr(token)) for token in tokens)
