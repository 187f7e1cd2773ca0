"""The exception tree of the runtime. Every message names what was wrong and what to do.

EngineError
├── ModelLoadError
│   ├── BundleError        a file of the bundle is missing, altered, malformed or outside of it
│   └── OperatorError      the operator library is missing, or ONNX Runtime is too old for it
├── PromptTooLong          prompt plus one token does not fit the model's context
├── EngineBusy             the queue of waiting requests is full: retry later
├── RemoteError            the server of a remote model cannot be used, or did not answer
└── EngineClosed           the engine was closed while the request was waiting or running
"""

from __future__ import annotations


class EngineError(Exception):
    """Base of all that the runtime raises on purpose."""


class ModelLoadError(EngineError):
    """The model cannot be served."""


class BundleError(ModelLoadError):
    """A bundle on disk is not what its manifest says."""


class OperatorError(ModelLoadError):
    """The `sopilka` operator library cannot be used with this ONNX Runtime."""


class PromptTooLong(EngineError):
    """The prompt does not fit into the model's context."""


class EngineBusy(EngineError):
    """Too many requests are waiting."""


class EngineClosed(EngineError):
    """The engine was closed."""


class RemoteError(EngineError):
    """A remote model failed. The message names its host, and never a key or a text."""
