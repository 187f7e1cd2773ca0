"""Conversations with a model: what goes in, and what comes back while it is being written.

The same values serve a model in this process, whose chat template turns them into tokens, and one
behind a server, which gets them as JSON.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from runtime.sequence import FinishReason

Role = Literal["system", "user", "assistant", "tool"]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool that the model wants to be used. `call_id` tells its answer from other answers."""

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    call_id: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """One turn. `call_id` says, in a message of a tool, which call it answers."""

    role: Role
    content: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    call_id: str = ""


@dataclass(frozen=True, slots=True)
class Tool:
    """What a model may call. `parameters` is a JSON schema of type object."""

    name: str
    description: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CallDelta:
    """A piece of a tool call: the `index`-th of the answer. `arguments` is a piece of JSON text."""

    index: int
    name: str = ""
    arguments: str = ""
    call_id: str = ""


@dataclass(frozen=True, slots=True)
class Delta:
    """What came since the last one: text, pieces of tool calls, or why the turn has ended."""

    text: str = ""
    calls: tuple[CallDelta, ...] = ()
    finish_reason: FinishReason | None = None
