"""A language for VM tests: messages in, a handler's operations, messages out.

    book = Playbook(handler, version=6)
    book.start(Input(b'"Ada"'), state={...})     # Start and the known entries
    book.receives(SleepCompletion…)              # later frames
    book.ends()                                  # end of the request body
    book.sends(Sleep(...), Suspension(...))      # asserts exactly what was written since

A handler here is a generator over the bare VM: it yields the trees it waits for and is resumed when
one is done. No event loop, no clock.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from rtour.protocol import messages as m
from rtour.protocol.framing import Decoder, decode, encode
from rtour.sdk.exceptions import SdkInternalBaseException
from rtour.sdk.vm import VM, Progress, Tree

Handler = Callable[[VM], Generator[Tree, None, Any]]
ID = bytes(range(1, 25))


class Cancelled(Exception):  # noqa: N818 - thrown into handlers
    """The cancel signal reached the handler."""


def start(known: int, **fields: Any) -> m.Start:
    """A Start message for that many known entries."""
    state = fields.pop("state", {})
    entries = tuple(m.StateEntry(key, value) for key, value in state.items())
    return m.Start(ID, "inv_1test", known, entries, **fields)


def completion(id_: int, result: m.Result, kind: int = m.MessageType.CALL_COMPLETION) -> m.Message:
    return m.Notification(kind, id_, result)


def signal(id_: int | str, result: m.Result = m.VOID) -> m.Message:
    return m.Notification(m.MessageType.SIGNAL, id_, result)


CANCEL = signal(1)


class Playbook:
    """One attempt, driven by hand."""

    def __init__(self, handler: Handler, version: int = 6) -> None:
        self.vm = VM(version)
        self.version = version
        self._handler = handler
        self._running: Generator[Tree, None, Any] | None = None
        self._waits_for: Tree | None = None
        self._decoder = Decoder()

    def start(self, *entries: m.Message, **fields: Any) -> Playbook:
        """Start, the known entries, and the handler up to its first wait."""
        frames = [start(len(entries), **fields), *entries]
        self.vm.receive(b"".join(encode(message, self.version) for message in frames))
        return self._go()

    def receives(self, *messages: m.Message) -> Playbook:
        for message in messages:
            self.vm.receive(encode(message, self.version))
        return self._go()

    def ends(self) -> Playbook:
        self.vm.receive_eof()
        return self._go()

    def sends(self, *expected: m.Message) -> Playbook:
        """Exactly these messages were written since the last look."""
        assert self.written() == list(expected)
        return self

    def fails(self, code: int, *words: str) -> m.Error:
        """The last message is an Error of that code, with these words."""
        error = self.written()[-1]
        assert isinstance(error, m.Error), error
        assert error.code == code, error
        for word in words:
            assert word in error.message, error.message
        return error

    def written(self) -> list[m.Message]:
        self._decoder.feed(self.vm.take_output())
        messages = []
        while (frame := self._decoder.next_frame()) is not None:
            messages.append(decode(frame.type, frame.payload, self.version))
        return messages

    def _go(self) -> Playbook:
        if self._running is None and self.vm.ready_to_execute:
            self._running = self._main()
            self._waits_for = next(self._running, None)
        while self._waits_for is not None and self._running is not None:
            match self.vm.progress([self._waits_for]):
                case Progress.DONE:
                    self._waits_for = next(self._running, None)
                case Progress.CANCELLED:
                    self._waits_for = self._throw()
                case _:
                    break
        return self

    def _throw(self) -> Tree | None:
        assert self._running is not None
        try:
            return self._running.throw(Cancelled())
        except StopIteration:
            return None

    def _main(self) -> Generator[Tree, None, None]:
        try:
            self.vm.sys_input()
            result = yield from self._handler(self.vm)
            self.vm.sys_output(result if isinstance(result, m.Failure) else m.Value(result or b""))
            self.vm.sys_end()
        except SdkInternalBaseException:
            assert self.vm.closed, "an internal exception without the end of the attempt"


def take(vm: VM, leaf: int | str) -> bytes:
    """The bytes of a result that is done, or a word for what it is."""
    result = vm.take(leaf)
    if isinstance(result, m.Value):
        return result.content
    if isinstance(result, m.Failure):
        return f"failed {result.code}".encode()
    return type(result).__name__.lower().encode()
