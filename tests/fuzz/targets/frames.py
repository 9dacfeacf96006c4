"""The protocol's decoder: any bytes as a stream of frames."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rtour.errors import ProtocolError
from rtour.protocol import messages as m
from rtour.protocol.framing import Decoder, Frame, decode, encode
from tests.fuzz import corpora
from tests.fuzz.target import Check, Target

VERSIONS = (5, 6, 7)
CODES = {570, 571, 572, 573}
RESTATE_CODES = {"RT0003", "RT0012", "RT0025"}
MESSAGE_BYTES_MAX = 1 << 16


def seeds() -> list[bytes]:
    """A byte for version and cutting, and a recorded stream."""
    return [bytes([VERSIONS.index(version)]) + stream for version, stream in corpora.streams()]


def cut(stream: bytes, sizes: int) -> tuple[list[Frame], ProtocolError | None]:
    """The frames of a stream that comes in pieces, and the error it ended with."""
    decoder = Decoder(MESSAGE_BYTES_MAX)
    frames: list[Frame] = []
    try:
        for start in range(0, len(stream), sizes):
            decoder.feed(stream[start : start + sizes])
            while (frame := decoder.next_frame()) is not None:
                frames.append(frame)
            assert decoder.pending_bytes <= MESSAGE_BYTES_MAX + sizes + 8
    except ProtocolError as error:
        return frames, error
    return frames, None


def understood(frame: Frame, version: int) -> m.Message | None:
    """The message of a frame; None if it was refused as the protocol says."""
    try:
        return decode(frame.type, frame.payload, version)
    except ProtocolError as error:
        assert error.code in CODES, error
        assert error.restate_code in RESTATE_CODES, error
        assert str(error)
        return None


def check(data: bytes) -> None:
    head, stream = (data[:1] or b"\x00")[0], data[1:]
    version = VERSIONS[head % len(VERSIONS)]
    frames, error = cut(stream, len(stream) or 1)
    other, other_error = cut(stream, head // len(VERSIONS) % 32 + 1)
    assert frames == other, "the same stream in other pieces has other frames"
    assert str(error) == str(other_error)
    for frame in frames:
        message = understood(frame, version)
        if message is not None:
            _survives(message, version)


def _survives(message: m.Message, version: int) -> None:
    """The message is the same behind an encoding.

    Fields of later versions are read in all, and written in theirs; only suspensions differ.
    """
    as_of = version if isinstance(message, m.Suspension) else VERSIONS[-1]
    decoder = Decoder()
    decoder.feed(encode(message, as_of))
    back = decoder.next_frame()
    assert back is not None, "what was decoded is encoded as a whole frame"
    assert _meaning(decode(back.type, back.payload, version)) == _meaning(message)


def _meaning(message: m.Message) -> object:
    """Before version 7 suspensions wait for any of some, whose order and number say nothing."""
    if not isinstance(message, m.Suspension) or message.awaiting_on.nested:
        return message
    awaited = message.awaiting_on
    ids = (awaited.completions, awaited.signals, awaited.named_signals)
    return awaited.combinator, *map(frozenset, ids)


@contextmanager
def opened() -> Iterator[Check]:
    yield check


TARGET = Target(
    promise="A stream has the same frames however it is cut; a frame is a message that survives "
    "encoding, or refused with a code of the protocol.",
    seeds=seeds,
    opened=opened,
    examples=400,
)
