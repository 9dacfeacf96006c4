"""A server in miniature: one invocation's journal, and as many attempts as it takes.

It stores what the SDK writes and decides, by a seeded generator, in which order results arrive,
which of them arrive together, and where an attempt is cut so that the next one must replay.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable
from typing import Any

from rtour.protocol import messages as m
from rtour.protocol.framing import Decoder, decode, encode
from rtour.sdk.attempt import Attempt
from rtour.sdk.endpoint import Accepted, Endpoint
from tests.sdk.playbook import ID

CANCEL = m.Notification(m.MessageType.SIGNAL, 1, m.VOID)
_SETTLED = 60
"""Iterations of the loop after which nothing in an attempt moves by itself."""
_MAX_ATTEMPTS = 60


class AttemptFailedError(Exception):
    """The SDK answered with an Error frame."""

    def __init__(self, error: m.Error) -> None:
        super().__init__(error.message)
        self.error = error


class Peer:
    """Runs one invocation of one handler to its end."""

    def __init__(
        self,
        *services: Any,
        version: int = 6,
        seed: int = 0,
        cuts: float = 0.0,
        streaming: bool = True,
        key: str = "",
    ) -> None:
        self.endpoint = Endpoint().bind(*services)
        self.version = version
        self.state: dict[bytes, bytes] = {}
        self.answers: Callable[[m.Call], m.Value | m.Failure] = lambda call: m.Value(call.parameter)
        self.journal: list[m.Message] = []
        self.attempt_headers: dict[str, str] = {}
        self.attempts = 0
        self.journal_at_start: list[m.Message] = []
        self.completes_sends = False
        self.completes_timers = True
        self.retries_errors = False
        self.errors: list[m.Error] = []
        self.attempt: Attempt | None = None
        self._key = key
        self._random = random.Random(seed)
        self._cuts = cuts
        self._streaming = streaming
        self._pending: list[m.Notification] = []
        self._decoder = Decoder()
        self._last: m.Message | None = None
        self._finished = asyncio.Event()

    async def invoke(self, path: str, body: Any = None, **headers: str) -> Any:
        """The decoded result; TerminalFailure as `m.Failure`; an Error frame is raised."""
        content = b"" if body is None else json.dumps(body).encode()
        await self.invoke_raw(path, content, **headers)
        return self._result()

    async def invoke_raw(self, path: str, content: bytes, **headers: str) -> None:
        """Run it with these bytes as input; the result is in the journal."""
        input_ = m.Input(tuple(m.Header(*header) for header in headers.items()), content)
        self.journal = [input_, *self.journal_at_start]
        while self.attempts < _MAX_ATTEMPTS:
            last = await self._attempt(path)
            if isinstance(last, m.End):
                return
            if isinstance(last, m.Error):
                self.errors.append(last)
                if not self.retries_errors:
                    raise AttemptFailedError(last)
            elif self._pending:
                self._arrive()
        raise AssertionError(f"no end after {self.attempts} attempts: {self.errors}")

    def signal(self, notification: m.Notification) -> None:
        """Something from outside is on its way."""
        self._pending.append(notification)

    def commands(self) -> list[m.Message]:
        return [message for message in self.journal if not isinstance(message, m.Notification)][1:]

    def _result(self) -> Any:
        output = next(x for x in reversed(self.journal) if isinstance(x, m.Output))
        if isinstance(output.result, m.Failure):
            return output.result
        return json.loads(output.result.content) if output.result.content else None

    # --- one attempt -------------------------------------------------------------------------

    async def _attempt(self, path: str) -> m.Message:
        self.attempts += 1
        self._store_proposals()
        self._last, self._decoder, self._finished = None, Decoder(), asyncio.Event()
        content_type = f"application/vnd.restate.invocation.v{self.version}"
        headers = {"content-type": content_type, **self.attempt_headers}
        answer = self.endpoint.answer(f"/invoke/{path}", headers, can_stream=self._streaming)
        assert isinstance(answer, Accepted), answer
        self.attempt = answer.begin(self._on_written, self._finished.set)
        self.attempt.on_data(self._opening())
        if not self._streaming:
            self.attempt.on_eof()
        await self._drive(self.attempt)
        await self._finished.wait()
        assert self._last is not None
        return self._last

    def _store_proposals(self) -> None:
        """A server starts no attempt before it has stored what the last one has proposed."""
        for notification in list(self._pending):
            if notification.type == m.MessageType.RUN_COMPLETION:
                self._pending.remove(notification)
                self.journal.append(notification)

    def _opening(self) -> bytes:
        entries = tuple(m.StateEntry(key, value) for key, value in sorted(self.state.items()))
        start = m.Start(ID, "inv_1test", len(self.journal), entries, key=self._key, random_seed=42)
        return b"".join(encode(message, self.version) for message in (start, *self.journal))

    async def _drive(self, attempt: Attempt) -> None:
        """Let results arrive, one or several at a time, until the SDK has said its last word."""
        while not self._finished.is_set():
            await settled()
            if self._last is not None or (not attempt.vm.input_closed and self._cut()):
                attempt.on_eof()
            elif self._streaming and self._pending:
                count = self._random.randint(1, len(self._pending))
                attempt.on_data(b"".join(self._encoded(self._arrive()) for _ in range(count)))
            elif not attempt.vm.input_closed and not attempt.vm.executing:
                attempt.on_eof()

    def _cut(self) -> bool:
        return self._random.random() < self._cuts

    def _arrive(self) -> m.Notification:
        """The next result, in an order of our own, becomes an entry of the journal."""
        notification = self._pending.pop(self._random.randrange(len(self._pending)))
        self.journal.append(notification)
        return notification

    def _encoded(self, notification: m.Notification) -> bytes:
        is_run = notification.type == m.MessageType.RUN_COMPLETION
        if is_run and self.version >= 7 and notification.id in self._proposed:
            return encode(m.ProposeRunCompletionAck(int(notification.id)), self.version)
        return encode(notification, self.version)

    # --- what the SDK writes -----------------------------------------------------------------

    def _on_written(self, data: bytes) -> None:
        self._decoder.feed(data)
        while (frame := self._decoder.next_frame()) is not None:
            assert self._last is None, "a frame after the last one"
            self._on_message(decode(frame.type, frame.payload, self.version))

    @property
    def _proposed(self) -> set[int]:
        assert self.attempt is not None
        return set(self.attempt.vm._proposals)

    def _on_message(self, message: m.Message) -> None:
        if isinstance(message, m.End | m.Error | m.Suspension):
            self._last = message
        elif isinstance(message, m.ProposeRunCompletion):
            self._complete(
                m.MessageType.RUN_COMPLETION, message.result_completion_id, message.result
            )
        elif not isinstance(message, m.AwaitingOn):
            self.journal.append(message)
            self._on_command(message)

    def _on_command(self, command: m.Message) -> None:
        match command:
            case m.Sleep() if self.completes_timers:
                self._complete(m.MessageType.SLEEP_COMPLETION, command.result_completion_id, m.VOID)
            case m.Call():
                self._complete(
                    m.MessageType.CALL_INVOCATION_ID_COMPLETION,
                    command.invocation_id_notification_idx,
                    m.InvocationId(f"inv_1callee{command.result_completion_id}"),
                )
                self._complete(
                    m.MessageType.CALL_COMPLETION,
                    command.result_completion_id,
                    self.answers(command),
                )
            case m.OneWayCall() if self.completes_sends:
                id_ = command.invocation_id_notification_idx
                self._complete(
                    m.MessageType.CALL_INVOCATION_ID_COMPLETION,
                    id_,
                    m.InvocationId(f"inv_1sent{id_}"),
                )
            case m.SetState():
                self.state[command.key] = command.value
            case m.ClearState():
                self.state.pop(command.key, None)

    def _complete(self, kind: m.MessageType, id_: int, result: m.Result) -> None:
        self._pending.append(m.Notification(kind, id_, result))


async def settled() -> None:
    """Let everything that can move without outside help move."""
    for _ in range(_SETTLED):
        await asyncio.sleep(0)
