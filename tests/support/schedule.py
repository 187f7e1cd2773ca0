"""Renders what an engine does, step by step, as text: `prefill a[0:12] | decode b | finish b`."""

from __future__ import annotations

from dataclasses import replace
from string import ascii_lowercase
from typing import Any

from runtime.config import EngineConfig, Priority, SamplingParams
from runtime.engine import Engine
from runtime.scheduler import Share
from runtime.sequence import MemoryScope, Output, Request
from tests.support.byte_tokenizer import END, ByteTokenizer
from tests.support.scripted_runner import ScriptedRunner


def request(
    prompt: str,
    *,
    priority: Priority = Priority.TYPING,
    scope: MemoryScope | None = None,
    **sampling: Any,
) -> Request:
    return Request(tuple(prompt.encode()), SamplingParams(**sampling), priority, scope)


class TracedEngine(Engine):
    """An engine that names its sequences a, b, c... and writes down its steps."""

    def __init__(
        self,
        runner: ScriptedRunner,
        config: EngineConfig | None = None,
        max_draft: int = 0,
        **more: Any,
    ):
        config = replace(config or EngineConfig(), max_draft=max_draft)
        super().__init__(runner, ByteTokenizer(), config, stop_ids=(END,), **more)
        self.trace: list[str] = []
        self.texts: dict[str, str] = {}

    def schedule(self) -> list[Share]:
        shares = super().schedule()
        self._line = [_render(share) for share in shares]
        return shares

    def step(self) -> list[Output]:
        outputs = super().step()
        for output in outputs:
            name = name_of(output.sequence_id)
            self.texts[name] = self.texts.get(name, "") + output.text
            if output.finish_reason is not None:
                self._line.append(f"finish {name} ({output.finish_reason})")
        self.trace.append(" | ".join(self._line))
        return outputs

    def run_to_end(self, max_steps: int = 10_000) -> str:
        for _ in range(max_steps):
            if not self.has_work:
                return "\n".join(self.trace)
            self.step()
        raise AssertionError(f"still at work after {max_steps} steps")


def name_of(sequence_id: int) -> str:
    return ascii_lowercase[sequence_id] if sequence_id < 26 else f"s{sequence_id}"


def _render(share: Share) -> str:
    sequence = share.sequence
    name = name_of(sequence.sequence_id)
    if share.drafted:
        return f"verify {name}+{share.drafted}"
    if share.count == 1 and len(sequence.generated):
        return f"decode {name}"
    return f"prefill {name}[{sequence.computed}:{sequence.computed + share.count}]"
