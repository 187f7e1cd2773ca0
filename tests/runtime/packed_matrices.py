"""Packs int4 matrices as AWQ and GPTQ do, word by word, for tests."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

AWQ_ORDER = (0, 2, 4, 6, 1, 3, 5, 7)


def pack_awq(codes: NDArray[np.uint8]) -> NDArray[np.int32]:
    """[inputs, outputs] -> [inputs, outputs / 8]: nibble i of a word is output AWQ_ORDER[i]."""
    words = np.zeros((codes.shape[0], codes.shape[1] // 8), np.uint32)
    for column in range(words.shape[1]):
        for place, offset in enumerate(AWQ_ORDER):
            words[:, column] |= codes[:, column * 8 + offset].astype(np.uint32) << (4 * place)
    return words.view(np.int32)


def pack_rows(codes: NDArray[np.uint8], bits: int) -> NDArray[np.int32]:
    """[inputs, outputs] -> [inputs * bits / 32, outputs], the first input in the lowest bits."""
    each = 32 // bits
    words = np.zeros((codes.shape[0] // each, codes.shape[1]), np.uint32)
    for row in range(codes.shape[0]):
        words[row // each] |= codes[row].astype(np.uint32) << (bits * (row % each))
    return words.view(np.int32)


def pack_columns(codes: NDArray[np.uint8], bits: int) -> NDArray[np.int32]:
    return np.ascontiguousarray(pack_rows(codes.T, bits).T)


def random_matrix(
    outputs: int, inputs: int, group: int, bits: int, symmetric: bool
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.float16]]:
    """Codes [outputs, inputs], zero points and scales [outputs, groups]."""
    rng = np.random.default_rng(outputs * inputs + bits)
    most, shape = 2**bits, (outputs, inputs // group)
    codes = rng.integers(1, most, (outputs, inputs)).astype(np.uint8)
    middle = np.full(shape, most // 2, np.uint8)
    zeros = middle if symmetric else rng.integers(1, most, shape).astype(np.uint8)
    return codes, zeros, rng.uniform(0.001, 0.02, shape).astype(np.float16)


def plain(
    codes: NDArray[np.uint8], zeros: NDArray[np.uint8], scales: NDArray[np.float16], group: int
) -> NDArray[np.float32]:
    """The matrix [outputs, inputs] that they stand for, number by number."""
    found = np.empty(codes.shape, np.float32)
    for row in range(codes.shape[0]):
        for column in range(codes.shape[1]):
            step = int(codes[row, column]) - int(zeros[row, column // group])
            found[row, column] = np.float32(step) * np.float32(scales[row, column // group])
    return found


def awq_parts(codes: Any, zeros: Any, scales: Any) -> dict[str, NDArray[Any]]:
    return {
        "qweight": pack_awq(codes.T),
        "qzeros": pack_awq(zeros.T),
        "scales": np.ascontiguousarray(scales.T),
    }


def gptq_parts(
    codes: Any, zeros: Any, scales: Any, bits: int, offset: int = 1
) -> dict[str, NDArray[Any]]:
    group = codes.shape[1] // zeros.shape[1]
    return {
        "qweight": pack_rows(codes.T, bits),
        "qzeros": pack_columns((zeros - offset).T, bits),
        "scales": np.ascontiguousarray(scales.T),
        "g_idx": (np.arange(codes.shape[1]) // group).astype(np.int32),
    }
