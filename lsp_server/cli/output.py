"""Where the command line speaks: results on stdout, complaints on stderr."""

from __future__ import annotations

import json
import sys
from typing import Any


def write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def write_json(value: Any) -> None:
    write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def fail(message: str, code: int = 2) -> int:
    """One message for the user; the exit code to return."""
    sys.stderr.write(f"lsp-server: {message}\n")
    return code
