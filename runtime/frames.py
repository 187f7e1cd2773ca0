"""What the engine host and its clients say to each other: frames of msgpack, strictly checked.

A frame is the length of its body, four bytes, then the body: a map with `kind` and the fields of
one message. Values are our frozen dataclasses, field by field, with token ids as bytes of int32.
Nothing that arrives is trusted: whatever has another form than announced raises BadFrame, which
ends the connection that it came from and no other.
"""

from __future__ import annotations

import asyncio
import struct
import types
from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass
from enum import IntEnum
from functools import cache
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import msgpack
import numpy as np
from numpy.typing import NDArray

from runtime.sequence import TokenIds

PROTOCOL_VERSION = 1
MAX_FRAME = 64 * 1024 * 1024
MAX_HANDSHAKE = 64 * 1024
_LENGTH = struct.Struct("<I")
_T = TypeVar("_T")


class BadFrame(Exception):
    """Bytes that are no message of this protocol; the text says what is wrong with them."""


def frame(kind: str, **values: Any) -> bytes:
    """The bytes of a message; dataclasses and token ids among the values are made plain."""
    plain = {name: to_plain(value) for name, value in values.items()}
    body: bytes = msgpack.packb({"kind": kind, **plain})
    if len(body) > MAX_FRAME:
        raise BadFrame(f"a message has {len(body)} bytes, {MAX_FRAME} at most")
    return _LENGTH.pack(len(body)) + body


async def read_frame(reader: asyncio.StreamReader, limit: int = MAX_FRAME) -> dict[str, Any] | None:
    """The next message, or None where the other side has closed. Raises BadFrame."""
    try:
        (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
        if length > limit:
            raise BadFrame(f"a frame of {length} bytes is announced, {limit} at most")
        body = await reader.readexactly(length)
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    return unpack(body)


def unpack(body: bytes) -> dict[str, Any]:
    """The message in a frame's body. Raises BadFrame."""
    try:
        message = msgpack.unpackb(body, raw=False, strict_map_key=True)
    except Exception as error:  # msgpack's errors have no common base, and ValueError is among them
        raise BadFrame(f"a frame is not msgpack ({type(error).__name__})") from error
    if not isinstance(message, dict) or not isinstance(message.get("kind"), str):
        raise BadFrame("a frame holds no map with a `kind`")
    return message


def to_plain(value: Any) -> Any:
    """A value as msgpack knows it."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, np.ndarray):
        return np.ascontiguousarray(value, "<i4").tobytes()
    if isinstance(value, tuple | list):
        return [to_plain(item) for item in value]
    if isinstance(value, dict):
        return {name: to_plain(item) for name, item in value.items()}
    return value


def field_of(message: dict[str, Any], name: str, hint: Any) -> Any:
    """One field of a message, checked against its type. Raises BadFrame."""
    if name not in message:
        raise BadFrame(f"`{message['kind']}` lacks `{name}`")
    return _converter(hint)(message[name], f"{message['kind']}.{name}")


def value_of(message: dict[str, Any], name: str, cls: type[_T]) -> _T:
    """A dataclass in a field of a message. Raises BadFrame."""
    value: _T = field_of(message, name, cls)
    return value


def tokens_of(value: Any, where: str) -> NDArray[np.int32]:
    """Token ids that were sent as bytes, or as a list by those who have few."""
    if isinstance(value, bytes) and len(value) % 4 == 0:
        return np.frombuffer(value, "<i4").astype(np.int32)
    if isinstance(value, list) and all(type(item) is int for item in value):
        try:
            return np.array(value, np.int32)
        except OverflowError as error:
            raise BadFrame(f"{where} holds a token beyond 32 bits") from error
    raise BadFrame(f"{where} must be token ids")


Convert = Callable[[Any, str], Any]


@cache
def _converter(hint: Any) -> Convert:
    """How a plain value becomes one of this type."""
    origin = get_origin(hint)
    if hint == TokenIds:
        return tokens_of
    if origin is Literal:
        return _one_of(get_args(hint))
    if origin in (Union, types.UnionType):
        return _optional([kind for kind in get_args(hint) if kind is not type(None)])
    if origin is tuple:
        return _tuple(_converter(get_args(hint)[0]))
    if isinstance(hint, type) and issubclass(hint, IntEnum):
        return _one_of(tuple(hint), hint)
    if is_dataclass(hint):
        return _dataclass(hint)
    return _plain(hint)


def _plain(kind: type) -> Convert:
    def convert(value: Any, where: str) -> Any:
        if kind is float and type(value) is int:
            value = float(value)
        if type(value) is not kind:
            raise BadFrame(f"{where} must be of type {kind.__name__}, not {type(value).__name__}")
        if value != value:
            raise BadFrame(f"{where} is not a number")
        return value

    return convert


def _one_of(choices: tuple[Any, ...], kind: type | None = None) -> Convert:
    def convert(value: Any, where: str) -> Any:
        if type(value) not in (str, int) or value not in choices:
            raise BadFrame(f"{where} must be one of {', '.join(map(repr, choices))}")
        return value if kind is None else kind(value)

    return convert


def _optional(kinds: list[Any]) -> Convert:
    (kind,) = kinds
    inner = _converter(kind)

    def convert(value: Any, where: str) -> Any:
        return None if value is None else inner(value, where)

    return convert


def _tuple(inner: Convert) -> Convert:
    def convert(value: Any, where: str) -> Any:
        if isinstance(value, bytes):
            return tuple(tokens_of(value, where).tolist())
        if not isinstance(value, list):
            raise BadFrame(f"{where} must be a list")
        return tuple(inner(item, where) for item in value)

    return convert


def _dataclass(cls: Any) -> Convert:
    hints = get_type_hints(cls)
    converters = {field.name: _converter(hints[field.name]) for field in fields(cls)}
    required = {
        field.name
        for field in fields(cls)
        if field.default is MISSING and field.default_factory is MISSING
    }

    def convert(value: Any, where: str) -> Any:
        if not isinstance(value, dict):
            raise BadFrame(f"{where} must be a map")
        unknown, missing = value.keys() - converters.keys(), required - value.keys()
        if unknown or missing:
            wrong = f"lacks {min(missing)}" if missing else f"has an unknown field {min(unknown)!r}"
            raise BadFrame(f"{where} {wrong}")
        made = {name: converters[name](item, f"{where}.{name}") for name, item in value.items()}
        try:
            return cls(**made)
        except ValueError as error:
            raise BadFrame(f"{where}: {error}") from error

    return convert
