"""A queue in which clients take turns: an editor with many requests does not hold up the others."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterator

from runtime.sequence import Sequence


class FairQueue:
    """Sequences in the order of their clients' turns; of one client, in the order of arrival."""

    def __init__(self) -> None:
        self._queues: OrderedDict[str, deque[Sequence]] = OrderedDict()

    def __len__(self) -> int:
        return sum(len(queue) for queue in self._queues.values())

    def __iter__(self) -> Iterator[Sequence]:
        for queue in self._queues.values():
            yield from queue

    def push(self, sequence: Sequence) -> None:
        self._queues.setdefault(sequence.request.client, deque()).append(sequence)

    def push_front(self, sequence: Sequence) -> None:
        """Puts back a sequence that had its turn and lost it: it is the next."""
        client = sequence.request.client
        self._queues.setdefault(client, deque()).appendleft(sequence)
        self._queues.move_to_end(client, last=False)

    def peek(self) -> Sequence:
        """The next one. Raises IndexError when there is none."""
        if not self._queues:
            raise IndexError("the queue is empty")
        return next(iter(self._queues.values()))[0]

    def pop(self) -> Sequence:
        """Takes the next one out; its client goes to the end of the line."""
        sequence = self.peek()
        client = sequence.request.client
        queue = self._queues.pop(client)
        queue.popleft()
        if queue:
            self._queues[client] = queue
        return sequence

    def remove(self, sequence: Sequence) -> None:
        """Takes a sequence out, wherever it stands. Raises ValueError if it is not in here."""
        queue = self._queues.get(sequence.request.client, deque())
        queue.remove(sequence)
        if not queue:
            del self._queues[sequence.request.client]
