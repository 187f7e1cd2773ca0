"""Requests and events as servers speak them: OpenAI's completions and chat, llama.cpp's infill."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runtime.chat import CallDelta, Message, Tool
from runtime.config import SamplingParams
from runtime.remote.config import Kind, RemoteConfig
from runtime.remote.pieces import PromptParts
from runtime.remote.templates import neutral, neutral_parts, template_for
from runtime.sequence import FinishReason

ENDPOINTS: Mapping[Kind, str] = {
    "infill": "/infill",
    "completions": "/v1/completions",
    "chat": "/v1/chat/completions",
}
# OpenAI's limit; the rest of the stop strings is looked for here alone.
MAX_STOPS = 4
# What a chat model writes around the code.
FENCE_TOKENS = 24
CURSOR = "<CURSOR>"
INSTRUCTION = (
    "You complete code. The user's last file has the mark <CURSOR>. Answer with one fenced code "
    "block that holds exactly the text to insert in place of the mark: nothing that stands before "
    "or behind it already, and no explanation."
)
_SLUG = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,59}")


@dataclass(frozen=True, slots=True)
class Event:
    """What one event of a stream says. Numbers of tokens are None where it does not say them."""

    text: str = ""
    calls: tuple[CallDelta, ...] = ()
    finish_reason: FinishReason | None = None
    prompt_tokens: int | None = None
    generated_tokens: int | None = None
    cached_tokens: int | None = None
    error: str | None = None


def completion_body(config: RemoteConfig, parts: PromptParts, sampling: SamplingParams) -> bytes:
    """The request that continues a prompt, in the way that the configuration chooses."""
    common = {**_model(config), **_sampling(sampling), "stream": True}
    if config.kind == "infill":
        return _encoded(
            {
                **common,
                # The server never reads control tokens in these, so they go as they are.
                "input_prefix": parts.prefix + parts.line,
                "input_suffix": parts.suffix,
                "input_extra": [{"filename": path, "text": text} for path, text in parts.files],
                "n_predict": sampling.max_tokens,
                "cache_prompt": True,
                "stop": list(sampling.stop),
            }
        )
    if config.kind == "chat":
        return chat_body(config, _conversation(parts), (), sampling)
    template = template_for(config.template, config.model)
    parts = neutral_parts(parts)
    stops = stop_strings(config, sampling)[:MAX_STOPS]
    return _encoded(
        {
            **common,
            "prompt": template.write(parts),
            **({"suffix": parts.suffix} if template.suffix_apart else {}),
            "max_tokens": sampling.max_tokens,
            **({"stop": list(stops)} if stops else {}),
        }
    )


def chat_body(
    config: RemoteConfig,
    messages: Sequence[Message],
    tools: Sequence[Tool],
    sampling: SamplingParams,
) -> bytes:
    """A conversation, whose texts are neutral: no message can end itself or begin another."""
    body = {
        **_model(config),
        **_sampling(sampling),
        "stream": True,
        "messages": [_message(message) for message in messages],
        "max_tokens": sampling.max_tokens,
    }
    if tools:
        body["tools"] = [
            {
                "type": "function",
                "function": {
                    "name": tool.name,
                    "description": neutral(tool.description),
                    "parameters": dict(tool.parameters) or {"type": "object", "properties": {}},
                },
            }
            for tool in tools
        ]
    return _encoded(body)


def stop_strings(config: RemoteConfig, sampling: SamplingParams) -> tuple[str, ...]:
    """Those of the request first, then those at which the model's family ends a hole."""
    if config.kind != "completions":
        return sampling.stop
    return (*sampling.stop, *template_for(config.template, config.model).stop)


def has_suffix(config: RemoteConfig) -> bool:
    """Whether the text behind the cursor is sent."""
    return config.kind != "completions" or template_for(config.template, config.model).has_suffix


def read_event(event: Mapping[str, Any]) -> Event:
    """What an event says, whichever server sent it; fields of another type are passed over."""
    if event.get("error"):
        return Event(error=slug_of(event))
    usage, details = _object(event.get("usage")), None
    details = _object(usage.get("prompt_tokens_details"))
    choices = event.get("choices")
    if not isinstance(choices, list):
        return _infill_event(event)
    choice = _object(choices[0]) if choices else {}
    message = _object(choice.get("delta")) or _object(choice.get("message"))
    return Event(
        text=_text(choice.get("text")) + _text(message.get("content")),
        calls=_calls(message.get("tool_calls")),
        finish_reason=_finish(choice.get("finish_reason")),
        prompt_tokens=_count(usage.get("prompt_tokens")),
        generated_tokens=_count(usage.get("completion_tokens")),
        cached_tokens=_count(details.get("cached_tokens")),
    )


def slug_of(answer: Mapping[str, Any]) -> str:
    """The kind of an error in a word, if the server gives one.

    Its message may repeat the prompt or a key, so that is not read at all.
    """
    error = answer.get("error")
    for value in (_object(error).get("code"), _object(error).get("type"), answer.get("type")):
        if isinstance(value, str) and _SLUG.fullmatch(value):
            return value
    return "no reason given"


def _infill_event(event: Mapping[str, Any]) -> Event:
    reason: FinishReason | None = None
    if event.get("stop") is True:
        is_limit = event.get("stop_type") == "limit" or event.get("stopped_limit") is True
        reason = "length" if is_limit else "stop"
    return Event(
        text=_text(event.get("content")),
        finish_reason=reason,
        prompt_tokens=_count(event.get("tokens_evaluated")),
        generated_tokens=_count(event.get("tokens_predicted")),
        cached_tokens=_count(_object(event.get("timings")).get("cache_n")),
    )


def _conversation(parts: PromptParts) -> list[Message]:
    """The hole as a question to a chat model."""

    def unmarked(text: str) -> str:
        return text.replace(CURSOR, "<CURSOR >")

    files = "".join(f"--- {path}\n{unmarked(text)}\n" for path, text in parts.files)
    before, after = unmarked(parts.prefix + parts.line), unmarked(parts.suffix)
    hole = f"--- {parts.path}\n{before}{CURSOR}{after}"
    return [Message("system", INSTRUCTION), Message("user", files + hole)]


def _message(message: Message) -> dict[str, Any]:
    made: dict[str, Any] = {"role": message.role, "content": neutral(message.content)}
    if message.tool_calls:
        made["tool_calls"] = [
            {
                "id": call.call_id,
                "type": "function",
                "function": {"name": call.name, "arguments": _json(call.arguments)},
            }
            for call in message.tool_calls
        ]
    if message.role == "tool":
        made["tool_call_id"] = message.call_id
    return made


def _model(config: RemoteConfig) -> dict[str, Any]:
    return {"model": config.model} if config.model else {}


def _sampling(sampling: SamplingParams) -> dict[str, Any]:
    """Only what differs from what servers do anyway: some refuse fields that they do not know."""
    made: dict[str, Any] = {"temperature": sampling.temperature}
    if sampling.temperature > 0:
        made["seed"] = sampling.seed
    if sampling.top_p != 1.0:
        made["top_p"] = sampling.top_p
    if sampling.top_k:
        made["top_k"] = sampling.top_k
    if sampling.min_p:
        made["min_p"] = sampling.min_p
    return made


def _calls(value: Any) -> tuple[CallDelta, ...]:
    calls = []
    for place, item in enumerate(value if isinstance(value, list) else ()):
        call, function = _object(item), _object(_object(item).get("function"))
        index = _count(call.get("index"))
        calls.append(
            CallDelta(
                index=place if index is None else index,
                name=_text(function.get("name")),
                arguments=_text(function.get("arguments")),
                call_id=_text(call.get("id")),
            )
        )
    return tuple(calls)


def _finish(value: Any) -> FinishReason | None:
    if not isinstance(value, str) or not value:
        return None
    return "length" if value == "length" else "stop"


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    """Text of a server's JSON, which may hold halves of characters; those become U+FFFD."""
    if not isinstance(value, str):
        return ""
    return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _count(value: Any) -> int | None:
    is_count = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**40
    return value if is_count else None


def _json(value: Any) -> str:
    return json.dumps(value if not isinstance(value, Mapping) else dict(value), ensure_ascii=False)


def _encoded(body: Mapping[str, Any]) -> bytes:
    return json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
