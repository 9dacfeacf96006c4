"""The log tells the story of an invocation, for people and for machines."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import rtour
from rtour.engine.commands import Invoke, Kill
from rtour.engine.model import FromIngress, Trace
from rtour.protocol import messages as m
from rtour.protocol.messages import End, Error, Future, Header, Output, Value
from rtour.redaction import Redactor
from rtour.server.attempt import LOGGED_MAX
from rtour.server.log_levels import SUBJECTS, BadLevels, Levels, parse
from rtour.server.logs import HumanFormatter, JsonFormatter, configure
from rtour.server.trace_context import invocation_uuid
from tests.server.rig import Rig, counter, greeter
from tests.virtual_time import VirtualClock, run

ID = "inv_1fmRNvSNVxNp61Qgek9wiJ9nRuksEX2IeO"


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
        "Suspended, in attempt 2",
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
    """Human lines begin with target and id and end with the trace; JSON lines have fields."""
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
    assert fields["trace_id"] == invocation_uuid(invocation.id).hex()
    assert human.endswith(f" (trace {fields['trace_id']})")


PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def test_the_trace_of_a_line_is_the_one_that_a_collector_knows() -> None:
    """The caller's, if it has one: before there is an invocation, too."""
    line = record("no")
    line.invocation = Invoke(ID, greeter(), FromIngress(), trace=Trace(PARENT))
    fields = json.loads(JsonFormatter().format(line))
    assert fields["trace_id"] == "4bf92f3577b34da6a3ce929d0e0e4736"
    assert (fields["invocation"], fields["target"]) == (ID, "Greeter/greet")


def test_of_some_only_the_id_is_known() -> None:
    """A command that could not be decided names its invocation."""
    line = record("no")
    line.invocation = Kill(ID, 7)
    assert f"{ID} no" in HumanFormatter(colour=False).format(line)
    fields = json.loads(JsonFormatter().format(line))
    assert fields.keys() == {"time", "level", "logger", "message", "invocation"}


# --- how much ------------------------------------------------------------------------------------


@pytest.fixture
def loggers() -> Iterator[None]:
    """Levels and handlers as they were, afterwards."""
    names = ["", "rtour", "asyncio", "rtour.kafka"]
    before = [(logging.getLogger(name), logging.getLogger(name).level) for name in names]
    handlers = logging.getLogger().handlers[:]
    yield
    logging.getLogger().handlers[:] = handlers
    for logger, level in before:
        logger.setLevel(level)


@pytest.mark.usefixtures("loggers")
def test_subjects_have_levels_of_their_own(capsys: pytest.CaptureFixture[str]) -> None:
    """One is told in full, the rest as by default; of other libraries what is named."""
    configure("warn,rtour.kafka=debug,asyncio=info", "json")
    for name in ("rtour.kafka", "rtour.kafka.librdkafka", "rtour.server", "asyncio", "h2"):
        for level in (logging.DEBUG, logging.INFO, logging.WARNING):
            logging.getLogger(name).log(level, "said")
    told = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [(line["logger"], line["level"]) for line in told] == [
        *[("rtour.kafka", level) for level in ("debug", "info", "warning")],
        *[("rtour.kafka.librdkafka", level) for level in ("debug", "info", "warning")],
        ("rtour.server", "warning"),
        *[("asyncio", level) for level in ("info", "warning")],
        ("h2", "warning"),
    ]


DEBUG, INFO, WARN, OFF = logging.DEBUG, logging.INFO, logging.WARNING, logging.CRITICAL + 1


@pytest.mark.parametrize(
    ("text", "ours", "others"),
    [
        ("info", INFO, {}),
        ("", INFO, {}),
        ("OFF", OFF, {}),
        ("debug,rtour=warn", WARN, {}),
        ("warn,restate=info", INFO, {}),
        ("warn, restate_ingress_http::handler = debug", WARN, {"rtour.ingress": DEBUG}),
        ("rtour.attempt=debug,restate_bifrost=trace", INFO, {"rtour.attempt": DEBUG}),
        ("asyncio=debug,asyncio=off", INFO, {"asyncio": OFF}),
    ],
)
def test_directives(text: str, ours: int, others: dict[str, int]) -> None:
    """Levels and names, ours and the official server's; the later of two wins."""
    assert parse(text) == Levels(ours, others)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("loud", "'loud' names no level: expected trace, debug"),
        ("info,rtour.kafka=", "'rtour.kafka=' names no level"),
        ("info,rtour.kafak=debug", "there is no rtour.kafak; there are rtour.access"),
        ("restate[span{id=1}]=debug", "names nothing that logs"),
        ("=debug", "names nothing that logs"),
    ],
)
def test_directives_that_cannot_be_used(text: str, said: str) -> None:
    """The message says which it is, and what there is."""
    with pytest.raises(BadLevels) as caught:
        parse(text)
    assert said in str(caught.value)


def test_every_subject_has_a_logger() -> None:
    """The server's loggers are those that directives may name, each and no other."""
    found = set()
    for file in (Path(rtour.__file__).parent / "server").rglob("*.py"):
        found |= set(re.findall(r'getLogger\("rtour\.([a-z.]+)"\)', file.read_text()))
        assert "getLogger(__name__)" not in file.read_text(), file
    assert found == SUBJECTS.keys()


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
        rig.propose(Invoke(ID, greeter(), FromIngress(), headers=(header,)))
        await rig.settled()

    run(main)
    (line,) = caplog.records
    assert secret in line.getMessage()  # or the formatters would have nothing to do
    for formatter in (HumanFormatter(colour=False), JsonFormatter()):
        shown = formatter.format(line)
        assert secret not in shown
        assert "Greeter" in shown


def test_the_page_names_every_subject() -> None:
    """docs/logs.md lists what directives may name, and what each tells."""
    page = (Path(__file__).parents[2] / "docs" / "logs.md").read_text()
    told = re.findall(r"^\| `rtour\.([a-z.]+)` \| (.*) \|$", page, re.MULTILINE)
    assert dict(told) == SUBJECTS
