"""A loaded model as the features see it: the engine, its tokenizer and what its bundle says."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lsp_server.features.tokens import TokenCache
from runtime import EngineDriver, SamplingParams

if TYPE_CHECKING:
    from runtime.prompt_format import PromptFormat


@dataclass(frozen=True, slots=True)
class Model:
    """`context` is the number of tokens that a prompt and its answer have together.

    `sent_to` is the server to which text goes, in words for the user; None where it stays here.
    """

    name: str
    engine: EngineDriver
    tokens: TokenCache
    prompt_format: PromptFormat
    context: int
    sampling: SamplingParams = field(default_factory=SamplingParams)
    sent_to: str | None = None
