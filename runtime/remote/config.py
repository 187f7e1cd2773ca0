"""Where a remote model is and how it is spoken to; checked when it is made."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NoReturn
from urllib.parse import urlsplit

from runtime.errors import RemoteError

Kind = Literal["infill", "completions", "chat"]
# A header's value: what a key may consist of.
_PLAIN = re.compile(r"[\x21-\x7e]{1,4096}")


class Secret:
    """A key that neither `repr` nor a log nor pickling shows."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        """Raises RemoteError for what cannot be a key."""
        if not _PLAIN.fullmatch(value):
            raise RemoteError("the key has characters that no key has, or is empty: set it again")
        self._value = value

    def reveal(self) -> str:
        """The key itself, for the header of a request and for nothing else."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(...)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret stays in its process")


@dataclass(frozen=True, slots=True)
class Address:
    """The part of a URL that all requests share; `path` has no slash at its end."""

    is_tls: bool
    host: str
    port: int
    path: str = ""

    @classmethod
    def of(cls, url: str) -> Address:
        """Read a URL. Raises RemoteError, which repeats nothing that could be a secret."""
        try:
            parts = urlsplit(url)
            scheme, host, port = parts.scheme, parts.hostname, parts.port
        except ValueError as error:
            raise RemoteError("the url of the remote model is malformed") from error
        if not url.isascii() or not url.isprintable() or " " in url:
            raise RemoteError("the url of the remote model has characters that no url has")
        if scheme not in ("http", "https") or not host:
            raise RemoteError(
                "the url of the remote model must begin with http:// or https:// and name a host, "
                "such as http://127.0.0.1:8080"
            )
        if parts.username is not None or parts.password is not None or "@" in parts.netloc:
            raise RemoteError(
                "the url of the remote model holds a name or password: give the key through an "
                "environment variable instead (keyVariable)"
            )
        if parts.query or parts.fragment:
            raise RemoteError(
                "the url of the remote model must end with its path: a key does not belong there"
            )
        is_tls = scheme == "https"
        return cls(is_tls, host, port or (443 if is_tls else 80), parts.path.rstrip("/"))

    @property
    def name(self) -> str:
        """Host and port, as people and the Host header write them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.is_tls else 80) else f"{host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost" or self.host.endswith(".localhost")

    @property
    def origin(self) -> tuple[bool, str, int]:
        return self.is_tls, self.host, self.port


@dataclass(frozen=True, slots=True)
class RemoteConfig:
    """`kind` is what the server speaks, `template` how its model wants a hole to be written.

    A request fails after `connect_seconds` without a connection, `first_seconds` without a first
    piece of text, or `total_seconds`. It is sent again up to `retries` times while nothing has come
    back. `context` counts tokens of the prompt and its answer together. Proxies of the environment
    are used only if `use_proxy`; `ca_file` adds authorities to those that the machine trusts.
    """

    kind: Kind
    address: Address
    model: str = ""
    template: str = "auto"
    context: int = 8192
    key: Secret | None = None
    ca_file: Path | None = None
    use_proxy: bool = False
    connect_seconds: float = 5.0
    first_seconds: float = 20.0
    total_seconds: float = 60.0
    retries: int = 2

    def __post_init__(self) -> None:
        if self.key is not None and not self.address.is_tls and not self.address.is_loopback:
            raise RemoteError(
                f"a key would go to {self.address.name} unencrypted: use an https:// url, or a "
                "tunnel that ends on this machine"
            )

    @property
    def shown_name(self) -> str:
        """The model and where it is, for people."""
        return f"{self.model} at {self.address.name}" if self.model else self.address.name

    def target(self, endpoint: str) -> str:
        """The path of a request. OpenAI's endpoints stand below /v1, which a url may have."""
        path = self.address.path
        return path + (endpoint.removeprefix("/v1") if path.endswith("/v1") else endpoint)
