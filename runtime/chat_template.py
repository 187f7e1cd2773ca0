"""Conversations as Qwen's models were taught to read them.

Each template gives exactly the text that the published one gives (tests/fixtures/chat.json holds
what `transformers` made of those), in pieces: control tokens, and text that never becomes one. So a
message that spells `<|im_end|>` ends nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from runtime.chat import Message, Tool, ToolCall

# Tags that are tokens of their own in tokenizers that know them.
_TAGS = re.compile(r"(<\|im_start\|>|<\|im_end\|>|</?tool_call>|</?tool_response>|</?think>)")


class Encoder(Protocol):
    """What is needed of a tokenizer, wherever the model is."""

    def encode(self, text: str) -> list[int]: ...

    def token_id(self, name: str) -> int | None: ...

    def token_bytes(self, token_id: int) -> bytes: ...

    def decode(self, ids: Iterable[int]) -> str: ...


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a prompt: the spelling of a control token, or text as somebody wrote it."""

    text: str
    is_control: bool = False


Pieces = Iterator[Piece]


def render(
    template: str, messages: Sequence[Message], tools: Sequence[Tool] = (), is_open: bool = True
) -> list[Piece]:
    """The conversation in pieces; if it `is_open`, the assistant's turn is begun.

    Neighbouring texts are one piece: a tokenizer sees them together. Raises ValueError for a
    template that is not in TEMPLATES.
    """
    if template not in TEMPLATES:
        raise ValueError(f"chat template {template!r} is unknown; known: {', '.join(TEMPLATES)}")
    return _joined(TEMPLATES[template](messages, tools, is_open))


def text_of(pieces: Iterable[Piece]) -> str:
    return "".join(piece.text for piece in pieces)


def encode(pieces: Iterable[Piece], tokenizer: Encoder) -> list[int]:
    """Token ids; a control token that the tokenizer lacks is written out."""
    ids: list[int] = []
    pending = ""
    for piece in pieces:
        token = tokenizer.token_id(piece.text) if piece.is_control else None
        if token is None:
            pending += piece.text
        else:
            ids += [*tokenizer.encode(pending), token]
            pending = ""
    return ids + tokenizer.encode(pending)


def _chatml(messages: Sequence[Message], tools: Sequence[Tool], is_open: bool) -> Pieces:
    """ChatML alone, without tools."""
    for message in messages:
        yield from _turn(message.role, [Piece(message.content)])
    yield from _opening(is_open)


def _qwen2_5(messages: Sequence[Message], tools: Sequence[Tool], is_open: bool) -> Pieces:
    """Qwen2.5 and Qwen2.5-Coder: tools as JSON, and a system message in any case."""
    system = "You are Qwen, created by Alibaba Cloud. You are a helpful assistant."
    if messages and messages[0].role == "system":
        system, messages = messages[0].content, messages[1:]
    yield from _turn("system", [Piece(system), *(_json_tools(tools) if tools else ())])
    for index, message in enumerate(messages):
        if message.role == "tool":
            yield from _responses(messages, index, _JSON_RESPONSE)
        elif message.tool_calls:
            yield from _fixed("<|im_start|>assistant")
            if message.content:
                yield Piece(f"\n{message.content}")
            for call in message.tool_calls:
                yield from _fixed("\n<tool_call>")
                yield Piece(f'\n{{"name": "{call.name}", "arguments": {_json(call.arguments)}}}\n')
                yield from _fixed("</tool_call>")
            yield from _fixed("<|im_end|>\n")
        else:
            yield from _turn(message.role, [Piece(message.content)])
    yield from _opening(is_open)


def _qwen3_coder(messages: Sequence[Message], tools: Sequence[Tool], is_open: bool) -> Pieces:
    """Qwen3-Coder: tools as XML, and a system message only where one is given or tools are."""
    system = None
    if messages and messages[0].role == "system":
        system, messages = messages[0].content, messages[1:]
    elif tools:
        system = (
            "You are Qwen, a helpful AI assistant that can interact with a computer to solve tasks."
        )
    if system is not None:
        yield from _turn("system", [Piece(system), *(_xml_tools(tools) if tools else ())])
    for index, message in enumerate(messages):
        if message.role == "tool":
            yield from _responses(messages, index, _XML_RESPONSE)
        elif message.role == "assistant" and message.tool_calls:
            yield from _fixed("<|im_start|>assistant")
            if message.content.strip():
                yield Piece(f"\n{message.content.strip()}\n")
            for call in message.tool_calls:
                yield from _xml_call(call)
            yield from _fixed("<|im_end|>\n")
        else:
            yield from _turn(message.role, [Piece(message.content)])
    yield from _opening(is_open)


TEMPLATES: Mapping[str, Callable[[Sequence[Message], Sequence[Tool], bool], Pieces]] = {
    "chatml": _chatml,
    "qwen2.5": _qwen2_5,
    "qwen3-coder": _qwen3_coder,
}


def _turn(role: str, content: Iterable[Piece]) -> Pieces:
    yield from _fixed(f"<|im_start|>{role}\n")
    yield from content
    yield from _fixed("<|im_end|>\n")


def _opening(is_open: bool) -> Pieces:
    return _fixed("<|im_start|>assistant\n" if is_open else "")


# What stands before, around and behind the answers of tools that follow one another.
_JSON_RESPONSE = ("<|im_start|>user", "\n<tool_response>\n", "\n</tool_response>", "<|im_end|>\n")
_XML_RESPONSE = ("<|im_start|>user\n", "<tool_response>\n", "\n</tool_response>\n", "<|im_end|>\n")


def _responses(messages: Sequence[Message], index: int, form: tuple[str, str, str, str]) -> Pieces:
    """The answer of a tool; those that follow one another share a turn of the user's."""
    begin, before, behind, end = form
    if index == 0 or messages[index - 1].role != "tool":
        yield from _fixed(begin)
    yield from _fixed(before)
    yield Piece(messages[index].content)
    yield from _fixed(behind)
    if index + 1 == len(messages) or messages[index + 1].role != "tool":
        yield from _fixed(end)


def _json_tools(tools: Sequence[Tool]) -> Pieces:
    yield from _fixed(
        "\n\n# Tools\n\nYou may call one or more functions to assist with the user query.\n\n"
        "You are provided with function signatures within <tools></tools> XML tags:\n<tools>"
    )
    for tool in tools:
        function = {
            "name": tool.name,
            "description": tool.description,
            "parameters": tool.parameters,
        }
        yield Piece("\n" + _json({"type": "function", "function": function}))
    yield from _fixed(
        "\n</tools>\n\nFor each function call, return a json object with function name and "
        "arguments within <tool_call></tool_call> XML tags:\n<tool_call>\n"
        '{"name": <function-name>, "arguments": <args-json-object>}\n</tool_call>'
    )


def _xml_tools(tools: Sequence[Tool]) -> Pieces:
    yield Piece(
        "\n\n# Tools\n\nYou have access to the following functions:\n\n<tools>"
        + "".join(f"\n<function>{_xml_tool(tool)}\n</function>" for tool in tools)
        + "\n</tools>"
    )
    yield from _fixed(
        "\n\nIf you choose to call a function ONLY reply in the following format with NO suffix:"
        "\n\n<tool_call>\n<function=example_function_name>\n"
        "<parameter=example_parameter_1>\nvalue_1\n</parameter>\n"
        "<parameter=example_parameter_2>\nThis is the value for the second parameter\n"
        "that can span\nmultiple lines\n</parameter>\n</function>\n</tool_call>\n\n"
        "<IMPORTANT>\nReminder:\n"
        "- Function calls MUST follow the specified format: an inner <function=...></function> "
        "block must be nested within <tool_call></tool_call> XML tags\n"
        "- Required parameters MUST be specified\n"
        "- You may provide optional reasoning for your function call in natural language BEFORE "
        "the function call, but NOT after\n"
        "- If there is no function call available, answer the question like normal with your "
        "current knowledge and do not tell the user about function calls\n</IMPORTANT>"
    )


def _xml_tool(tool: Tool) -> str:
    """The inside of a `<function>`: name, description, each parameter, then what else there is."""
    schema = tool.parameters
    text = _tag("name", tool.name) + _tag("description", tool.description.strip())
    text += "\n<parameters>"
    properties = schema.get("properties")
    for name, about in properties.items() if isinstance(properties, Mapping) else ():
        text += "\n<parameter>" + _tag("name", name)
        if "type" in about:
            text += _tag("type", str(about["type"]))
        if "description" in about:
            text += _tag("description", str(about["description"]).strip())
        text += _others(about, ("name", "type", "description")) + "\n</parameter>"
    return text + _others(schema, ("type", "properties")) + "\n</parameters>"


def _others(schema: Mapping[str, Any], known: Sequence[str]) -> str:
    return "".join(_tag(key, _value(schema[key])) for key in schema if key not in known)


def _xml_call(call: ToolCall) -> Pieces:
    yield from _fixed("\n<tool_call>")
    arguments = "".join(
        f"<parameter={name}>\n{_value(value)}\n</parameter>\n"
        for name, value in call.arguments.items()
    )
    yield Piece(f"\n<function={call.name}>\n{arguments}</function>\n")
    yield from _fixed("</tool_call>")


def _tag(name: str, text: str) -> str:
    return f"\n<{name}>{text}</{name}>"


def _value(value: Any) -> str:
    """A value of JSON: objects and lists as JSON, others as Python writes them, as in Jinja."""
    return _json(value) if isinstance(value, Mapping | list | tuple) else str(value)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _fixed(text: str) -> Pieces:
    """A text of the template's own, in which control tokens are meant."""
    for part in _TAGS.split(text):
        if part:
            yield Piece(part, is_control=_TAGS.fullmatch(part) is not None)


def _joined(pieces: Iterable[Piece]) -> list[Piece]:
    joined: list[Piece] = []
    for piece in pieces:
        if joined and not piece.is_control and not joined[-1].is_control:
            joined[-1] = Piece(joined[-1].text + piece.text)
        elif piece.text:
            joined.append(piece)
    return joined
