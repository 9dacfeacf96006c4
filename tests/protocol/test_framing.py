"""Frames on a stream: the spec's captured bytes, every split, and streams that break."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtour.errors import MessageTooLarge, ProtocolError
from rtour.protocol import messages as m
from rtour.protocol.framing import Decoder, Frame, decode, encode, encode_payload, frame

from . import strategies

ID = bytes(range(1, 25))
ONE = m.Future((1,), (1,), combinator=m.Combinator.FIRST_COMPLETED)
GOLDEN = {
    "start v6": (
        6,
        m.Start(ID, "inv_1dbg", 1, random_seed=42),
        (
            "0000 0000 00000028 0a18 0102030405060708090a0b0c0d0e0f101112131415161718"
            "1208 696e765f31646267 1801 482a"
        ),
    ),
    "input": (6, m.Input((), b'"bob"'), "0400 0000 00000009 7207 0a05 22626f6222"),
    "output": (
        6,
        m.Output(m.Value(b'"Hello bob"')),
        "0401 0000 0000000f 720d 0a0b 2248656c6c6f20626f6222",
    ),
    "end": (6, m.End(), "0003 0000 00000000"),
    "sleep": (
        6,
        m.Sleep(1795490509047, 1, "nap"),
        "040c 0000 0000000e 08f7e1cbdca034 5801 6203 6e6170",
    ),
    "suspension v6": (6, m.Suspension(ONE), "0001 0000 00000006 0a0101 120101"),
    "suspension v7": (7, m.Suspension(ONE), "0001 0000 0000000a 2208 0a0101 120101 2801"),
    "run": (7, m.Run(1, "side"), "0411 0000 00000008 5801 6204 73696465"),
    "run ack": (7, m.ProposeRunCompletionAck(1), "0007 0000 00000002 0801"),
    "awaiting on": (7, m.AwaitingOn(ONE), "0006 0000 0000000a 0a08 0a0101 120101 2801"),
    "run completion": (
        7,
        m.Notification(m.MessageType.RUN_COMPLETION, 1, m.Value(b'"r1"')),
        "8011 0000 0000000a 0801 2a06 0a04 22723122",
    ),
    "call": (
        6,
        m.Call("Other", "h", b"arg", 1, 2, (m.Header("a", "b"),), idempotency_key="ik1"),
        (
            "040d 0000 00000020 0a05 4f74686572 1201 68 1a03 617267 2206 0a0161 120162"
            "3203 696b31 5001 5802"
        ),
    ),
    "send": (
        6,
        m.OneWayCall("Obj", "h2", b"arg2", 3, 1795487651144, key="k1"),
        "040e 0000 0000001c 0a03 4f626a 1202 6832 1a04 61726732 20c8aa9ddba034 3202 6b31 5003",
    ),
    "call invocation id": (
        6,
        m.Notification(m.MessageType.CALL_INVOCATION_ID_COMPLETION, 1, m.InvocationId("inv_c1")),
        "800e 0000 0000000b 0801 820106 696e765f6331",
    ),
    "cancel": (
        6,
        m.Notification(m.MessageType.SIGNAL, m.SignalIndex.CANCEL, m.VOID),
        "fbff 0000 00000004 1001 2200",
    ),
    "cancel a child": (
        6,
        m.SendSignal("inv_c1", m.SignalIndex.CANCEL, m.VOID),
        "0410 0000 0000000c 0a06 696e765f6331 1001 2200",
    ),
    "cancelled": (
        6,
        m.Output(m.Failure(409, "cancelled")),
        "0401 0000 00000010 7a0e 089903 1209 63616e63656c6c6564",
    ),
    "start of the official server": (
        6,
        m.Start(
            bytes.fromhex("ade80fc5ddaa14e70da3b58e338eaa1cd71c1f3e8694ccec"),
            "inv_1jQ2jrgLYm057cPGjNoLgUUtxmIyM6QRwV",
            1,
            partial_state=True,
            random_seed=1135693546615902940,
        ),
        (
            "0000 0000 00000050 0a18 ade80fc5ddaa14e70da3b58e338eaa1cd71c1f3e8694ccec"
            "1226 696e765f316a51326a72674c596d303537635047 6a4e6f4c67555574786d49794d365152 7756"
            "1801 2801 48dca5fa9db7e8b2e10f"
        ),
    ),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_captured_frames(name: str) -> None:
    """The frames captured from Restate's own programs (spec §8) are written and read to the bit."""
    version, message, text = GOLDEN[name]
    wire = bytes.fromhex(text.replace(" ", ""))
    assert encode(message, version) == wire
    assert frames_of([wire]) == [Frame(int.from_bytes(wire[:2], "big"), 0, wire[8:])]
    assert decode(int.from_bytes(wire[:2], "big"), wire[8:], version) == message


def test_the_acknowledgement_flag() -> None:
    """A proposal that asks for its acknowledgement has the flag set, and shows it when read."""
    wire = encode(m.ProposeRunCompletion(1, m.Value(b'"r1"')), 7, ack=True)
    assert wire.hex() == "0005800000000008" + "0801" + "72042272" + "3122"
    (got,) = frames_of([wire])
    assert got.ack_requested
    assert not frames_of([encode(m.End())])[0].ack_requested


def test_reserved_flags_are_ignored_but_kept() -> None:
    """Reserved bits say nothing about acknowledgement and stay visible to the caller."""
    (got,) = frames_of([frame(0x0003, b"", flags=0x7FFF)])
    assert got == Frame(0x0003, 0x7FFF, b"")
    assert not got.ack_requested


def frames_of(chunks: list[bytes]) -> list[Frame]:
    decoder = Decoder()
    found = []
    for chunk in chunks:
        decoder.feed(chunk)
        while (got := decoder.next_frame()) is not None:
            found.append(got)
    assert decoder.pending_bytes == 0
    return found


STREAM = [encode(message, version) for version, message, _ in GOLDEN.values()]


def test_every_split_of_a_stream_gives_the_same_frames() -> None:
    """Wherever a stream of many frames is cut in two, the frames are the same."""
    whole = b"".join(STREAM)
    expected = frames_of(STREAM)
    assert len(expected) == len(GOLDEN)
    for cut in range(len(whole) + 1):
        assert frames_of([whole[:cut], whole[cut:]]) == expected


def test_a_stream_byte_by_byte() -> None:
    """One byte at a time gives the same frames."""
    assert frames_of([bytes([byte]) for byte in b"".join(STREAM)]) == frames_of(STREAM)


@given(st.lists(strategies.messages(7), max_size=5), st.data())
def test_any_stream_in_any_chunks(messages: list[m.Message], data: st.DataObject) -> None:
    """Any messages in any chunks come out as they went in."""
    rest = b"".join(map(encode, messages))
    chunks = []
    while rest:
        size = data.draw(st.integers(1, len(rest)))
        chunks.append(rest[:size])
        rest = rest[size:]
    assert [decode(got.type, got.payload) for got in frames_of(chunks)] == messages


def test_need_of_more_data_is_a_value() -> None:
    """Without a whole frame there is None, and the count of bytes that wait for their rest."""
    decoder = Decoder()
    assert decoder.next_frame() is None
    decoder.feed(encode(m.End())[:5])
    assert decoder.next_frame() is None
    assert decoder.pending_bytes == 5


def test_what_has_begun_tells_its_size() -> None:
    """From its header on, until it is whole; what follows is not known yet."""
    decoder = Decoder()
    whole = frame(0x0401, b"x" * 100)
    for data, awaited in ((whole[:7], 0), (whole[7:8], 108), (whole[8:50], 108)):
        decoder.feed(data)
        assert decoder.next_frame() is None
        assert decoder.awaited == awaited
    decoder.feed(whole[50:])
    assert decoder.next_frame() is not None
    assert decoder.next_frame() is None
    assert decoder.awaited == 0


def test_the_length_limit_is_exact() -> None:
    """A payload of the limit's size passes; one byte more fails as RT0003, from its header."""
    payload = encode_payload(m.SetState(b"k", b"v"))
    decoder = Decoder(max_message_bytes=len(payload))
    decoder.feed(frame(0x0403, payload))
    assert decoder.next_frame() == Frame(0x0403, 0, payload)
    decoder.feed(frame(0x0403, payload + b"!")[:8])
    with pytest.raises(MessageTooLarge, match=r"0x0403 has 9 bytes, but at most 8") as raised:
        decoder.next_frame()
    assert (raised.value.code, raised.value.restate_code) == (571, "RT0003")


def test_a_failed_decoder_stays_failed() -> None:
    """Past a broken frame nothing can be found, so the same error comes again."""
    decoder = Decoder(max_message_bytes=1)
    decoder.feed(frame(0x0403, b"too long"))
    with pytest.raises(ProtocolError) as first:
        decoder.next_frame()
    decoder.feed(encode(m.End()))
    with pytest.raises(ProtocolError) as second:
        decoder.next_frame()
    assert second.value is first.value
    assert decoder.pending_bytes == 0


def test_the_default_limit_is_restates() -> None:
    """32 MiB pass, a header that announces more does not."""
    decoder = Decoder()
    decoder.feed((0x0401).to_bytes(2, "big") + bytes(2) + (32 << 20).to_bytes(4, "big"))
    assert decoder.next_frame() is None
    decoder = Decoder()
    decoder.feed((0x0401).to_bytes(2, "big") + bytes(2) + ((32 << 20) + 1).to_bytes(4, "big"))
    with pytest.raises(MessageTooLarge):
        decoder.next_frame()


@pytest.mark.parametrize(
    "message",
    [
        m.SendSignal("inv_1", 1, m.InvocationId("inv_2")),
        m.Notification(m.MessageType.RUN_COMPLETION, "name", m.VOID),
        m.Sleep(-1, 1),
        m.Sleep(1 << 64, 1),
    ],
    ids=["result", "id", "negative", "65 bits"],
)
def test_what_the_wire_cannot_say_is_a_mistake_of_ours(message: m.Message) -> None:
    """Values no peer could have meant are caught where they are made."""
    with pytest.raises(AssertionError):
        encode(message)
