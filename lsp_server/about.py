"""What the server says of itself."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version


def server_version() -> str:
    try:
        return version("sopilka")
    except PackageNotFoundError:
        return "(not installed)"
