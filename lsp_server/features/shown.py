"""Suggestions that were made for one document: where the text says so, they are the answer."""

from __future__ import annotations

from dataclasses import dataclass, field

from lsp_server.features.completion import Completion
from lsp_server.features.typed_through import still_expected, typed_through

_MAX_STATES = 32
_MAX_BYTES = 8_000_000


@dataclass(slots=True)
class Shown:
    """What was suggested for the latest states of a document, the latest first.

    A state is the whole text: typing along a suggestion, going back and typing it again lead to
    texts for which the answer is known.
    """

    _made: list[tuple[bytes, Completion]] = field(default_factory=list)
    # The latest, as long as nobody knows what became of it.
    _open: Completion | None = None

    def add(self, text: bytes, completion: Completion) -> None:
        """A suggestion that was made for a text is shown now."""
        self._open = completion
        self._made = [(text, completion), *self._made][:_MAX_STATES]
        while len(self._made) > 1 and sum(len(old) for old, _ in self._made) > _MAX_BYTES:
            self._made.pop()

    def keep(self, text: bytes, completion: Completion) -> None:
        """A suggestion was made for a text that may come; the latest stays what is shown.

        Where all was cleared meanwhile, it was made from what is not true any more.
        """
        if self._made:
            self._made.insert(1, (text, completion))
            del self._made[_MAX_STATES:]

    def rest(self, text: bytes, offset: int) -> Completion | None:
        """What is left of a suggestion, if the text with the cursor there is one of its states."""
        for old, completion in self._made:
            if len(text) - len(old) == offset - completion.start:
                found = typed_through(completion, old, text, offset)
                if found is not None:
                    return found
        return None

    def expected(self, text: bytes, offset: int) -> str:
        """What the latest suggestion lets expect, though the text is none of its states."""
        if not self._made:
            return ""
        old, completion = self._made[0]
        return still_expected(completion, old, text, offset)

    def is_accepted(self, inserted: bytes) -> bool:
        """Whether an insertion is the latest suggestion, or a beginning of it."""
        return (
            bool(self._made)
            and len(inserted) > 1
            and self._made[0][1].text.encode().startswith(inserted.replace(b"\r\n", b"\n"))
        )

    def outcome(self, text: bytes) -> tuple[float, bool] | None:
        """The confidence of the latest suggestion and whether the text has all of it now.

        To be asked when the text is none of the suggestion's states any more. Told once.
        """
        if self._open is None:
            return None
        shown, self._open = self._open, None
        return shown.confidence, text.startswith(shown.text.encode(), shown.start)

    def clear(self) -> None:
        """Something changed elsewhere that the model would see."""
        self._made.clear()
        self._open = None
