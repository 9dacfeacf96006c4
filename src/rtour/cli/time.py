"""`rtour time`: a development server's clock."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from rtour.cli.diagnostics import Misuse
from rtour.cli.output import Block, Fields, Heading, Look, Record, document, record_of
from rtour.cli.session import Session, session_of
from rtour.cli.tree import Group, verb
from rtour.cli.wording import TimeFormat, duration, instant, plural

if TYPE_CHECKING:
    from rtour.client import Client
    from rtour.client.time import Clock

HELP = """Shows and drives the clock that sleeps, delayed sends, retries and retention go by.

For servers started by `rtour up` or with --dev-clock. The clock never goes back, and how it stands
is kept across restarts. Alone it shows the clock, as `rtour time show` does.
"""
EXAMPLES = "rtour time\nrtour time skip 15m\nrtour time skip --to-next\nrtour time auto"

app = typer.Typer(
    cls=Group,
    help=HELP,
    epilog=EXAMPLES,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


@app.callback(invoke_without_command=True)
def time(ctx: typer.Context) -> None:
    """The noun alone."""
    if ctx.invoked_subcommand is None:
        _show(session_of(ctx))


@verb(app, "show", "rtour time show\nrtour time show -o json | jq -r .next.in_ms")
def show(ctx: typer.Context) -> None:
    """Shows the server's time, how far it is off, and what is waited for next."""
    _show(session_of(ctx))


@verb(
    app,
    "skip",
    "rtour time skip 15m\nrtour time skip --to-next\nrtour time skip --to 2027-01-01T00:00:00Z",
)
def skip(
    ctx: typer.Context,
    duration: Annotated[
        str | None, typer.Argument(metavar="[DURATION]", help="Such as 15m, 3d, 1h 30m, PT1H.")
    ] = None,
    to_next: Annotated[
        bool, typer.Option("--to-next", help="To what is waited for next, whenever it is.")
    ] = False,
    to: Annotated[
        str | None, typer.Option("--to", metavar="INSTANT", help="In ISO 8601; UTC without zone.")
    ] = None,
) -> None:
    """Moves the clock on, as if the machine had slept: what is due by then happens at once."""
    if (duration is not None) + to_next + (to is not None) != 1:
        raise Misuse("how far?", expected="a duration like 15m, or --to-next, or --to INSTANT")
    if duration is not None:
        _change(session_of(ctx), lambda client: client.time.skip(str(duration)))
    elif to_next:
        _change(session_of(ctx), lambda client: client.time.skip_to_next())
    else:
        _change(session_of(ctx), lambda client: client.time.skip_to(str(to)))


@verb(app, "freeze", "rtour time freeze")
def freeze(ctx: typer.Context) -> None:
    """Stops the clock: no sleep ends and nothing is retried until it is skipped or resumed."""
    _change(session_of(ctx), lambda client: client.time.freeze())


@verb(app, "resume", "rtour time resume")
def resume(ctx: typer.Context) -> None:
    """Lets the clock go on by itself from what it shows, after a freeze or `auto`."""
    _change(session_of(ctx), lambda client: client.time.resume())


@verb(app, "auto", "rtour time auto\nrtour time resume")
def auto(ctx: typer.Context) -> None:
    """Lets the clock leap to what is waited for next whenever no attempt runs.

    Sleeps of any length then take no time; so do timeouts of what comes from outside, such as an
    awakeable. An invocation that goes on failing is retried about once a second. `rtour time
    resume` ends it.
    """
    _change(session_of(ctx), lambda client: client.time.auto())


def _show(session: Session) -> None:
    clock = session.run(lambda client: client.time.show())
    record = _record(clock)
    session.emit(document(session.look, record, lambda: _blocks(session.look, clock)))


def _change(session: Session, change: Callable[[Client], Awaitable[Clock]]) -> None:
    clock = session.run(change)
    record = _record(clock) | {
        "moved_ms": clock.moved_ms,
        "timers": clock.timers,
        "retries": clock.retries,
    }
    session.emit(document(session.look, record, lambda: _blocks(session.look, clock)))


def _record(clock: Clock) -> Record:
    names = ("mode", "now", "offset_ms", "next")
    return {name: value for name, value in record_of(clock).items() if name in names}


def _blocks(look: Look, clock: Clock) -> list[Block]:
    from rtour.client.time import described  # noqa: PLC0415 - loads httpx

    how = look.time_format if look.time_format is not TimeFormat.HUMAN else TimeFormat.ISO8601
    stands = "the machine's: start with --dev-clock to drive it"
    rows = [
        ("Shows", instant(clock.now, how, clock.now)),
        ("Stands", stands if clock.mode == "off" else described(clock)),
    ]
    if clock.moved_ms or clock.timers or clock.retries:
        due = f"{plural(clock.timers, 'timer')} and {_retries(clock.retries)} became due"
        rows.append(("Skipped", f"{duration(timedelta(milliseconds=clock.moved_ms))}; {due}"))
    if clock.next is not None:
        left = duration(timedelta(milliseconds=clock.next.in_ms))
        rows.append(("Next", f"{clock.next.what} of {clock.next.invocation_id} in {left}"))
    elif clock.mode != "off":
        rows.append(("Next", "nothing: no sleep, no delayed start, no retry"))
    return [Heading("Clock"), Fields(tuple(rows))]


def _retries(count: int) -> str:
    return "1 retry" if count == 1 else f"{count} retries"
