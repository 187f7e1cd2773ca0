"""Sends one request and reads the events of its answer; tries again as long as nothing has come.

Whoever leaves `events` early, by a cancel too, closes the connection at once: the server then knows
that nobody reads.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from urllib.parse import urljoin, urlsplit

from runtime.errors import RemoteError
from runtime.remote.config import Address, RemoteConfig
from runtime.remote.dial import Dialer
from runtime.remote.http import Connection, ConnectionLost, Head, ProtocolError
from runtime.remote.sse import EventStream, EventTooLong
from runtime.remote.wire import Event, read_event, slug_of

STREAM_TYPES = ("text/event-stream", "text/plain", "application/octet-stream", "")
MAX_REDIRECTS = 3
MAX_ERROR_BODY = 64 * 1024
# Connections that wait for the next request, and for how long.
MAX_IDLE = 2
IDLE_SECONDS = 15.0
# How long a first pause is; each further one is twice as long.
BACKOFF_SECONDS = 0.25
# A server that wants to be left alone for longer is left alone, and the request fails.
LONGEST_PAUSE = 10.0
# Nobody asks a server that could not be reached again before this, nor is it shunned for longer.
UNREACHABLE_SECONDS = 2.0
LONGEST_QUIET = 300.0
# How long the end of an answer is waited for once its last event was read.
END_SECONDS = 0.1


class Transport:
    """Requests to one server."""

    def __init__(
        self,
        config: RemoteConfig,
        dialer: Dialer,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._config = config
        self._dialer = dialer
        self._clock = clock
        self._idle: list[tuple[float, Connection]] = []
        self._quiet_until = 0.0
        self._quiet_because: RemoteError | None = None

    def check_quiet(self) -> None:
        """Raise RemoteError while the server wants to be left alone, or has just been away."""
        if self._quiet_because is not None and self._clock() < self._quiet_until:
            raise RemoteError(str(self._quiet_because))

    def close(self) -> None:
        for _, connection in self._idle:
            connection.abort()
        self._idle.clear()

    async def events(self, endpoint: str, body: bytes) -> AsyncGenerator[Event]:
        """Raises RemoteError. To be closed with `aclosing`."""
        self.check_quiet()
        connection, head = await self._answered(self._config.target(endpoint), body)
        try:
            try:
                async with aclosing(self._read(connection, head)) as events:
                    async for event in events:
                        yield event
            except ProtocolError as error:
                raise self._failed(str(error)) from error
        finally:
            if connection.is_usable and len(self._idle) < MAX_IDLE:
                self._idle.append((self._clock(), connection))
            else:
                connection.abort()

    # How a request gets its answer

    async def _answered(self, target: str, body: bytes) -> tuple[Connection, Head]:
        """The head of an answer with status 200, after as many tries as are allowed."""
        for tries in range(self._config.retries + 1):
            pause = BACKOFF_SECONDS * 2**tries * random.uniform(0.75, 1.25)
            try:
                connection, head = await self._redirected(target, body)
            except ConnectionLost as error:
                if not error.is_fresh:
                    raise self._failed(str(error)) from error
                failure = self._failed(str(error))
            except ProtocolError as error:
                raise self._failed(str(error)) from error
            else:
                if head.status == 200:
                    return connection, head
                if head.status not in (429, 503):
                    raise await self._refusal(connection, head)
                connection.abort()
                pause = max(pause, _seconds(head.fields.get("retry-after")))
                failure = self._busy(head.status, pause)
            if tries == self._config.retries or pause > LONGEST_PAUSE:
                self._be_quiet(pause, failure)
                raise failure
            await asyncio.sleep(pause)
        raise AssertionError("the last try returns or raises")

    async def _redirected(self, target: str, body: bytes) -> tuple[Connection, Head]:
        """Follows to other places of the same server: text and key go to no other."""
        address = self._config.address
        base = f"{'https' if address.is_tls else 'http'}://{address.name}"
        for _ in range(MAX_REDIRECTS + 1):
            connection, head = await self._exchange(target, body)
            if head.status not in (301, 302, 303, 307, 308):
                return connection, head
            connection.abort()
            place = _origin_and_target(urljoin(base + target, head.fields.get("location", "")))
            if place is None or place[0] != address.origin:
                raise self._failed(
                    "it redirects to another place, where nothing is sent: if that is right, set "
                    "the url to it"
                )
            if head.status not in (307, 308):
                raise self._failed(
                    f"it redirects with status {head.status}: set the url to where it leads"
                )
            target = place[1]
        raise self._failed("it redirects in circles")

    async def _exchange(self, target: str, body: bytes) -> tuple[Connection, Head]:
        """One request on a connection that waits, or on a new one."""
        fields = self._fields()
        target = self._dialer.target(target)
        while (connection := self._parked()) is not None:
            try:
                return connection, await self._send(connection, target, fields, body)
            except ConnectionLost as error:
                if not error.is_fresh:
                    raise
        connection = await self._dial()
        return connection, await self._send(connection, target, fields, body)

    async def _send(
        self, connection: Connection, target: str, fields: dict[str, str], body: bytes
    ) -> Head:
        try:
            return await connection.send("POST", target, fields, body)
        except BaseException:
            connection.abort()
            raise

    def _parked(self) -> Connection | None:
        while self._idle:
            since, connection = self._idle.pop()
            if connection.is_usable and self._clock() - since < IDLE_SECONDS:
                return connection
            connection.abort()
        return None

    async def _dial(self) -> Connection:
        seconds = self._config.connect_seconds
        try:
            async with asyncio.timeout(seconds):
                return await self._dialer.open()
        except TimeoutError as error:
            failure = self._failed(f"no connection within {seconds:g} s")
            self._be_quiet(UNREACHABLE_SECONDS, failure)
            raise failure from error
        except RemoteError as error:
            self._be_quiet(UNREACHABLE_SECONDS, error)
            raise

    def _fields(self) -> dict[str, str]:
        fields = {
            "Host": self._config.address.name,
            "User-Agent": "sopilka",
            "Content-Type": "application/json",
            "Accept": "text/event-stream, application/json",
            "Accept-Encoding": "identity",
            **self._dialer.fields(),
        }
        if self._config.key is not None:
            fields["Authorization"] = f"Bearer {self._config.key.reveal()}"
        return fields

    # What an answer says

    async def _read(self, connection: Connection, head: Head) -> AsyncGenerator[Event]:
        if head.content_type == "application/json":
            yield self._checked(await self._whole(connection, head))
            return
        if head.content_type not in STREAM_TYPES:
            raise self._failed(
                f"it answers with {head.content_type[:40]}, which no model does: is the url right?"
            )
        stream, count, size, is_done = EventStream(), 0, 0, False
        async with aclosing(connection.body(head)) as pieces:
            try:
                async for piece in pieces:
                    size += len(piece)
                    for event in stream.feed(piece):
                        is_done = is_done or event is None
                        if event is not None and not is_done:
                            count += 1
                            yield self._checked(read_event(event))
                    if is_done:
                        await _end(pieces)
                        return
                for event in stream.end():
                    if event is not None:
                        count += 1
                        yield self._checked(read_event(event))
            except EventTooLong as error:
                raise self._failed(str(error)) from error
        if size == 0:
            raise self._failed(
                "its answer is empty; its own log says why: the prompt may be too long (context)"
            )
        if count == 0:
            raise self._failed("its answer holds no event that could be read: is the url right?")

    async def _whole(self, connection: Connection, head: Head) -> Event:
        """An answer in one piece, from servers that do not stream."""
        content = bytearray()
        async with aclosing(connection.body(head)) as pieces:
            async for piece in pieces:
                content += piece
        try:
            value = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise self._failed("its answer is not JSON") from error
        return read_event(value if isinstance(value, dict) else {})

    def _checked(self, event: Event) -> Event:
        if event.error is not None:
            raise self._failed(f"it reports an error ({event.error})")
        return event

    async def _refusal(self, connection: Connection, head: Head) -> RemoteError:
        """What an answer with another status than 200 says, in our words."""
        content = bytearray()
        try:
            async with aclosing(connection.body(head)) as pieces:
                async for piece in pieces:
                    content += piece
                    if len(content) > MAX_ERROR_BODY:
                        break
            value = json.loads(content)
            reason = f" ({slug_of(value)})" if isinstance(value, dict) else ""
        except (ProtocolError, ValueError, RecursionError):
            reason = ""
        finally:
            connection.abort()
        return self._failed(f"status {head.status}{reason}: {_advice(head.status)}")

    def _busy(self, status: int, pause: float) -> RemoteError:
        return self._failed(f"status {status}: it is busy and wants to be left for {pause:.0f} s")

    def _be_quiet(self, seconds: float, because: RemoteError) -> None:
        self._quiet_until = self._clock() + min(seconds, LONGEST_QUIET)
        self._quiet_because = because

    def _failed(self, reason: str) -> RemoteError:
        return RemoteError(f"{self._config.address.name}: {reason}")


async def _end(pieces: AsyncIterator[bytes]) -> None:
    """Reads to the end, if that is near, so that the connection can be used again."""
    try:
        async with asyncio.timeout(END_SECONDS):
            async for _ in pieces:
                pass
    except (TimeoutError, ProtocolError):
        return


def _advice(status: int) -> str:
    if status in (401, 403):
        return "it wants a key, or another one (keyVariable)"
    if status == 404:
        return "it knows no such path, or no model of this name (url, model, kind)"
    if status == 407:
        return "the proxy wants to know who asks"
    if status in (405, 501):
        return "it does not offer what is asked for (kind)"
    if status in (400, 413, 422):
        return "it does not take the request; its context may be shorter than is set (context)"
    return "it failed; its own log says why" if status >= 500 else "this is no answer of a model"


def _seconds(text: str | None) -> float:
    """What Retry-After says in seconds; dates, which models' servers do not send, count as 0."""
    return float(text) if text is not None and text.isdecimal() and len(text) < 7 else 0.0


def _origin_and_target(url: str) -> tuple[tuple[bool, str, int], str] | None:
    try:
        address, parts = Address.of(url), urlsplit(url)
    except RemoteError:
        return None
    return address.origin, parts.path or "/"
