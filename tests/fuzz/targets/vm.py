"""The SDK's side of an attempt: any bytes from a server, to a handler that does a bit of all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rtour.protocol import messages as m
from rtour.protocol.framing import encode
from tests.fuzz.target import Check, Target
from tests.sdk.playbook import Playbook, completion, signal, start
from tests.sdk.test_vm_fuzz import assert_answered, busy

VERSIONS = (5, 6, 7)
CUTS = 16


def journal(*entries: m.Message, known: int | None = None, version: int = 6) -> bytes:
    opening = start(len(entries) if known is None else known, partial_state=True)
    return b"".join(encode(message, version) for message in (opening, *entries))


def seeds() -> list[bytes]:
    """A byte for version and cutting, and what a server sends: a journal, then notifications."""
    told = [
        journal(m.Input()),
        journal(m.Input(), completion(1, m.Value(b"v")), completion(4, m.VOID), known=1),
        journal(m.Input(), m.GetLazyState(b"k", 1), m.SetState(b"k", b"v"), completion(1, m.VOID)),
        journal(m.Input(), signal(1), signal("bell", m.Value(b"x")), signal(17, m.VOID), known=1),
        journal(m.Input(), m.GetEagerState(b"k", m.VOID), m.SetState(b"k", b"other")),
        journal(m.Input(), m.Sleep(1, 4), m.Output(m.Value(b"out"))),
        journal(m.Input(), m.Call("S", "h", b"x", 2, 3), completion(3, m.Failure(409, "no"))),
    ]
    return [bytes([head]) + stream for stream in told for head in (1, 2, 3 * 5 + 1)]


def check(data: bytes) -> None:
    head, stream = (data[:1] or b"\x00")[0], data[1:]
    book = Playbook(busy, VERSIONS[head % len(VERSIONS)])
    size = len(stream) // (head // len(VERSIONS) % CUTS + 1) + 1
    for at in range(0, len(stream), size):
        book.vm.receive(stream[at : at + size])
        book.receives()
    if not book.vm.closed:
        assert_answered(book)


@contextmanager
def opened() -> Iterator[Check]:
    yield check


TARGET = Target(
    promise="Whatever comes, at the end of input there is one last message: an end, a suspension "
    "or an error.",
    seeds=seeds,
    opened=opened,
    examples=300,
)
