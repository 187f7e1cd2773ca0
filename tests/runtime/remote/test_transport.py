"""Servers that fail in every way that is known, and what the user is told."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme

from runtime.errors import RemoteError
from runtime.remote import transport
from runtime.remote.config import Address, RemoteConfig, Secret
from runtime.remote.engine import RemoteEngine
from tests.runtime.remote.checks import generate, prompt, remote
from tests.support.model_server import (
    DONE,
    STREAM,
    Answer,
    Asked,
    Sending,
    chunk,
    completion_events,
    endless,
    event,
    head,
    model_server,
    raw,
    reset,
    status,
    stream,
)

GOOD = stream(completion_events("good"))
KEY = "sk-canary-4711"
CANARY = "canary = 'of the prompt'"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses are counted, not waited for."""
    monkeypatch.setattr(transport, "BACKOFF_SECONDS", 0.001)


async def check_fails(*answers: Answer, match: str, **config: Any) -> str:
    """The request fails with a message that names the host and repeats nothing of ours."""
    async with remote(*answers, **{"key": Secret(KEY), **config}) as (server, engine):
        with pytest.raises(RemoteError, match=match) as raised:
            await generate(engine, ids=prompt(CANARY))
        message = str(raised.value)
        assert message.startswith(f"127.0.0.1:{server.port}")
        assert KEY not in message and "canary" not in message
        assert engine.status.error == message
        assert engine.status.totals.failed == 1
    return message


# What is tried again


@pytest.mark.parametrize("failure", [status(429), status(503), reset(), raw()])
async def test_before_the_first_byte_it_is_tried_again(failure: Answer) -> None:
    async with remote(failure, failure, GOOD, retries=2) as (server, engine):
        _, result = await generate(engine)
        assert (result.text, len(server.asked)) == ("good", 3)
        assert engine.status.error is None


@pytest.mark.parametrize("failure", [status(429), status(503), reset()])
async def test_but_not_for_ever(failure: Answer) -> None:
    async with remote(failure, retries=1) as (server, engine):
        with pytest.raises(RemoteError):
            await generate(engine)
        assert len(server.asked) == 2


async def test_once_text_has_come_nothing_is_tried_again() -> None:
    async def cut(asked: Asked, sending: Sending) -> None:
        await sending.send(STREAM + chunk(completion_events("half")[0]))
        await asyncio.sleep(0.02)
        sending.drop()

    async with remote(cut, GOOD, retries=3) as (server, engine):
        with pytest.raises(RemoteError, match=r"in the middle of the answer|was closed"):
            await generate(engine)
        assert len(server.asked) == 1


@pytest.mark.parametrize("code", [400, 401, 403, 404, 413, 422, 500, 502])
async def test_what_will_not_change_is_not_tried_again(code: int) -> None:
    async with remote(status(code), GOOD, retries=3) as (server, engine):
        with pytest.raises(RemoteError, match=f"status {code}"):
            await generate(engine)
        assert len(server.asked) == 1


async def test_a_server_that_wants_to_be_left_alone_is() -> None:
    busy = status(429, retry_after="60")
    async with remote(busy, GOOD, retries=2) as (server, engine):
        for _ in range(3):
            with pytest.raises(RemoteError, match="wants to be left for 60 s"):
                await generate(engine)
        assert len(server.asked) == 1


@pytest.mark.parametrize("value", ["", "soon", "-1", "1e9", "99999999999", "٣"])
async def test_a_pause_that_is_no_number_is_none(value: str) -> None:
    async with remote(status(429, retry_after=value), GOOD, retries=1) as (_, engine):
        assert (await generate(engine))[1].text == "good"


async def test_a_connection_that_the_server_gave_up_is_opened_anew() -> None:
    """A server closes connections that wait; that it did is seen when the next request is sent."""

    async def last(asked: Asked, sending: Sending) -> None:
        await GOOD(asked, sending)
        sending.writer.close()

    async with remote(last) as (server, engine):
        for _ in range(3):
            assert (await generate(engine))[1].text == "good"
        assert server.num_connections == 3


async def test_nobody_is_there() -> None:
    async with model_server(GOOD) as server:
        url = server.url
    message = await failure_at(url)
    assert "cannot be reached" in message and "is the server running?" in message


async def failure_at(url: str) -> str:
    """What is said of the server at a url, the second time too, when it is not asked again."""
    async with RemoteEngine(RemoteConfig("completions", Address.of(url))) as engine:
        with pytest.raises(RemoteError) as raised:
            await generate(engine)
        with pytest.raises(RemoteError) as again:
            await generate(engine)
        assert str(again.value) == str(raised.value)
        return str(raised.value)


# What is said


@pytest.mark.parametrize(
    ("code", "content", "match"),
    [
        (401, b'{"error": {"code": "invalid_api_key"}}', r"status 401 \(invalid_api_key\): .*key"),
        (403, b"", "status 403: it wants a key, or another one"),
        (404, b'{"detail": "Not Found"}', "status 404 .*: it knows no such path, or no model"),
        (400, b'{"error": {"type": "exceed_context_size_error"}}', "exceed_context_size_error"),
        (500, b"<html>" * 100_000, "status 500: it failed"),
        (418, b"", "status 418: this is no answer of a model"),
    ],
)
async def test_a_refusal_says_what_to_do(code: int, content: bytes, match: str) -> None:
    await check_fails(status(code, content), match=match)


@pytest.mark.parametrize(
    "content",
    [
        {"error": {"message": f"bad key {KEY}", "code": f"bad {KEY}"}},
        {"error": {"message": CANARY, "type": CANARY}},
        {"error": f"{KEY} {CANARY}"},
        {"error": {"code": 401}},
    ],
)
async def test_what_the_server_says_in_words_is_not_repeated(content: Any) -> None:
    text = event(content)[6:]
    await check_fails(status(401, text), match="no reason given")
    await check_fails(stream([event(content)]), match=r"reports an error \(no reason given\)")


@pytest.mark.parametrize(
    ("answer", "match"),
    [
        (status(200, b"<html>", content_type="text/html; charset=x"), "answers with text/html"),
        (status(200, b"{", content_type="application/json"), "is not JSON"),
        (status(200, b"hello\n\n", content_type="text/plain"), "no event that could be read"),
        (stream([b"data: {oops\n\n", b"data: 7\n\n"]), "no event that could be read"),
        (stream([]), "its answer is empty"),
        (stream([b"\n\n"]), "no event that could be read"),
        (raw(b"SSH-2.0-OpenSSH\r\n"), "does not speak HTTP"),
        (raw(b"HTTP/2 200\r\n\r\n"), "does not speak HTTP"),
        (raw(b"HTTP/1.1 200 OK\r\n" + b"x" * 100_000), "a line that does not end"),
        (raw(b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 200 + b"\r\n"), "more than 100 headers"),
        (raw(b"HTTP/1.1 200 OK\r\nno header\r\n\r\n"), "a malformed header"),
        (raw(head(transfer_encoding="gzip")), "unknown transfer coding"),
        (raw(head(content_encoding="gzip")), "is compressed"),
        (raw(head(content_length="-4")), "malformed length"),
        (raw(head(content_length="9") + b"abc"), "closed in the middle"),
        (raw(head(content_length="99999999")), "more than 8388608 bytes"),
        (raw(STREAM + b"zz\r\n"), "a malformed chunk"),
        (raw(STREAM + b"4\r\nabcdefgh\r\n"), "longer than it says"),
        (raw(STREAM + b"fffffff\r\n"), "more than 8388608 bytes"),
        (raw(STREAM + chunk(b"data: ")), "the connection was closed"),
        (raw(head(101)), "another protocol"),
        (stream([b"data: " + b"x" * 600_000] * 3), "an event has more than"),
    ],
)
async def test_answers_that_are_none(answer: Answer, match: str) -> None:
    await check_fails(answer, match=match)


@pytest.mark.parametrize(
    "answer",
    [
        stream([b"data: oops\n\n", *completion_events("good")]),
        stream([b": ping\n\n", b"data:\n\n", *completion_events("good")]),
        raw(head() + b"".join(completion_events("good"))),  # no type, no length
        raw(head(connection="close") + b"".join(completion_events("good"))),
        raw(b"HTTP/1.0 200\r\n\r\n" + b"".join(completion_events("good")[:-1])),
        raw(b"HTTP/1.1 100 Continue\r\n\r\n" + head() + b"".join(completion_events("good"))),
        stream([event({"choices": [None]}), event({"choices": 7}), *completion_events("good")]),
        stream([event({"choices": [{"text": 7, "delta": []}]}), *completion_events("good")]),
        stream([event({"choices": [{"text": "good"}]})]),  # no end is said
        stream([*completion_events("good"), event({"choices": [{"text": "more"}]})]),
    ],
)
async def test_what_can_be_read_is_read(answer: Answer) -> None:
    async with remote(answer) as (_, engine):
        _, result = await generate(engine)
    assert (result.text, result.finish_reason) == ("good", "stop")


# Time


async def test_an_answer_that_does_not_begin() -> None:
    for first in (b"", STREAM, STREAM + chunk(b": ping\n\n")):
        await check_fails(
            endless(first),
            match="the answer has not begun within",
            first_seconds=0.05,
            connect_seconds=0.05,
        )


async def test_an_answer_that_does_not_end() -> None:
    begun = STREAM + chunk(completion_events("x")[0])
    await check_fails(endless(begun), match="has not ended within 0.3 s", total_seconds=0.3)


async def test_a_server_that_stays_silent_behind_the_end_is_not_waited_for() -> None:
    begun = STREAM + chunk(b"".join(completion_events("good")))
    async with remote(endless(begun)) as (server, engine):
        assert (await generate(engine))[1].text == "good"
        await asyncio.wait_for(server.left.wait(), 10)


async def test_a_pause_can_be_cancelled() -> None:
    async with remote(status(503, retry_after="9"), retries=1) as (server, engine):
        waiting = asyncio.create_task(generate(engine))
        while not server.asked:
            await asyncio.sleep(0.001)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert engine.status.running == 0


# Redirects


@pytest.mark.parametrize("place", ["/other", "other", "http://127.0.0.1:PORT/other"])
async def test_a_redirect_to_the_same_server_is_followed(place: str) -> None:
    async def moved(asked: Asked, sending: Sending) -> None:
        where = place.replace("PORT", asked.headers["host"].partition(":")[2])
        await sending.send(head(307, location=where, content_length="0"))

    async with remote(moved, GOOD) as (server, engine):
        assert (await generate(engine))[1].text == "good"
        assert server.asked[1].target in ("/other", "/v1/other")
        assert server.asked[1].content == server.asked[0].content


@pytest.mark.parametrize(
    "place",
    [
        "http://127.0.0.2:1/x",
        "https://127.0.0.1/x",
        "//example.org/x",
        "http://localhost/x",
        "ftp:",
    ],
)
async def test_nothing_is_sent_to_another_place(place: str) -> None:
    await check_fails(status(307, location=place), match="redirects to another place")


async def test_redirects_that_lead_nowhere() -> None:
    await check_fails(status(308, location="/v1/completions"), match="redirects in circles")
    await check_fails(status(302, location="/other"), match="redirects with status 302")
    await check_fails(status(307), match="redirects in circles")


# TLS


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> Path:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return path


def server_tls(authority: trustme.CA, name: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


async def test_an_authority_of_ones_own(authority: trustme.CA, ca_file: Path) -> None:
    tls = server_tls(authority, "127.0.0.1")
    async with remote(GOOD, tls=tls, ca_file=ca_file, key=Secret(KEY)) as (server, engine):
        assert (await generate(engine))[1].text == "good"
        assert server.asked[0].headers["authorization"] == f"Bearer {KEY}"


async def test_an_unknown_certificate_is_refused(authority: trustme.CA) -> None:
    tls = server_tls(authority, "127.0.0.1")
    await check_fails(GOOD, tls=tls, match="no certificate that this machine trusts .*caFile")


async def test_a_certificate_of_another_name_is_refused(
    authority: trustme.CA, ca_file: Path
) -> None:
    tls = server_tls(authority, "other.example")
    await check_fails(GOOD, tls=tls, ca_file=ca_file, match="no certificate .*mismatch")


async def test_a_server_without_tls_is_refused() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.read(1000))
        writer.write(head(400))
        writer.close()

    seen: list[bytes] = []
    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        message = await failure_at(f"https://127.0.0.1:{port}")
    assert "does not speak TLS as it should" in message
    assert len(seen) == 1 and b"POST" not in seen[0]


async def test_a_file_of_authorities_that_is_none(tmp_path: Path) -> None:
    for path in (tmp_path / "missing.pem", tmp_path):
        with pytest.raises(RemoteError, match="cannot be read as certificates"):
            async with remote(GOOD, tls=ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ca_file=path):
                pass


# Proxies


@pytest.fixture
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    for name in ("http_proxy", "https_proxy", "no_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    yield monkeypatch


async def test_a_proxy_is_used_only_if_the_settings_say_so(no_proxies: Any) -> None:
    async with model_server(GOOD) as proxy:
        no_proxies.setenv("http_proxy", f"http://me:p%40ss@127.0.0.1:{proxy.port}")
        async with remote(GOOD) as (server, engine):
            await generate(engine)
            assert len(server.asked) == 1 and not proxy.asked
        async with remote(GOOD, use_proxy=True) as (server, engine):
            await generate(engine)
            assert not server.asked
            assert proxy.asked[0].target == f"http://127.0.0.1:{server.port}/v1/completions"
            assert proxy.asked[0].headers["proxy-authorization"] == "Basic bWU6cEBzcw=="
        no_proxies.setenv("no_proxy", "127.0.0.1")
        async with remote(GOOD, use_proxy=True) as (server, engine):
            await generate(engine)
            assert len(server.asked) == 1


@asynccontextmanager
async def tunnelling(seen: list[bytes]) -> AsyncIterator[int]:
    """The port of a proxy that opens a way to wherever it is asked to; it notes what it sees."""

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while content := await reader.read(65536):
            seen.append(content)
            writer.write(content)
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        host, _, port = seen[-1].split(b" ")[1].decode().partition(":")
        far = await asyncio.open_connection(host, int(port))
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await asyncio.gather(pump(reader, far[1]), pump(far[0], writer), return_exceptions=True)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def test_an_encrypted_connection_goes_through_a_proxy(
    no_proxies: Any, authority: trustme.CA, ca_file: Path
) -> None:
    tls = server_tls(authority, "127.0.0.1")

    seen: list[bytes] = []
    async with tunnelling(seen) as port:
        no_proxies.setenv("https_proxy", f"http://127.0.0.1:{port}")
        more = {"tls": tls, "ca_file": ca_file, "key": Secret(KEY), "use_proxy": True}
        async with remote(GOOD, **more) as (server, engine):
            assert (await generate(engine))[1].text == "good"
            assert server.asked[0].headers["authorization"] == f"Bearer {KEY}"
    assert seen[0].startswith(b"CONNECT 127.0.0.1:%d HTTP/1.1\r\n" % server.port)
    assert not any(KEY.encode() in piece or b"good" in piece for piece in seen)


async def test_a_proxy_that_opens_no_way(no_proxies: Any, authority: trustme.CA) -> None:
    async with model_server(status(407)) as proxy:
        no_proxies.setenv("https_proxy", f"http://127.0.0.1:{proxy.port}")
        tls = server_tls(authority, "127.0.0.1")
        async with remote(GOOD, tls=tls, use_proxy=True) as (_, engine):
            with pytest.raises(RemoteError, match=r"the proxy .* answers 407 and opens no way"):
                await generate(engine)


@pytest.mark.parametrize("url", ["socks5://127.0.0.1:1", "http://[::1", "http://:80"])
async def test_a_proxy_of_another_kind(no_proxies: Any, url: str) -> None:
    no_proxies.setenv("http_proxy", url)
    with pytest.raises(RemoteError, match="the environment names a proxy"):
        async with remote(GOOD, use_proxy=True):
            pass


# What is kept out of logs


async def test_logs_hold_neither_key_nor_text(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for answer in (GOOD, status(401, CANARY.encode()), reset(), endless(DONE)):
        async with remote(answer, key=Secret(KEY), first_seconds=0.02, connect_seconds=0.02) as (
            _,
            engine,
        ):
            try:
                await generate(engine, ids=prompt(CANARY))
            except RemoteError:
                continue
    assert KEY not in caplog.text and "canary" not in caplog.text
