"""What may be an address and a key, and that a key shows nowhere."""

from __future__ import annotations

import copy
import pickle

import pytest

from runtime.errors import RemoteError
from runtime.remote.config import Address, RemoteConfig, Secret

KEY = "sk-very-secret"


@pytest.mark.parametrize(
    ("url", "name", "path", "is_loopback"),
    [
        ("http://127.0.0.1:8080", "127.0.0.1:8080", "", True),
        ("http://localhost/", "localhost", "", True),
        ("https://Models.Example/v1/", "models.example", "/v1", False),
        ("https://models.example:8443/a/b", "models.example:8443", "/a/b", False),
        ("http://[::1]:99", "[::1]:99", "", True),
        ("http://10.0.0.7:80", "10.0.0.7", "", False),
    ],
)
def test_addresses(url: str, name: str, path: str, is_loopback: bool) -> None:
    address = Address.of(url)
    assert (address.name, address.path, address.is_loopback) == (name, path, is_loopback)
    assert address.is_tls is url.startswith("https")


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("", "must begin with http"),
        ("models.example:80", "must begin with http"),
        ("ftp://models.example", "must begin with http"),
        ("http://", "must begin with http"),
        ("file:///etc/passwd", "must begin with http"),
        ("http://[::1", "malformed"),
        ("http://a:99999", "malformed"),
        (f"https://user:{KEY}@models.example", "holds a name or password"),
        (f"https://{KEY}@models.example", "holds a name or password"),
        (f"https://models.example/?key={KEY}", "must end with its path"),
        (f"https://models.example/#{KEY}", "must end with its path"),
        ("http://a/b c", "characters that no url has"),
        ("http://a/b\r\nX-Header: 1", "characters that no url has"),
        ("http://exämple", "characters that no url has"),
    ],
)
def test_what_is_no_address_is_said_without_repeating_it(url: str, message: str) -> None:
    with pytest.raises(RemoteError, match=message) as raised:
        Address.of(url)
    assert KEY not in str(raised.value)


def test_a_key_shows_nowhere() -> None:
    config = RemoteConfig("chat", Address.of("https://models.example"), key=Secret(KEY))
    shown = f"{config} {config!r} {config.key} {config.key!r} {config.shown_name}"
    assert KEY not in shown and "Secret(...)" in shown
    assert config.key is not None and config.key.reveal() == KEY
    assert config.key == Secret(KEY) != Secret("other")
    for copied in (pickle.dumps, copy.deepcopy):
        with pytest.raises(TypeError, match="stays in its process"):
            copied(config.key)


@pytest.mark.parametrize("value", ["", "a b", "a\r\nX: 1", "ключ", "x" * 5000])
def test_what_cannot_be_a_key_is_refused_unseen(value: str) -> None:
    with pytest.raises(RemoteError) as raised:
        Secret(value)
    assert not value or value not in str(raised.value)


def test_a_key_is_not_sent_unencrypted() -> None:
    for url in ("https://models.example", "http://127.0.0.1:80", "http://localhost:80"):
        RemoteConfig("chat", Address.of(url), key=Secret(KEY))
    RemoteConfig("chat", Address.of("http://models.example"))
    with pytest.raises(RemoteError, match=r"a key would go to models\.example unencrypted"):
        RemoteConfig("chat", Address.of("http://models.example"), key=Secret(KEY))
