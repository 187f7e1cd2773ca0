"""What a model is read from, whatever the format of its files."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.export.errors import ExportError
from runtime.ops.expert_dispatch.pack import Quantized


@dataclass(frozen=True, slots=True)
class Storage:
    """How one tensor is stored: under which name people know it, in how many bytes.

    `grids` are the (bits, block) for which `read_quantized` may return it without rounding.
    """

    kind: str
    bytes: int
    grids: tuple[tuple[int, int], ...] = ()


class Source(ABC):
    """Configuration, tensors and tokenizer of one model, under Hugging Face's names.

    `config` is as in `config.json`, without what only says how tensors are stored. `shapes` has the
    logical tensors, such as `model.layers.0.self_attn.q_proj.weight`, and no scales beside them.
    """

    path: Path
    name: str
    # All that it is called: by its files, by itself.
    known_as: str
    config: dict[str, Any]
    shapes: Mapping[str, tuple[int, ...]]

    @abstractmethod
    def storage(self, name: str) -> Storage:
        """Return how a tensor is stored."""

    def read(self, name: str) -> NDArray[np.float32]:
        """Return a tensor as float32, exactly as its format defines it.

        Raises ExportError where it is missing or damaged, or holds NaN or infinity.
        """
        if name not in self.shapes:
            raise ExportError(f"{self.path} has no tensor {name}")
        values = self._read(name)
        # In slices, since the answer for each number takes a byte.
        flat = values.reshape(-1)
        for start in range(0, flat.size, _SLICE):
            if not np.isfinite(flat[start : start + _SLICE]).all():
                raise ExportError(
                    f"{name} in {self.path} holds NaN or infinity: the checkpoint is broken"
                )
        return values

    @abstractmethod
    def _read(self, name: str) -> NDArray[np.float32]:
        """Return a tensor that exists, finite or not."""

    def read_quantized(self, name: str, bits: int, block: int) -> Quantized | None:
        """Return a matrix [1, N, K] on the grid that it is stored on, which `read` would return.

        None unless that grid can be expressed with `bits` and a float16 scale for each `block`.
        """
        return None

    @abstractmethod
    def tokenizer(self) -> bytes:
        """Return the `tokenizer.json` of the model. Raises ExportError where there is none."""

    @abstractmethod
    def chat_template(self) -> str:
        """Return the template of conversations in Jinja's language, "" if there is none."""

    def licence(self) -> str:
        """Return what the files say of the licence of the weights."""
        return "not stated"

    @abstractmethod
    def fingerprint(self) -> dict[str, Any]:
        """Return JSON that differs if any of the files is another: sizes, times, header hashes."""

    @property
    @abstractmethod
    def bytes_read(self) -> int:
        """How many bytes of tensors were read so far."""

    @abstractmethod
    def close(self) -> None:
        """Close the files."""


_SLICE = 1 << 22
