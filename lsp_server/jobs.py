"""Background jobs by name: one of each at a time, told to whoever listens."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

Spawn = Callable[[Coroutine[Any, Any, Any]], "asyncio.Task[Any]"]
# Job, what it is doing (None: it has ended), and how far it is in percent, if that is known.
Tell = Callable[[str, str | None, int | None], None]


@dataclass(slots=True)
class Jobs:
    """Nothing runs before `start` and after `stop`."""

    tell: Tell
    messages: dict[str, str] = field(default_factory=dict)
    _spawn: Spawn | None = None
    _tasks: dict[str, asyncio.Task[Any]] = field(default_factory=dict)

    @property
    def is_running(self) -> bool:
        return self._spawn is not None

    def start(self, spawn: Spawn) -> None:
        self._spawn = spawn

    def stop(self) -> None:
        self._spawn = None
        for task in self._tasks.values():
            task.cancel()

    def run(self, name: str, message: str | None, work: Coroutine[Any, Any, None]) -> None:
        """Begins a job, in place of the one of the same name that may be under way.

        Without a message nobody is told of it.
        """
        if self._spawn is None:
            work.close()
            return
        if name in self._tasks:
            self._tasks[name].cancel()
        if message is not None:
            self.messages[name] = message
            self.tell(name, message, None)
        self._tasks[name] = self._spawn(self._ended(name, work))

    async def _ended(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        """A job that fails has ended too; one that was replaced has not."""
        try:
            await work
        except Exception:
            self.end(name)
            raise

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[Any] | None:
        """Runs something too short to be told of."""
        if self._spawn is None:
            work.close()
            return None
        return self._spawn(work)

    async def finished(self) -> None:
        """Waits until no job that was told of is under way."""
        while self.messages:
            await asyncio.wait([task for task in self._tasks.values() if not task.done()])

    def report(self, name: str, message: str, percentage: int | None = None) -> None:
        """How far a job is; `messages` keep what it was begun with."""
        self.tell(name, message, percentage)

    def end(self, name: str) -> None:
        self.messages.pop(name, None)
        self.tell(name, None, None)
