"""The library's C surface: which ONNX Runtime it accepts, what it says of itself, cancel flags."""

from __future__ import annotations

import ctypes
from pathlib import Path

import onnxruntime
import pytest

import runtime.ops
from runtime.errors import OperatorError
from runtime.ops import cancel_flag, describe, library_path, load_library
from tests.runtime.ops.layers import environment

GET_API = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_uint32)
GET_VERSION = ctypes.CFUNCTYPE(ctypes.c_void_p)
CREATE_STATUS = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p)


class ApiBase(ctypes.Structure):
    _fields_ = [("get_api", GET_API), ("get_version", GET_VERSION)]


class OldRuntime:
    """The OrtApiBase of ONNX Runtime 1.16, with API versions 1 to 16; it keeps what it is told."""

    def __init__(self) -> None:
        self.messages: list[str] = []
        self._version = ctypes.create_string_buffer(b"1.16.3")
        self._create = CREATE_STATUS(self._create_status)
        self._table = (ctypes.c_void_p * 266)(ctypes.cast(self._create, ctypes.c_void_p))
        self.base = ApiBase(
            GET_API(self._get_api), GET_VERSION(lambda: ctypes.addressof(self._version))
        )

    def _get_api(self, version: int) -> int | None:
        return ctypes.addressof(self._table) if 1 <= version <= 16 else None

    def _create_status(self, _code: int, message: bytes) -> int:
        self.messages.append(message.decode())
        return 0xBAD


def test_a_runtime_that_is_too_old_is_refused_in_words() -> None:
    old = OldRuntime()
    library = load_library()
    library.RegisterCustomOps.restype = ctypes.c_void_p
    library.RegisterCustomOps.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
    assert library.RegisterCustomOps(None, ctypes.addressof(old.base)) == 0xBAD
    wanted = "ONNX Runtime 1.16.3 is too old, need >= 1.17: pip install -U onnxruntime"
    assert old.messages == [wanted]


def check_runtime(base: int, version: int) -> str:
    text = ctypes.create_string_buffer(200)
    failed = load_library().sopilka_check_runtime(base, version, text, len(text))
    assert bool(failed) == bool(text.value)
    return text.value.decode()


def test_versions_are_asked_for_one_by_one() -> None:
    old = OldRuntime()
    base = ctypes.addressof(old.base)
    assert check_runtime(base, 16) == ""
    assert "need >= 1.17" in check_runtime(base, 17)


def test_the_installed_runtime_has_our_version_and_refuses_a_future_one() -> None:
    capi = Path(onnxruntime.__file__).parent / "capi"
    found = sorted(capi.glob("libonnxruntime.*")) + sorted(capi.glob("onnxruntime.dll"))
    if not found:
        pytest.skip("this wheel has no ONNX Runtime library of its own to ask")
    get_base = ctypes.CDLL(str(found[0])).OrtGetApiBase
    get_base.restype = ctypes.c_void_p
    assert check_runtime(get_base(), load_library().sopilka_api_version()) == ""
    assert "is too old, need >= 1.9999" in check_runtime(get_base(), 9999)


def test_every_used_slot_exists_in_the_version_asked_for() -> None:
    library = load_library()
    slots = (ctypes.c_uint32 * 100)()
    count = library.sopilka_used_slots(slots, 100)
    used = list(slots)[:count]
    assert count == len(set(used)) > 10
    assert max(used) < library.sopilka_api_table_length()
    # Version 16 is not enough, so no older runtime is refused in vain: its table ends at slot 265.
    assert max(used) > 265


def test_describe() -> None:
    info = describe()
    assert info.library == library_path()
    assert info.available_paths[0] == "scalar"
    assert info.selected_path == info.available_paths[-1]
    assert info.ort_version == onnxruntime.__version__
    assert info.ort_api_used == 17
    with environment(SOPILKA_OPS_PATH="scalar"):
        assert describe().selected_path == "scalar"
    with (
        environment(SOPILKA_OPS_PATH="sse9"),
        pytest.raises(OperatorError, match="this machine knows: scalar"),
    ):
        describe()


def test_a_missing_library_comes_with_advice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime.ops.importlib.resources, "files", lambda _: tmp_path)
    monkeypatch.setattr(runtime.ops, "__file__", str(tmp_path / "__init__.py"))
    with pytest.raises(OperatorError, match="cmake -S runtime/ops"):
        library_path()


def test_cancel_flags_are_distinct_and_run_out_in_words() -> None:
    flags = []
    with pytest.raises(OperatorError, match="no cancel flag is free"):
        while True:
            flags.append(cancel_flag())
    assert len({flag.handle for flag in flags}) == len(flags) > 4000
    flags[0].close()
    again = cancel_flag()
    assert again.handle not in {flag.handle for flag in flags}
