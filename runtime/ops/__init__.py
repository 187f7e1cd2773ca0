"""The operator library for ONNX Runtime: where it is, what it runs on, how a run is stopped.

The library holds every operator of the domain `sopilka`. It needs no header and no symbol of ONNX
Runtime, so one build serves every version from 1.17 on. In a source checkout one command builds it:

    cmake -S runtime/ops -B runtime/ops/build && cmake --build runtime/ops/build
"""

from __future__ import annotations

import ctypes
import importlib.resources
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from runtime.errors import OperatorError

DOMAIN = "sopilka"
# A session's option, set before the library is registered: how many threads the operators use, of a
# pool that all sessions of the process share. Without it they use the session's own.
THREADS_OPTION = "sopilka.threads"

__all__ = [
    "DOMAIN",
    "THREADS_OPTION",
    "CancelFlag",
    "OpsInfo",
    "cancel_flag",
    "describe",
    "import_onnxruntime",
    "library_path",
]


@dataclass(frozen=True, slots=True)
class OpsInfo:
    """What the operators run on: for a status page and for bug reports."""

    library: Path
    version: str
    selected_path: str
    available_paths: tuple[str, ...]
    ort_version: str
    ort_api_used: int
    providers: tuple[str, ...]


class CancelFlag:
    """Stops the operators of a run from another thread.

    A graph input `cancel` (int64 [1]) carries `handle`. While the flag is set, every operator that
    sees it returns an error whose text contains "cancelled", after the expert task at hand at the
    latest. All methods may be called from any thread.
    """

    def __init__(self, library: ctypes.CDLL) -> None:
        self._library = library
        self.handle: int = library.sopilka_cancel_flag_new()
        if self.handle == 0:
            raise OperatorError(
                "no cancel flag is free: 4096 are in use; close engines you no longer need"
            )

    def set(self) -> None:
        self._library.sopilka_cancel_flag_set(self.handle, 1)

    def clear(self) -> None:
        self._library.sopilka_cancel_flag_set(self.handle, 0)

    def close(self) -> None:
        """Gives the flag back; its handle is invalid from then on."""
        self._library.sopilka_cancel_flag_free(self.handle)

    def __del__(self) -> None:
        if getattr(self, "handle", 0):
            self.close()


def library_path() -> Path:
    """The built library: beside the installed package, else in the source tree's build folder."""
    name = "sopilka_ops.dll" if sys.platform == "win32" else "sopilka_ops.so"
    package = importlib.resources.files("runtime.ops")
    source_tree = Path(__file__).parent / "build"
    for candidate in (
        Path(str(package.joinpath(name))),
        source_tree / name,
        source_tree / "Release" / name,
    ):
        if candidate.is_file():
            return candidate
    raise OperatorError(
        f"the operator library {name} was not found beside {Path(__file__).parent}. Install the "
        "package (pip install .), or build it: cmake -S runtime/ops -B runtime/ops/build && "
        "cmake --build runtime/ops/build"
    )


def cancel_flag() -> CancelFlag:
    """A new flag, not set."""
    return CancelFlag(load_library())


def describe() -> OpsInfo:
    """Which library, kernels and ONNX Runtime; OperatorError if SOPILKA_OPS_PATH names no path."""
    onnxruntime = import_onnxruntime()
    library = load_library()
    paths = _text_of(library.sopilka_available_paths)
    return OpsInfo(
        library=library_path(),
        version=library.sopilka_version().decode(),
        selected_path=_text_of(library.sopilka_selected_path),
        available_paths=tuple(paths.split()),
        ort_version=onnxruntime.__version__,
        ort_api_used=library.sopilka_api_version(),
        providers=tuple(onnxruntime.get_available_providers()),
    )


def import_onnxruntime() -> ModuleType:
    """ONNX Runtime, with its telemetry off: the one way in which we import it.

    Its wheels record events and a device id in the user's cache folder, for sending, as soon as the
    library is loaded; only this variable, set before that, prevents it. Nothing of ours may leave
    the machine, so it is not for the user to ask for.
    """
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    return onnxruntime  # type: ignore[no-any-return]


def load_library() -> ctypes.CDLL:
    """The library with its C functions declared; loading it again gives the same cancel flags."""
    path = library_path()
    try:
        library = ctypes.CDLL(os.fspath(path))
    except OSError as error:
        raise OperatorError(f"the operator library {path} cannot be loaded: {error}") from error
    text, size = ctypes.c_char_p, ctypes.c_size_t
    signatures: dict[str, tuple[type | None, list[object]]] = {
        "sopilka_version": (ctypes.c_char_p, []),
        "sopilka_api_version": (ctypes.c_uint32, []),
        "sopilka_api_table_length": (size, []),
        "sopilka_used_slots": (size, [ctypes.POINTER(ctypes.c_uint32), size]),
        "sopilka_check_runtime": (ctypes.c_int, [ctypes.c_void_p, ctypes.c_uint32, text, size]),
        "sopilka_available_paths": (ctypes.c_int, [text, size]),
        "sopilka_selected_path": (ctypes.c_int, [text, size]),
        "sopilka_cancel_flag_new": (ctypes.c_int64, []),
        "sopilka_cancel_flag_set": (ctypes.c_int, [ctypes.c_int64, ctypes.c_int]),
        "sopilka_cancel_flag_free": (ctypes.c_int, [ctypes.c_int64]),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


def _text_of(function: object) -> str:
    """Calls a C function that writes a text and returns 0, or what is wrong and returns 1."""
    buffer = ctypes.create_string_buffer(1024)
    failed = function(buffer, len(buffer))  # type: ignore[operator]
    message = buffer.value.decode()
    if failed:
        raise OperatorError(message)
    return message
