"""Bytes in, bytes out, one attempt's journal between them.

Input is cut into frames and kept whole until the replay is complete; then commands are matched
against the recorded ones until those run out, and written from there on. Notifications are looked
at (`arrivals`) only when someone waits: this order is what makes every replay take the same way.
"""

from __future__ import annotations

import enum
import hashlib
from collections import deque
from collections.abc import Sequence
from typing import Final, cast

from rtour.errors import ProtocolError
from rtour.protocol import messages as m
from rtour.protocol.framing import Decoder, Frame, decode, encode
from rtour.sdk.exceptions import SdkInternalException, SuspendedException
from rtour.sdk.vm import replay
from rtour.sdk.vm.arrivals import Arrivals
from rtour.sdk.vm.awaiting import CANCEL, Leaf, Node, Outcome, Tree, to_future
from rtour.sdk.vm.eager_state import EagerState

PROTOCOL_VIOLATION: Final = 571
UNSUPPORTED_FEATURE: Final = 573
INTERNAL: Final = 500
_MAX_MESSAGE_BYTES: Final = 2**31
_V6: Final = 6
_V7: Final = 7
_COMMANDS: Final = range(0x0400, 0x8000)
_NOTIFICATIONS: Final = range(0x8000, 0xFC00)


class Phase(enum.IntEnum):
    """Where an attempt is; it only moves down this list."""

    WAITING_START = 0
    WAITING_ENTRIES = 1
    REPLAYING = 2
    PROCESSING = 3


class Progress(enum.Enum):
    """What `progress` came to."""

    DONE = enum.auto()
    """One of the trees is resolved."""
    EXECUTE = enum.auto()
    """Closures wait to be started: see `startable_runs`, then ask again."""
    WAIT = enum.auto()
    """Nothing to do before more input, or the end of a run."""
    CANCELLED = enum.auto()
    """The cancel signal was next; the calls made so far are cancelled already."""
    CLOSED = enum.auto()
    """The attempt is over: suspended, or failed. The last frame is written."""


class Core:
    """The phases, the journal and the waiting; `VM` adds the operations."""

    def __init__(self, version: int, check_payloads: bool = True) -> None:
        self.version = version
        self.phase = Phase.WAITING_START
        self.closed = False
        """The last frame is written, whatever the phase."""
        self.start = m.Start(b"", "", 0)
        self.state = EagerState((), partial=True)
        self.input_closed = False
        self.suspended = False
        self.failure: m.Error | None = None
        self.executing: set[int] = set()
        self.written = 0
        """New commands of this attempt."""
        self.command_index = -1
        """Of the command last seen; Input is 0."""
        self._check_payloads = check_payloads
        self._decoder = Decoder(_MAX_MESSAGE_BYTES)
        self._output: list[bytes] = []
        self._missing_entries = 0
        self._recorded: deque[m.Command] = deque()
        self._arrivals = Arrivals()
        self._proposals: dict[int, m.Value | m.Failure] = {}
        self._calls: dict[int, str | None] = {}
        self._waiting_runs: list[int] = []
        self._announced = b""
        self._draining = False

    # --- input and output --------------------------------------------------------------------

    def receive(self, data: bytes) -> None:
        """Take bytes of the request body, split anywhere. Never raises: see `failure`."""
        if self.closed:
            return
        try:
            self._decoder.feed(data)
            while not self.closed and (frame := self._decoder.next_frame()) is not None:
                self._on_frame(frame)
        except ProtocolError as error:
            self.fail(error.code, error.message)

    def receive_eof(self) -> None:
        """The request body has ended: nothing that is not here yet will come."""
        self.input_closed = True
        if self.phase < Phase.REPLAYING:
            self.fail(
                PROTOCOL_VIOLATION,
                f"The request ended before its journal did: {self._missing_entries} entries are "
                "missing"
                if self._missing_entries
                else "The request ended before Start",
            )

    def drain(self) -> None:
        """The host is stopping: suspend at the next wait, as if the request had ended."""
        self._draining = True

    def take_output(self) -> bytes:
        """The bytes to send now; the caller must send them all, in order."""
        if not self._output:
            return b""
        data = b"".join(self._output) if len(self._output) > 1 else self._output[0]
        self._output.clear()
        return data

    @property
    def ready_to_execute(self) -> bool:
        """The whole journal is here: the handler may run."""
        return self.phase >= Phase.REPLAYING and not self.closed

    @property
    def replaying(self) -> bool:
        return self.phase is Phase.REPLAYING and not self.closed

    def _on_frame(self, frame: Frame) -> None:
        message = decode(frame.type, frame.payload, self.version)
        if self.phase is Phase.WAITING_START:
            self._on_start(message)
        elif self.phase is Phase.WAITING_ENTRIES:
            self._on_entry(frame.type, message)
        else:
            self._on_live(frame.type, message)

    def _on_start(self, message: m.Message) -> None:
        if not isinstance(message, m.Start):
            raise ProtocolError(
                PROTOCOL_VIOLATION, f"expected Start, received {type(message).__name__}"
            )
        if message.known_entries < 1:
            raise ProtocolError(
                PROTOCOL_VIOLATION, "a journal has at least its Input, but known_entries is 0"
            )
        self.start = message
        self.state = EagerState(message.state_map, message.partial_state)
        self._missing_entries = message.known_entries
        self.phase = Phase.WAITING_ENTRIES

    def _on_entry(self, type_: int, message: m.Message) -> None:
        if type_ in _COMMANDS:
            self._recorded.append(cast("m.Command", message))
        elif isinstance(message, m.Notification):
            self._arrivals.add(message)
        else:
            raise ProtocolError(
                PROTOCOL_VIOLATION, f"{type(message).__name__} inside the journal of an attempt"
            )
        self._missing_entries -= 1
        if not self._missing_entries:
            if not self._recorded or not isinstance(self._recorded[0], m.Input):
                raise ProtocolError(PROTOCOL_VIOLATION, "the journal does not begin with Input")
            self.phase = Phase.REPLAYING

    def _on_live(self, type_: int, message: m.Message) -> None:
        if isinstance(message, m.ProposeRunCompletionAck) and self.version >= _V7:
            result = self._proposals.pop(message.completion_id, None)
            if result is None:
                raise ProtocolError(
                    PROTOCOL_VIOLATION,
                    f"acknowledged run {message.completion_id} was not proposed in this attempt",
                )
            message = m.Notification(m.MessageType.RUN_COMPLETION, message.completion_id, result)
        if not isinstance(message, m.Notification):
            raise ProtocolError(
                PROTOCOL_VIOLATION,
                f"only notifications may follow the journal, received 0x{type_:04x} "
                f"{type(message).__name__}",
            )
        self._arrivals.add(message)

    # --- the journal -------------------------------------------------------------------------

    def command(self, attempted: m.Command) -> m.Command:
        """Match the next recorded command, or write a new one. Returns the one that counts."""
        self.assert_open()
        self.command_index += 1
        if self._recorded:
            recorded = self._recorded.popleft()
            if not replay.matches(recorded, attempted, self._check_payloads):
                self.mismatch(replay.mismatch(self.command_index, recorded, attempted), recorded)
            self._replayed()
            return recorded
        self.write(attempted)
        self.written += 1
        return attempted

    def peek_recorded(self) -> m.Command | None:
        """The next recorded command, for operations whose form depends on what was recorded."""
        return self._recorded[0] if self._recorded else None

    def write(self, message: m.Message, ack: bool = False) -> None:
        """Queue a frame; a message its version does not know fails the attempt."""
        try:
            self._output.append(encode(message, self.version, ack))
        except ProtocolError as error:
            self.fail(error.code, error.message)
            self.assert_open()

    def _replayed(self) -> None:
        if not self._recorded and self.phase is Phase.REPLAYING:
            self.phase = Phase.PROCESSING

    # --- waiting -----------------------------------------------------------------------------

    def progress(self, trees: Sequence[Tree]) -> Progress:
        """Look at notifications, one by one, until a tree resolves or nothing is left."""
        if self.closed:
            return Progress.CLOSED
        while True:
            if CANCEL in self._arrivals.ready:
                if self._cancel_calls():
                    return Progress.CLOSED if self.closed else Progress.CANCELLED
            elif any(map(self.is_done, trees)):
                return Progress.DONE
            if not self._arrivals.unseen:
                return self._block(self._awaited(trees))
            self._look()

    def is_done(self, tree: Tree) -> bool:
        """Whether the notifications looked at so far resolve `tree`."""
        return self._arrivals.is_done(tree)

    def outcome(self, tree: Tree) -> Outcome:
        """How far the notifications looked at so far bring `tree`."""
        return self._arrivals.outcome(tree)

    def take(self, leaf: Leaf) -> m.Result | None:
        """The result of a leaf, once: a signal's next value comes up after it."""
        return self._arrivals.take(leaf)

    def _look(self) -> None:
        notification = self._arrivals.look()
        id_, result = notification.id, notification.result
        if isinstance(result, m.InvocationId) and id_ in self._calls:
            self._calls[id_] = result.id

    def _awaited(self, trees: Sequence[Tree]) -> Node:
        """What can move the handler on: any tree, or a cancellation; or the way to cancel."""
        if CANCEL in self._arrivals.ready:
            unknown = tuple(leaf for leaf, target in self._calls.items() if target is None)
            return Node(m.Combinator.FIRST_COMPLETED, unknown[:1])
        return Node(m.Combinator.FIRST_COMPLETED, (*trees, CANCEL))

    def _cancel_calls(self) -> bool:
        """Pass the cancellation on to the callees, as soon as all their ids are known (§5.8)."""
        targets = [target for target in self._calls.values() if target is not None]
        if len(targets) < len(self._calls):
            return False
        self._calls.clear()
        try:
            for target in targets:
                self.command(m.SendSignal(target, m.SignalIndex.CANCEL, m.VOID))
        except SdkInternalException:  # the journal does not agree; the error is written
            return True
        self.take(CANCEL)
        return True

    def _block(self, awaited: Node) -> Progress:
        if self._recorded:
            recorded = self._recorded[0]
            index = self.command_index + 1
            message = replay.unreachable_await(index, recorded)
            self.fail(replay.JOURNAL_MISMATCH, message, related=(index, recorded))
            return Progress.CLOSED
        if self._waiting_runs:
            return Progress.EXECUTE
        if self.executing:
            return Progress.WAIT
        if self.input_closed or self._draining:
            self.write(m.Suspension(to_future(awaited, self._arrivals.ready)))
            self.suspended = True
            self.closed = True
            return Progress.CLOSED
        self._announce(awaited)
        return Progress.WAIT

    @property
    def has_news(self) -> bool:
        """Notifications have come that nobody has looked at."""
        return bool(self._arrivals.unseen)

    def about_to_wait(self, trees: Sequence[Tree]) -> None:
        """The handler will wait for sure: say so at once, with the commands it has made."""
        if self.phase is Phase.PROCESSING and not (
            self.closed
            or self.input_closed
            or self._draining
            or self.executing
            or self._waiting_runs
            or self._arrivals.unseen
        ):
            self._announce(self._awaited(trees))

    def _announce(self, awaited: Node) -> None:
        """Tell a V7 server what the handler waits for, for people to see."""
        if self.version < _V7:
            return
        # As bytes: deep trees cannot be compared as they are.
        announcement = encode(m.AwaitingOn(to_future(awaited, self._arrivals.ready)), self.version)
        if announcement != self._announced:
            self._announced = announcement
            self._output.append(announcement)

    # --- the end -----------------------------------------------------------------------------

    def assert_open(self) -> None:
        """Refuse to go on after the last frame."""
        if not self.closed:
            return
        if self.suspended:
            raise SuspendedException
        raise SdkInternalException(self.failure.message if self.failure else "The attempt is over.")

    def fail(
        self,
        code: int,
        message: str,
        stacktrace: str = "",
        *,
        related: tuple[int, m.Command] | None = None,
        next_retry_delay_ms: int | None = None,
    ) -> None:
        """End the attempt with an Error; the first one counts, the rest is silence.

        `related` is the index and the command that the failure is about, if it is about one.
        """
        if self.closed:
            return
        self.close(
            m.Error(code, message, stacktrace, next_retry_delay_ms=next_retry_delay_ms)
            if related is None
            else m.Error(
                code,
                message,
                stacktrace,
                related_command_index=related[0],
                related_command_name=related[1].name,
                related_command_type=int(m.COMMAND_TYPES[type(related[1])]),
                next_retry_delay_ms=next_retry_delay_ms,
            )
        )

    def mismatch(self, message: str, recorded: m.Command) -> None:
        """The handler left the recorded way: the attempt fails with 570."""
        related = (self.command_index, recorded)
        self.fail(replay.JOURNAL_MISMATCH, message, related=related)
        self.assert_open()

    def abandon(self) -> None:
        """The connection is gone: nothing can be said any more."""
        self._output.clear()
        self.closed = True

    def close(self, last: m.Error | m.End) -> None:
        """Write the last frame of the attempt."""
        self._output.append(encode(last, self.version))
        if isinstance(last, m.Error):
            self.failure = last
        self.closed = True

    @property
    def random_seed(self) -> int:
        """The same in every attempt; before V6 it follows from the invocation's id (§5.14)."""
        if self.version >= _V6:
            return self.start.random_seed
        return int.from_bytes(hashlib.sha256(self.start.id).digest()[:8], "big")
