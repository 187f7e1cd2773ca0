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
            string = name.decode("utf-8", "replace").replace("\0", "\ufffd")
            clean = string.encode()
            number = self._numbers.get(clean, len(self.strings))
            self._numbers[name] = self._numbers[clean] = number
            if number == len(self.strings):
                self.strings.append(string)
        return number
