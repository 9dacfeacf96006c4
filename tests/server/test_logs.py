"""The log tells the story of an invocation, for people and for machines."""

from __future__ import annotations

import json
import logging
import re

import pytest

from rtour.engine.commands import Invoke, Kill
from rtour.engine.model import FromIngress
from rtour.protocol import messages as m
from rtour.protocol.messages import End, Error, Future, Header, Output, Value
from rtour.redaction import Redactor
from rtour.server.attempt import LOGGED_MAX
from rtour.server.logs import HumanFormatter, JsonFormatter
from tests.server.rig import Rig, counter, greeter
from tests.virtual_time import VirtualClock, run


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


def test_every_step_of_an_invocation_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """Attempts, commands with their values, completions, failures, suspensions and ends."""
    caplog.set_level(logging.DEBUG, "rtour")

    async def main(clock: VirtualClock) -> None:
        rig = Rig(clock)
        _, answer = rig.invoke(counter())
        first = await rig.attempt()
        first.say(m.SetState(b"n", b"1"), m.Sleep(0, 1, name="nap"))
        for _ in range(3):
            await first.hear()
        first.say(Error(500, "oops"))
        second = await rig.attempt()
        second.say(m.Sleep(clock.now_ms() + 5, 2))
        await rig.settled()
        second.say(m.Suspension(Future(completions=(2,))))
        third = await rig.attempt()
        third.say(Output(Value(b"2")), End())
        await answer

    run(main)
    steps = [re.sub(r"next in [\d.]+ s| until=\d+", "…", step) for step in told(caplog)]
    assert steps == [
        "Attempt 1 on http://service",
        'Command 1: SetState key="n" value="1"',
        "Command 2: Sleep… completion=1 name=nap",
        "Notification: SleepCompletion 1 = void",
        "Attempt 1 failed, …: [RT0007] oops",
        "Attempt 2 on http://service",
        "Command 3: Sleep… completion=2",
        "Suspended",
        "Attempt 1 on http://service",
        'Command 4: Output "2"',
        "Ended",
    ]
    assert all(hasattr(record, "invocation") for record in caplog.records)


def test_large_values_are_told_by_their_beginning(caplog: pytest.LogCaptureFixture) -> None:
    """A megabyte of state does not fill the log; a kill is told as one."""
    caplog.set_level(logging.DEBUG, "rtour")

    async def main(clock: VirtualClock) -> None:
        rig = Rig(clock)
        id_, _ = rig.invoke(greeter())
        attempt = await rig.attempt()
        attempt.say(Output(Value(b"x" * 1_000_000)))
        await rig.settled()
        await rig.ask(lambda number: Kill(id_, number))
        await rig.settled()

    run(main)
    assert max(map(len, told(caplog))) < LOGGED_MAX + 50
    assert told(caplog)[-1] == "Killed"


def record(message: str) -> logging.LogRecord:
    made = logging.LogRecord("rtour.x", logging.WARNING, "", 0, message, (), None)
    made.created, made.msecs = 0.25, 250.0
    return made


def test_lines_say_which_invocation_they_are_about(caplog: pytest.LogCaptureFixture) -> None:
    """Human lines begin with target and id; JSON lines have them as fields."""
    caplog.set_level(logging.DEBUG, "rtour")

    async def main(clock: VirtualClock) -> None:
        rig = Rig(clock)
        rig.invoke(counter("Ada"))
        await rig.attempt()

    run(main)
    (line,) = caplog.records
    invocation = line.__dict__["invocation"]
    human = HumanFormatter(colour=False).format(line)
    assert f"DEBUG   Counter/Ada/add {invocation.id} Attempt 1 on" in human
    fields = json.loads(JsonFormatter().format(line))
    assert fields["invocation"] == invocation.id
    assert (fields["target"], fields["level"]) == ("Counter/Ada/add", "debug")


def test_json_lines_are_one_line_each() -> None:
    """Whatever a message holds, and with the exception beside it."""
    fields = json.loads(JsonFormatter().format(record("two\nlines ü")))
    assert fields == {
        "time": "1970-01-01T00:00:00.250+00:00",
        "level": "warning",
        "logger": "rtour.x",
        "message": "two\nlines ü",
    }
    assert "\n" not in JsonFormatter().format(record("two\nlines"))


def test_credentials_are_not_logged() -> None:
    """Whatever brings them in: a client's headers in a command, an exception, an address."""
    secret = "hunter2hunter2"
    line = record(f"could not decide Header(name='authorization', value='Bearer {secret}')")
    error = ValueError(f"http://user:{secret}@host and x-mine: {secret}")
    line.exc_info = (ValueError, error, None)
    mask = Redactor(["x-mine"])
    for formatter in (HumanFormatter(colour=False, redact=mask), JsonFormatter(mask)):
        shown = formatter.format(line)
        assert secret not in shown
        assert "could not decide" in shown


def test_a_command_that_breaks_the_engine_does_not_tell_its_headers(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log shows which command it was, without the token of the client that sent it."""
    secret = "hunter2hunter2"

    def explode(*_: object) -> None:
        raise RuntimeError("a bug")

    async def main(clock: VirtualClock) -> None:
        rig = Rig(clock)
        rig.processor._on_defect = lambda *_: None
        monkeypatch.setattr("rtour.server.processor.apply", explode)
        header = Header("authorization", f"Bearer {secret}")
        rig.propose(Invoke("inv_1", greeter(), FromIngress(), headers=(header,)))
        await rig.settled()

    run(main)
    (line,) = caplog.records
    assert secret in line.getMessage()  # or the formatters would have nothing to do
    for formatter in (HumanFormatter(colour=False), JsonFormatter()):
        shown = formatter.format(line)
        assert secret not in shown
        assert "Greeter" in shown
