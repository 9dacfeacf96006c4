"""Messages to bytes and back: round trips, Google's opinion, hostile bytes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rtour.errors import ProtocolError
from rtour.protocol import messages as m
from rtour.protocol.framing import Decoder, decode, encode, encode_payload

from . import oracle, strategies

TYPES = [int(code) for code in m.MessageType]


def type_of(message: m.Message) -> int:
    return int.from_bytes(encode(message)[:2], "big")


@given(strategies.any_version())
@settings(max_examples=400)
def test_what_is_encoded_decodes_to_the_same(case: tuple[int, m.Message]) -> None:
    """Every message of every version comes back from its bytes unchanged."""
    version, message = case
    decoder = Decoder()
    decoder.feed(encode(message, version))
    frame = decoder.next_frame()
    assert frame is not None
    assert decode(frame.type, frame.payload, version) == message


@given(strategies.any_version())
@settings(max_examples=400)
def test_google_writes_the_same_bytes(case: tuple[int, m.Message]) -> None:
    """Our bytes are those of Google's protobuf, filled with the same values, to the bit."""
    version, message = case
    theirs = oracle.of(message, version).SerializeToString(deterministic=True)
    assert encode_payload(message, version) == theirs
    assert decode(type_of(message), theirs, version) == message


@given(strategies.any_version())
def test_google_reads_our_bytes(case: tuple[int, m.Message]) -> None:
    """Google's protobuf reads what we write, and finds nothing it does not know."""
    version, message = case
    filled = oracle.of(message, version)
    assert type(filled).FromString(encode_payload(message, version)) == filled


def is_decided(code: int, payload: bytes, version: int) -> bool:
    """Whether bytes end in a message or in a ProtocolError for the peer; anything else raises."""
    try:
        return isinstance(decode(code, payload, version), m.Struct)
    except ProtocolError as error:
        return error.code == 571 and bool(error.message)


UNKNOWN_FIELDS = st.lists(
    st.sampled_from(
        [
            b"\xf8\x07\x05",  # 127, a number
            b"\xfa\x07\x03abc",  # 127, bytes
            b"\xfd\x07abcd",  # 127, four bytes
            b"\xf9\x07abcdefgh",  # 127, eight bytes
            b"\xf8\xff\xff\xff\x0f\x01",  # the highest field number
        ]
    ),
    min_size=1,
    max_size=3,
).map(b"".join)


@given(strategies.any_version(), UNKNOWN_FIELDS, st.booleans())
def test_unknown_fields_are_passed_over(
    case: tuple[int, m.Message], unknown: bytes, before: bool
) -> None:
    """A newer peer's extra fields change nothing, wherever they stand."""
    version, message = case
    payload = encode_payload(message, version)
    extended = unknown + payload if before else payload + unknown
    assert decode(type_of(message), extended, version) == message


@given(st.sampled_from(TYPES) | st.integers(0, 0xFFFF), st.binary(max_size=60), st.integers(5, 7))
@settings(max_examples=600)
@example(0x0402, b"\x0a", 7)  # a key and no length
@example(0x0402, b"\x0a\x05ab", 7)  # a length and too little after it
@example(0x0402, b"\x80" * 12, 7)  # a key that never ends
@example(0x0402, b"\x58" + b"\xff" * 10 + b"\x01", 7)  # a number of eleven bytes
@example(0x0402, b"\x03", 7)  # field number 0
@example(0x0402, b"\x80\x00", 7)  # the same, written longer
@example(0x0402, b"\x0b\x0c", 7)  # a group
@example(0x0402, b"\x09abc", 7)  # eight bytes, of which three came
@example(0x0001, b"\x22\x02\x0a\x80", 7)  # a packed number cut
def test_any_bytes_end_in_a_message_or_a_protocol_error(
    code: int, payload: bytes, version: int
) -> None:
    """Hostile bytes never raise anything but ProtocolError."""
    assert is_decided(code, payload, version)


@given(strategies.any_version(), st.data())
@settings(max_examples=300)
def test_a_message_with_a_changed_byte_ends_in_a_message_or_a_protocol_error(
    case: tuple[int, m.Message], data: st.DataObject
) -> None:
    """Nearly right bytes, too, never raise anything but ProtocolError."""
    version, message = case
    payload = bytearray(encode_payload(message, version) or b"\x00")
    payload[data.draw(st.integers(0, len(payload) - 1))] = data.draw(st.integers(0, 255))
    assert is_decided(type_of(message), bytes(payload), version)


@pytest.mark.parametrize("code", [0x0008, 0x01FF, 0x0200, 0x040F, 0x0415, 0x7FFF, 0xFC00, 0xFFFF])
def test_unknown_types_are_refused(code: int) -> None:
    """Neither unassigned commands nor custom entries nor V8's ephemeral reads are understood."""
    with pytest.raises(ProtocolError, match=f"unknown message type 0x{code:04x}"):
        decode(code, b"")


@pytest.mark.parametrize("code", [0x8000, 0x8042, 0xFBFE])
def test_unknown_notifications_are_notifications(code: int) -> None:
    """All notifications share one layout, so those of the future can be handed on."""
    assert decode(code, b"\x08\x07\x22\x00") == m.Notification(code, 7, m.VOID)


@pytest.mark.parametrize(
    ("code", "payload", "complaint"),
    [
        (0x0001, b"", "a suspension without awaiting_on"),
        (0x0001, b"\x22\x00", "a future that awaits nothing"),
        (0x0001, b"\x22\x02\x28\x63", "a future that awaits nothing"),
        (0x0001, b"\x22\x05\x0a\x01\x01\x22\x00", "a future that awaits nothing"),
        (0x0006, b"", "an AwaitingOn without awaiting_on"),
        (0x0006, b"\x0a\x00", "a future that awaits nothing"),
        (0x0005, b"\x08\x01", "neither value nor failure"),
        (0x0401, b"", "neither value nor failure"),
        (0x0403, b"\x0a\x01k", "a state write without value"),
        (0x0407, b"\x0a\x01k", "neither value nor void"),
        (0x040B, b"", "neither value nor failure"),
        (0x0410, b"\x22\x00", "a signal without index or name"),
        (0x0410, b"\x10\x01", "neither value nor failure"),
        (0x0412, b"\x58\x01", "no target to attach to"),
        (0x0414, b"", "neither value nor failure"),
        (0x800C, b"\x22\x00", "a notification without id"),
        (0x800C, b"\x08\x01", "a notification without result"),
        (0xFBFF, b"\x08\x01\x22\x00", "a notification without id"),
        (0x0404, b"\x62\x01\xff", "a string is not UTF-8"),
        (0x0404, b"\x0c", "wire type 4"),
        (0x0404, b"\x02\x00", "field number 0"),
        (0x0404, b"\x82\x00\x00", "field number 0"),
        (0x0404, b"\xfa\xff\xff\xff\x7f\x00", "field number"),
        (0x0404, b"\x0a\x05abc", "it ends within a field"),
        (0x0404, b"\x0a", "it ends within a field"),
        (0x0404, b"\x58\x80\x80", "it ends within a number"),
        (0x0404, b"\x58" + b"\x80" * 11, "a number longer than 10 bytes"),
    ],
)
def test_malformed_messages_say_what_is_wrong(code: int, payload: bytes, complaint: str) -> None:
    """What the protocol requires must be there, and the error names what is missing."""
    with pytest.raises(ProtocolError, match=complaint) as raised:
        decode(code, payload)
    assert raised.value.code == 571
    assert raised.value.restate_code == "RT0012"


@pytest.mark.parametrize(
    ("code", "payload", "message"),
    [
        (0x0400, b"", m.Input()),
        (0x0006, b"\x0a\x02\x08\x01", m.AwaitingOn(m.Future((1,)))),
        (0x0408, b"", m.GetEagerStateKeys()),
        (0x0003, b"\x08\x01", m.End()),
        (0x0002, b"\x48\x07", m.Error(0)),
        (0x0001, b"\x22\x04\x08\x01\x28\x63", m.Suspension(m.Future((1,)))),
        (0x0001, b"\x22\x04\x08\x01\x08\x02", m.Suspension(m.Future((1, 2)))),
        (0x0001, b"\x22\x05\x0a\x03\x01\xac\x02", m.Suspension(m.Future((1, 300)))),
        (0x0001, b"\x22\x06\x0a\x04\x00\x00\x80\x01", m.Suspension(m.Future((0, 0, 128)))),
        (0x0401, b"\x72\x03\x0a\x01a\x72\x03\x0a\x01b", m.Output(m.Value(b"b"))),
        (0x0401, b"\x72\x05\x1a\x00\x0a\x01a", m.Output(m.Value(b"a"))),
        (0x0411, b"\x58\x81\x80\x80\x80\x10", m.Run(1)),
        (0x0411, b"\x5d\x01\x02\x03\x04", m.Run(0)),
        (0x0400, b"\x0a\x00", m.Input((m.Header("", ""),))),
        (0x0400, b"\x0a\x06\x12\x01v\x0a\x01k", m.Input((m.Header("k", "v"),))),
        (0x0400, b"\x0a\x05\x0a\x01k\x12\x00", m.Input((m.Header("k", ""),))),
    ],
)
def test_readers_are_generous_where_protobuf_is(code: int, payload: bytes, message: Any) -> None:
    """Missing defaults, unpacked lists, repeated scalars, odd orders and wide numbers are read."""
    assert decode(code, payload) == message


def test_a_long_key_that_looks_like_a_short_one() -> None:
    """The short way through a header is not taken by a length whose first byte happens to fit."""
    message = m.Input((m.Header("k" * 129 + "\x12", "v" * 17),))
    assert decode(0x0400, encode_payload(message)) == message


def test_an_overlong_length_that_looks_like_a_short_one() -> None:
    """Nor is the short way through a value."""
    value = b"\x0a\x80\x00" + b"\xfa\x07\x7c" + bytes(124)
    assert decode(0x0401, b"\x72\x82\x01" + value) == m.Output(m.Value(b""))


@pytest.mark.parametrize("code", [0x1_0000, 0xFFFF_FFFF])
def test_codes_above_16_bits_read_as_500(code: int) -> None:
    """Restate keeps codes in 16 bits and takes any other for an internal error."""
    assert decode(0x0002, encode_payload(m.Error(code))) == m.Error(500)
    failed = m.Output(m.Failure(code, "x"))
    assert decode(0x0401, encode_payload(failed)) == m.Output(m.Failure(500, "x"))
