"""How a handler ends, and what the server is told: the table of sdk-python.md §5."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from typing import Any

import pytest

import rtour
from rtour.protocol import messages as m
from tests.sdk.peer import CANCEL, AttemptFailedError, Peer

pytestmark = pytest.mark.usefixtures("either_loop")

service = rtour.Service("S")
RAISES: dict[str, BaseException] = {}


@service.handler()
async def raises(ctx: rtour.Context, name: str) -> None:
    raise RAISES[name]


def caused(error: Exception, cause: BaseException) -> Exception:
    error.__cause__ = cause
    return error


TERMINAL: dict[str, tuple[BaseException, m.Failure]] = {
    "terminal": (rtour.TerminalError("no"), m.Failure(500, "no")),
    "code and metadata": (
        rtour.TerminalError("no", 418, {"k": "v"}),
        m.Failure(418, "no", (("k", "v"),)),
    ),
    "caused by terminal": (
        caused(ValueError("x"), rtour.TerminalError("no", 404)),
        m.Failure(404, "no"),
    ),
    "group of terminals": (
        ExceptionGroup("g", [rtour.TerminalError("first", 410), rtour.TerminalError("second")]),
        m.Failure(410, "first"),
    ),
    "cancelled": (rtour.CancelledError(), m.Failure(409, "cancelled")),
}


@pytest.mark.parametrize("name", TERMINAL)
async def test_terminal_failures_end_the_invocation(name: str) -> None:
    """They become the invocation's output, with code, message and metadata."""
    RAISES[name], expected = TERMINAL[name]
    peer = Peer(service)
    assert await peer.invoke("S/raises", name) == expected
    assert peer.attempts == 1


RETRYABLE: dict[str, tuple[BaseException, str, int | None]] = {
    "any": (ValueError("x"), "ValueError('x')", None),
    "retryable": (rtour.RetryableError("later"), "later", None),
    "retry after": (
        rtour.RetryableError("later", 503, retry_after=timedelta(seconds=2)),
        "later",
        2000,
    ),
    "caused by retryable": (
        caused(ValueError("x"), rtour.RetryableError("later", retry_after=timedelta(seconds=1))),
        "later",
        1000,
    ),
    "retryable from terminal": (
        caused(rtour.RetryableError("later"), rtour.TerminalError("no")),
        "later",
        None,
    ),
    "mixed group": (
        ExceptionGroup("g", [rtour.TerminalError("no"), ValueError("x")]),
        "ExceptionGroup",
        None,
    ),
    "task cancelled": (asyncio.CancelledError(), "CancelledError()", None),
    "exit": (SystemExit(3), "SystemExit(3)", None),
}


@pytest.mark.parametrize("name", RETRYABLE)
async def test_other_failures_end_the_attempt(name: str) -> None:
    """They are Errors with a stack trace, retried by the server, after the delay asked for."""
    RAISES[name], message, delay = RETRYABLE[name]
    with pytest.raises(AttemptFailedError) as caught:
        await Peer(service).invoke("S/raises", name)
    error = caught.value.error
    assert error.code == 500
    assert message in error.message
    assert error.next_retry_delay_ms == delay
    assert "raise RAISES[name]" in error.stacktrace


async def test_failures_are_logged_with_their_handler(caplog: pytest.LogCaptureFixture) -> None:
    """Whoever runs the service sees which handler failed, and where."""
    RAISES["logged"] = ValueError("boom")
    with caplog.at_level(logging.ERROR), pytest.raises(AttemptFailedError):
        await Peer(service).invoke("S/raises", "logged")
    assert "S/raises failed" in caplog.text
    assert "Traceback" in caplog.text


@service.handler()
async def typed(ctx: rtour.Context, number: complex) -> None:
    """Cannot be called: JSON has no complex numbers."""


@service.handler()
async def picky(ctx: rtour.Context, when: timedelta) -> Any:
    return object()


async def test_input_that_does_not_parse_is_terminal() -> None:
    """Trying again would not help."""
    result = await Peer(service).invoke("S/picky", "no duration")
    assert isinstance(result, m.Failure)
    assert (result.code, result.message[:36]) == (500, "Unable to parse an input argument. I")


async def test_output_that_does_not_serialize_fails_the_attempt() -> None:
    """It says what to return instead."""
    with pytest.raises(AttemptFailedError, match="use a dataclass"):
        await Peer(service).invoke("S/picky", "PT1S")


@service.handler()
def synchronous(ctx: rtour.Context) -> str:
    return "plain"


async def test_a_synchronous_handler_works() -> None:
    """A handler that never waits need not be a coroutine function."""
    assert await Peer(service).invoke("S/synchronous") == "plain"


@service.handler()
async def nothing(ctx: rtour.Context) -> None:
    return None


async def test_none_is_no_bytes() -> None:
    """A handler without result has an empty output."""
    peer = Peer(service)
    assert await peer.invoke("S/nothing") is None
    assert peer.commands() == [m.Output(m.Value(b""))]


# --- runs ----------------------------------------------------------------------------------------

calls: list[str] = []


@service.handler()
async def unawaited(ctx: rtour.Context) -> str:
    async def effect() -> None:
        calls.append("ran")

    ctx.run_typed("effect", effect)
    return "returned"


async def test_runs_start_when_asked_and_finish_before_the_handler() -> None:
    """A run that nobody awaits is executed and stored, not forgotten."""
    calls.clear()
    peer = Peer(service)
    assert await peer.invoke("S/unawaited") == "returned"
    assert calls == ["ran"]


@service.handler()
async def side_by_side(ctx: rtour.Context) -> list[int]:
    started = asyncio.Event()

    async def first() -> int:
        await started.wait()  # for ever, unless the second runs beside it
        return 1

    async def second() -> int:
        started.set()
        return 2

    one, two = ctx.run_typed("first", first), ctx.run_typed("second", second)
    return [await one, await two]


async def test_runs_work_side_by_side() -> None:
    """Awaiting the first does not hold back the second."""
    assert await Peer(service).invoke("S/side_by_side") == [1, 2]


@service.handler()
async def too_late(ctx: rtour.Context) -> None:
    async def effect() -> None:
        calls.append("ran")

    await ctx.run_typed("effect", effect)


async def test_no_run_starts_after_a_cancellation() -> None:
    """A cancellation that is in the journal already wins: nothing runs for a lost cause."""
    calls.clear()
    peer = Peer(service, streaming=False)
    peer.journal_at_start = [m.Run(1, "effect"), CANCEL]
    result = await peer.invoke("S/too_late")
    assert isinstance(result, m.Failure)
    assert (result.code, calls) == (409, [])


@service.handler()
async def flaky(ctx: rtour.Context) -> str:
    async def effect() -> str:
        calls.append("try")
        raise rtour.RetryableError("busy", 503, retry_after=timedelta(seconds=3))

    return await ctx.run_typed("effect", effect)


async def test_retryable_run_says_when(caplog: pytest.LogCaptureFixture) -> None:
    """Its code and delay reach the server; the failure is logged."""
    with pytest.raises(AttemptFailedError) as caught:
        await Peer(service).invoke("S/flaky")
    error = caught.value.error
    assert (error.code, error.message, error.next_retry_delay_ms) == (503, "busy", 3000)
    assert (error.related_command_name, error.related_command_index) == ("effect", 1)
    assert "ctx.run 'effect' failed" in caplog.text


@service.handler()
async def retried(ctx: rtour.Context) -> str:
    def effect() -> None:
        raise ValueError("never")

    options = rtour.RunOptions[None](max_retry_duration=timedelta(0))
    try:
        await ctx.run_typed("effect", effect, options)
    except rtour.TerminalError as error:
        return error.message
    return "?"


async def test_the_older_duration_option_counts() -> None:
    """`max_retry_duration`, which the official `run_typed` ignores, makes the failure final."""
    assert await Peer(service).invoke("S/retried") == "ValueError('never')"


@service.handler()
async def returns_awaitable(ctx: rtour.Context) -> str:
    async def effect() -> str:
        return "awaited"

    return await ctx.run_typed("lambda", lambda: effect())  # noqa: PLW0108 - the point


async def test_a_lambda_may_return_a_coroutine() -> None:
    """What it returns is awaited, not stored as an unserializable object."""
    assert await Peer(service).invoke("S/returns_awaitable") == "awaited"


# --- the end of attempts -------------------------------------------------------------------------


@service.handler()
async def long(ctx: rtour.Context) -> str:
    event = ctx.request().attempt_finished_event
    calls.append(f"set={event.is_set()}")
    ctx_task = asyncio.get_running_loop().create_task(event.wait())
    ctx_task.add_done_callback(lambda _: calls.append("finished"))
    await ctx.sleep(timedelta(hours=1))
    return "slept"


async def test_the_end_of_an_attempt_is_announced() -> None:
    """`attempt_finished_event` is set when an attempt suspends."""
    calls.clear()
    assert await Peer(service, streaming=False).invoke("S/long") == "slept"
    assert calls[:2] == ["set=False", "finished"]


@service.handler()
async def lost(ctx: rtour.Context) -> str:
    try:
        await ctx.sleep(timedelta(hours=1))
    except Exception:  # noqa: BLE001 - what users write
        calls.append("swallowed")
    finally:
        calls.append("cleaned")
    return "?"


async def test_a_lost_connection_unwinds_the_handler() -> None:
    """Its finally blocks run; `except Exception` does not see it; nothing is written."""
    calls.clear()
    peer = Peer(service)
    peer._complete = lambda *_: None  # type: ignore[method-assign] - nothing ever arrives

    async def lose(attempt: Any) -> None:
        await asyncio.sleep(0)
        attempt.on_lost()
        peer._last = m.Error(0)

    peer._drive = lose  # type: ignore[method-assign]
    with pytest.raises(AttemptFailedError):
        await peer.invoke("S/lost")
    while not calls:
        await asyncio.sleep(0)
    assert calls == ["cleaned"]


@service.handler()
async def compensates(ctx: rtour.Context) -> str:
    try:
        await ctx.sleep(timedelta(hours=1))
    except rtour.CancelledError as error:
        undone = await ctx.run_typed("undo", lambda: "undone")
        return f"{undone} {error.status_code} {isinstance(error, rtour.TerminalError)}"
    return "?"


async def test_cancellation_has_a_class_of_its_own() -> None:
    """It is a 409 TerminalError, and work after it proceeds."""
    peer = Peer(service)
    peer.signal(CANCEL)
    peer._random.seed(3)
    sleepless = peer._complete
    peer._complete = lambda kind, *rest: (  # type: ignore[method-assign]
        None if kind is m.MessageType.SLEEP_COMPLETION else sleepless(kind, *rest)
    )
    assert await peer.invoke("S/compensates") == "undone 409 True"
