"""What the official Python SDK writes: recorded bytes, and the SDK itself in this process."""

from __future__ import annotations

import msgspec
import pytest

from rtour.protocol import messages as m
from rtour.protocol.framing import Decoder, Frame, decode, encode_payload

from . import official_sdk

RECORDED = sorted(official_sdk.VECTORS.glob("*.bin"))
TARGET = "inv_1jQ2jrgLYm057cPGjNoLgUUtxmIyM6QRwV"
AWAKEABLE = "sign_1AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYAAAAEQ"
LATER = 1
"""Stands for a point in time that depends on the day of the recording."""


def one(*completions: int) -> m.Future:
    return m.Future(completions, (1,), combinator=m.Combinator.FIRST_COMPLETED)


def inside(combinator: m.Combinator, *awaited: tuple) -> m.Future:
    """How SDKs wait: for the user's tree, or for being cancelled."""
    tree = m.Future(*awaited, combinator=combinator)
    return m.Future((), (1,), (), (tree,), m.Combinator.FIRST_COMPLETED)


STATE = (
    m.GetEagerState(b"a", m.Value(b"1")),
    m.GetEagerState(b"missing", m.VOID),
    m.SetState(b"b", b'{"x": 1}'),
    m.ClearState(b"a"),
    m.GetEagerState(b"b", m.Value(b'{"x": 1}')),
    m.GetEagerStateKeys((b"a", b"b")),
    m.ClearAllState(),
    m.Output(m.Value(b'[1, null, {"x": 1}, ["a", "b"]]')),
    m.End(),
)
SETTLE = (
    m.CompleteAwakeable(AWAKEABLE, m.Value(b'{"x": 1}')),
    m.CompleteAwakeable(AWAKEABLE, m.Failure(409, "no")),
    m.SendSignal(TARGET, "go", m.Value(b'"now"')),
    m.SendSignal(TARGET, "go", m.Failure(409, "no")),
    m.SendSignal(TARGET, m.SignalIndex.CANCEL, m.VOID),
    m.AttachInvocation(m.InvocationId(TARGET), 1),
    m.Suspension(one(1)),
)
STEP = (
    m.Run(1, "side"),
    m.ProposeRunCompletion(1, m.Value(b'"r1"')),
    m.AwaitingOn(one(1)),
    m.Output(m.Value(b'"r1"')),
    m.End(),
)
FAILED_STEP = (
    m.Run(1, "side"),
    m.ProposeRunCompletion(1, m.Failure(409, "step")),
    m.AwaitingOn(one(1)),
    m.Output(m.Failure(409, "step")),
    m.End(),
)
CALL = m.Call(
    "Other", "h", b"arg", 1, 2, (m.Header("a", "b"), m.Header("c", "")), "k", idempotency_key="ik"
)
SENDS = (
    m.OneWayCall("Other", "h", b"arg", 1, LATER, (m.Header("a", "b"),)),
    m.OneWayCall("Other", "h", b"", 2, key="k", idempotency_key="ik"),
    m.Suspension(one(2)),
)
SCOPED = (
    m.OneWayCall("Other", "h", b"", 1, scope="s", limit_key="l"),
    m.Call("Other", "h", b"", 2, 3, scope="s", limit_key="l"),
    m.Suspension(one(3)),
)
EXPECTED_V7: dict[str, tuple[m.Message, ...]] = {
    "greet": (m.Output(m.Value(b'"Hello Ada"')), m.End()),
    "nap": (m.Sleep(LATER, 1, "nap"), m.Suspension(one(1))),
    "refuse": (m.Output(m.Failure(400, "no")), m.End()),
    "mismatch": (
        m.Error(
            570,
            "…",
            related_command_index=1,
            related_command_name="nap",
            related_command_type=m.MessageType.SLEEP,
        ),
    ),
    "call": (CALL, m.Suspension(one(2))),
    "send": SENDS,
    "step": STEP,
    "failed_step": FAILED_STEP,
    "retried_step": (
        m.Run(1, "side"),
        m.Error(
            500,
            "…",
            "…",
            related_command_index=1,
            related_command_name="side",
            related_command_type=m.MessageType.RUN,
            next_retry_delay_ms=20,
        ),
    ),
    "suspended_step": (*STEP[:2], m.Suspension(one(1))),
    "join": (
        m.Sleep(LATER, 1),
        m.Sleep(LATER, 2),
        m.Suspension(inside(m.Combinator.ALL_COMPLETED, (1, 2), (17,), ("go",))),
    ),
    "race": (
        m.Sleep(LATER, 1),
        m.Suspension(inside(m.Combinator.FIRST_COMPLETED, (1,), (17,))),
    ),
    "settle": SETTLE,
    "state": STATE,
    "lazy_state": (m.GetLazyState(b"a", 1), m.Suspension(one(1))),
    "lazy_keys": (m.GetLazyStateKeys(1), m.Suspension(one(1))),
    "peek_promise": (m.PeekPromise("a", 1), m.Suspension(one(1))),
    "resolve_promise": (m.CompletePromise("b", m.Value(b'"done"'), 2), m.Suspension(one(2))),
    "reject_promise": (
        m.CompletePromise("c", m.Failure(400, "no"), 3),
        m.Suspension(one(3)),
    ),
    "await_promise": (m.GetPromise("d", 4), m.Suspension(one(4))),
    "scoped": SCOPED,
}


def expected(name: str, version: int) -> list[m.Message]:
    """Before V7 there are no hints of what is awaited, and suspensions are flat."""
    found = list(EXPECTED_V7[name])
    if version < 7:
        found = [message for message in found if not isinstance(message, m.AwaitingOn)]
        if isinstance(found[-1], m.Suspension):
            flat = decode(m.MessageType.SUSPENSION, encode_payload(found[-1], version), version)
            assert isinstance(flat, m.Suspension)
            found[-1] = flat
    return [_timeless(message) for message in found]


def _timeless(message: m.Message) -> m.Message:
    """Without what differs from day to day; flat lists in one order."""
    replace = msgspec.structs.replace
    if isinstance(message, m.Sleep):
        return replace(message, wake_up_time=LATER)
    if isinstance(message, m.OneWayCall) and message.invoke_time:
        return replace(message, invoke_time=LATER)
    if isinstance(message, m.Error):
        return replace(message, message="…", stacktrace="…" if message.stacktrace else "")
    if isinstance(message, m.Suspension):
        awaited = message.awaiting_on
        ordered = replace(awaited, signals=tuple(sorted(awaited.signals)))
        return replace(message, awaiting_on=ordered)
    return message


def decoded(frames: list[Frame], version: int) -> list[m.Message]:
    return [_timeless(decode(got.type, got.payload, version)) for got in frames]


def test_every_recordable_scenario_is_recorded() -> None:
    """Nothing is missing from the recordings, and nothing is left over."""
    names = {path.name for path in RECORDED}
    assert names == {
        f"{name}.v{version}.bin"
        for name, version in official_sdk.cases()
        if version > 5 and name not in official_sdk.UNRECORDED
    }


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_recordings_read_and_write_alike(path: official_sdk.Path) -> None:
    """Each recorded frame decodes to the expected message, which encodes to the same bytes."""
    name, version = path.stem.split(".v")
    decoder = Decoder()
    decoder.feed(path.read_bytes())
    frames = []
    while (got := decoder.next_frame()) is not None:
        frames.append(got)
        message = decode(got.type, got.payload, int(version))
        assert encode_payload(message, int(version)) == got.payload
    assert decoder.pending_bytes == 0
    assert decoded(frames, int(version)) == expected(name, int(version))
    asks = [got.type for got in frames if got.ack_requested]
    proposals = [got.type for got in frames if got.type == m.MessageType.PROPOSE_RUN_COMPLETION]
    assert asks == (proposals if version == "7" else [])


@pytest.mark.parametrize(("name", "version"), official_sdk.cases())
async def test_the_official_sdk_understands_our_frames(name: str, version: int) -> None:
    """Driven with frames we encode, the installed SDK does what the table says."""
    frames = await official_sdk.invoke(official_sdk.SCENARIOS[name], version)
    assert decoded(frames, version) == expected(name, version)
