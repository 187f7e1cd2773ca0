"""The client's side of a session: what it can do, and everything that is sent to it unasked."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from lsprotocol import types

from indexer import Encoding
from lsp_server.protocol import DID_CHANGE_STATUS, CopilotProtocol, DidChangeStatusParams, describe
from lsp_server.session import Session, Status
from lsp_server.settings import SECTION

log = logging.getLogger(__name__)
REPORT_SECONDS = 0.2


@dataclass(slots=True)
class Connection:
    """What handlers get: the session, and its client, who is told what the session tells."""

    protocol: CopilotProtocol
    session: Session = field(init=False)
    encoding: Encoding = "utf-16"
    capabilities: types.ClientCapabilities = field(default_factory=types.ClientCapabilities)
    version: str = "unknown"
    # Navigation that the client was asked to send, beyond the answer to `initialize`.
    offered: set[str] = field(default_factory=set)
    # Progress tokens by job; None while the client has not yet agreed to show it.
    _progress: dict[str, int | None] = field(default_factory=dict)
    _last_token: int = 0
    _next_report: float = 0.0
    _last_status: Status | None = None
    _tasks: set[asyncio.Task[Any]] = field(default_factory=set)
    # Languages that are loaded, by name.
    languages: set[str] = field(default_factory=set)
    # Handles the messages that had to wait.
    on_release: Callable[[], None] = lambda: None
    _held_by: asyncio.Task[Any] | None = None

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Runs work beside the messages; an error in it is logged and ends nothing else."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    @property
    def is_held(self) -> bool:
        return self._held_by is not None

    def hold(self, work: Coroutine[Any, Any, None]) -> None:
        """Lets the messages behind the one at hand wait for some work; the loop goes on.

        One message may ask for several such works: they are done one after another.
        """
        before = self._held_by
        self._held_by = self.spawn(work if before is None else _behind(before, work))
        self._held_by.add_done_callback(self._release)

    def _release(self, task: asyncio.Task[Any]) -> None:
        if task is self._held_by:
            self._held_by = None
            self.on_release()

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("background work failed: %s", describe(error))

    def cancel_tasks(self) -> None:
        for task in tuple(self._tasks):
            task.cancel()

    # What the session tells its listener.

    def status(self, status: Status) -> None:
        if status != self._last_status:
            self._last_status = status
            params = DidChangeStatusParams(status.busy, status.message, status.kind)
            self.protocol.notify(DID_CHANGE_STATUS, params)

    def warn(self, message: str) -> None:
        self.protocol.notify(
            types.WINDOW_SHOW_MESSAGE,
            types.ShowMessageParams(types.MessageType.Warning, message),
        )

    def progress(self, job: str, message: str | None, percentage: int | None) -> None:
        window = self.capabilities.window
        if window is None or not window.work_done_progress:
            return
        if message is None:
            self._end_progress(job)
        elif job not in self._progress:
            self._progress[job] = None
            self.spawn(self._begin_progress(job, message))
        elif (token := self._progress[job]) is not None and self._may_report():
            self._send_progress(
                token, types.WorkDoneProgressReport(message=message, percentage=percentage)
            )

    def _may_report(self) -> bool:
        """Some times a second are enough for a progress bar."""
        now = time.monotonic()
        if now < self._next_report:
            return False
        self._next_report = now + REPORT_SECONDS
        return True

    async def _begin_progress(self, job: str, message: str) -> None:
        self._last_token += 1
        token = self._last_token
        try:
            await self.protocol.send_request_async(
                types.WINDOW_WORK_DONE_PROGRESS_CREATE,
                types.WorkDoneProgressCreateParams(token=token),
            )
        except Exception:
            # The client does not want to show it; the job goes on without.
            return
        if job in self._progress:
            self._progress[job] = token
            begin = types.WorkDoneProgressBegin(
                title=f"Sopilka: {job}", message=message, percentage=0, cancellable=False
            )
            self._send_progress(token, begin)

    def _end_progress(self, job: str) -> None:
        token = self._progress.pop(job, None)
        if token is not None:
            self._send_progress(token, types.WorkDoneProgressEnd())

    def _send_progress(self, token: int, value: Any) -> None:
        self.protocol.notify(types.PROGRESS, types.ProgressParams(token=token, value=value))

    # What is asked of the client.

    @property
    def has_inline_completion(self) -> bool:
        document = self.capabilities.text_document
        return document is not None and document.inline_completion is not None

    @property
    def can_pull_configuration(self) -> bool:
        workspace = self.capabilities.workspace
        return workspace is not None and bool(workspace.configuration)

    @property
    def tells_of_files(self) -> bool:
        """Whether the client can be asked to tell of changed files."""
        workspace = self.capabilities.workspace
        files = workspace.did_change_watched_files if workspace else None
        return files is not None and bool(files.dynamic_registration)

    def of_document(self, feature: str) -> Any:
        """What the client says of a feature of `textDocument`, None where it says nothing."""
        return getattr(self.capabilities.text_document, feature, None)

    async def pull_configuration(self) -> Any:
        """The value of our section; raises what the protocol raises when the client refuses."""
        items = [types.ConfigurationItem(section=SECTION)]
        answer = await self.protocol.send_request_async(
            types.WORKSPACE_CONFIGURATION, types.ConfigurationParams(items=items)
        )
        return answer[0] if answer else None

    def register(self) -> None:
        """Asks for news of settings and of files, where the client offers them this way."""
        workspace = self.capabilities.workspace
        if workspace is None:
            return
        wanted: list[tuple[str, Any]] = []
        settings = workspace.did_change_configuration
        if settings is not None and settings.dynamic_registration:
            options = types.DidChangeConfigurationRegistrationOptions(section=SECTION)
            wanted.append((types.WORKSPACE_DID_CHANGE_CONFIGURATION, options))
        if self.tells_of_files:
            everything = [types.FileSystemWatcher(glob_pattern="**/*")]
            watch = types.DidChangeWatchedFilesRegistrationOptions(watchers=everything)
            wanted.append((types.WORKSPACE_DID_CHANGE_WATCHED_FILES, watch))
        if wanted:
            self.spawn(self.register_methods(wanted))

    async def register_methods(self, wanted: list[tuple[str, Any]]) -> None:
        """Asks the client to send these methods, each with its options, from now on."""
        registrations = [
            types.Registration(id=f"sopilka-{method}", method=method, register_options=options)
            for method, options in wanted
        ]
        if not registrations:
            return
        try:
            await self.protocol.send_request_async(
                types.CLIENT_REGISTER_CAPABILITY, types.RegistrationParams(registrations)
            )
        except Exception as error:
            log.warning("the client refused to register: %s", type(error).__name__)
            if self.tells_of_files and not self.session.watches_files:
                self.session.watches_files = True
                self.session.watch()
            return
        if self.tells_of_files:
            # What changed before the client began to tell.
            self.session.files_changed(None)

    async def unregister(self, methods: list[str]) -> None:
        """Asks the client to send these methods no more."""
        gone = [types.Unregistration(id=f"sopilka-{method}", method=method) for method in methods]
        if not gone:
            return
        try:
            await self.protocol.send_request_async(
                types.CLIENT_UNREGISTER_CAPABILITY, types.UnregistrationParams(gone)
            )
        except Exception as error:
            log.warning("the client refused to unregister: %s", type(error).__name__)


async def _behind(before: asyncio.Task[Any], work: Coroutine[Any, Any, None]) -> None:
    await asyncio.wait((before,))
    await work
