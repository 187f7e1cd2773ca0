"""Numbers for the names in a file: facts hold numbers, which compare and sort fast."""

from __future__ import annotations


class Names:
    """Numbers for strings, in order of first use."""

    def __init__(self) -> None:
        self._numbers: dict[bytes, int] = {}
        self.strings: list[str] = []

    def number(self, name: bytes) -> int:
        number = self._numbers.get(name)
        if number is None:
            number = self._numbers[name] = len(self.strings)
            self.strings.append(name.decode("utf-8", "replace"))
        return number
