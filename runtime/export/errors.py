"""What can go wrong while a checkpoint is turned into a bundle."""

from __future__ import annotations

from runtime.errors import EngineError


class ExportError(EngineError):
    """The checkpoint cannot be exported; the message says which part of it and why."""
