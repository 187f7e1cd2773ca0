"""Opens connections: encrypted where the address says so, through a proxy where that is wanted."""

from __future__ import annotations

import asyncio
import base64
import ssl
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from runtime.errors import RemoteError
from runtime.remote.config import Address, RemoteConfig
from runtime.remote.http import MAX_LINE, Connection, ProtocolError


@dataclass(frozen=True, slots=True)
class Proxy:
    """An HTTP proxy, and the header that introduces us to it, if it wants one."""

    host: str
    port: int
    authorization: str | None = None


class Dialer:
    """Knows how to reach one address. Raises RemoteError for what cannot be used."""

    def __init__(self, config: RemoteConfig) -> None:
        self._address = config.address
        self._tls = _tls_context(config.ca_file) if config.address.is_tls else None
        self.proxy = proxy_for(config.address) if config.use_proxy else None

    def target(self, path: str) -> str:
        """What a request's first line names: a proxy is told the whole address."""
        if self.proxy is None or self._address.is_tls:
            return path
        return f"http://{self._address.name}{path}"

    def fields(self) -> dict[str, str]:
        """Headers that a proxy wants to see in each request."""
        if self.proxy is None or self.proxy.authorization is None or self._address.is_tls:
            return {}
        return {"Proxy-Authorization": self.proxy.authorization}

    async def open(self) -> Connection:
        """Raises RemoteError, which says why the address cannot be reached."""
        address, proxy = self._address, self.proxy
        try:
            if proxy is None:
                reader, writer = await asyncio.open_connection(
                    address.host, address.port, ssl=self._tls, limit=MAX_LINE
                )
            else:
                reader, writer = await self._through(proxy)
        except ssl.SSLCertVerificationError as error:
            raise RemoteError(
                f"{address.name} has no certificate that this machine trusts "
                f"({error.verify_message}): name the file of its authority in caFile"
            ) from error
        except ssl.SSLError as error:
            raise RemoteError(
                f"{address.name} does not speak TLS as it should: is https:// right?"
            ) from error
        except OSError as error:
            via = f" through the proxy {proxy.host}:{proxy.port}" if proxy else ""
            reason = error.strerror if isinstance(error.strerror, str) else "no connection"
            raise RemoteError(
                f"{address.name} cannot be reached{via} ({reason}): is the server running?"
            ) from error
        return Connection(reader, writer)

    async def _through(self, proxy: Proxy) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection(proxy.host, proxy.port, limit=MAX_LINE)
        if self._tls is None:
            return reader, writer
        place = f"{self._address.host}:{self._address.port}"
        if ":" in self._address.host:
            place = f"[{self._address.host}]:{self._address.port}"
        fields = {"Host": place}
        if proxy.authorization is not None:
            fields["Proxy-Authorization"] = proxy.authorization
        try:
            head = await Connection(reader, writer).send("CONNECT", place, fields, b"")
            if head.status != 200:
                raise RemoteError(
                    f"the proxy {proxy.host}:{proxy.port} answers {head.status} and opens no way "
                    f"to {self._address.name}"
                )
            await writer.start_tls(self._tls, server_hostname=self._address.host)
        except ProtocolError as error:
            raise RemoteError(f"the proxy {proxy.host}:{proxy.port} fails: {error}") from error
        except BaseException:
            writer.transport.abort()
            raise
        return reader, writer


def proxy_for(address: Address) -> Proxy | None:
    """The proxy that the environment names for an address, unless it exempts that."""
    place = f"{address.host}:{address.port}"
    if urllib.request.proxy_bypass_environment(place):  # type: ignore[attr-defined]
        return None
    url = urllib.request.getproxies_environment().get("https" if address.is_tls else "http")
    if not url:
        return None
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise RemoteError("the environment names a proxy by a malformed url") from error
    if parts.scheme != "http" or not host:
        raise RemoteError("the environment names a proxy that is not of the form http://host:port")
    authorization = None
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        authorization = f"Basic {base64.b64encode(pair.encode()).decode()}"
    return Proxy(host, port or 80, authorization)


def _tls_context(ca_file: Path | None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca_file is not None:
        try:
            context.load_verify_locations(ca_file)
        except (OSError, ssl.SSLError) as error:
            raise RemoteError(
                f"caFile {ca_file} cannot be read as certificates in PEM form"
            ) from error
    return context
