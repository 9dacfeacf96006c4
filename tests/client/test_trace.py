"""A trace from stored rows: who is below whom, from when to when, and how it went."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from rtour.client.journal import JournalEntry, JournalEvent, Outcome
from rtour.client.model import Invocation
from rtour.client.story import Story
from rtour.client.trace import Span, ends, spans_of

START = datetime(2026, 1, 1, tzinfo=UTC)


def at(ms: int | None) -> datetime | None:
    return None if ms is None else START + timedelta(milliseconds=ms)


def invocation(id_: str, created: int, running: int | None, end: int | None, **more: Any) -> Any:
    name = f"Svc/{id_}"
    return Invocation(
        id=id_,
        target=name,
        target_service_name="Svc",
        target_handler_name=id_,
        target_service_ty="service",
        created_at=at(created),  # type: ignore[arg-type]
        running_at=at(running),
        completed_at=at(end),
        **{"status": "running" if end is None else "completed", **more},
    )


def entry(index: int, kind: str, begun: int, done: int | None = None, **more: Any) -> JournalEntry:
    """A command; `done` is when its result came, and -1 that it has not."""
    awaited: dict[str, Any] = {} if done is None else {"completion_id": index}
    if done is not None and done >= 0:
        awaited |= {"completed_by": index + 50, "completed_at": at(done), "outcome": Outcome()}
    return JournalEntry(index=index, kind=kind, appended_at=at(begun), **(awaited | more))


def story(of: Any, *journal: JournalEntry, events: Any = (), children: Any = ()) -> Story:
    return Story(invocation=of, journal=[*journal], events=[*events], children=[*children])


def told(spans: list[Span]) -> list[tuple[str, int, int | None, str]]:
    """Indented names with start and end in ms, and the status."""
    rows = []
    for span in spans:
        start = round((span.start_at - START).total_seconds() * 1000)
        end = None if span.end_at is None else start + _ms(span.took(START))
        rows.append(("  " * span.depth + span.name, start, end, span.status))
    return rows


def _ms(delta: timedelta) -> int:
    return round(delta.total_seconds() * 1000)


def test_a_callee_is_below_its_call_and_a_send_is_not() -> None:
    """What was sent has a trace of its own, unless it is asked for."""
    called = story(invocation("callee", 22, 23, 48), entry(0, "Input", 22))
    sent = story(invocation("sent", 60, 61, 80))
    whole = story(
        invocation("root", 0, 2, 90),
        entry(0, "Input", 0),
        entry(1, "Run", 5, 15, name="charge"),
        entry(2, "Call", 20, 50, target="Svc/callee", invocation_id="callee"),
        entry(3, "OneWayCall", 60, target="Svc/sent", invocation_id="sent"),
        entry(4, "SetState", 70, name="n"),
        entry(5, "Output", 89),
        children=[sent, called],
    )
    assert told(spans_of(whole, sends=False)) == [
        ("Svc/root", 0, 90, "ok"),
        ("  Run charge", 5, 15, "ok"),
        ("  Call Svc/callee", 20, 50, "ok"),
        ("    Svc/callee", 22, 48, "ok"),
        ("  OneWayCall Svc/sent", 60, 60, "ok"),
        ("  SetState n", 70, 70, "ok"),
    ]
    spans = spans_of(whole, sends=True)
    assert told(spans)[5] == ("    Svc/sent", 60, 80, "ok")
    assert [span.parent for span in spans] == [None, 0, 0, 2, 0, 4, 0]


def test_what_lasts_has_no_end_yet() -> None:
    """An open sleep goes on with its invocation; one left open by an ended one ended with it."""
    asleep = entry(1, "Sleep", 10, -1)
    spans = spans_of(story(invocation("a", 0, 1, None, status="suspended"), asleep), sends=False)
    assert told(spans) == [("Svc/a", 0, None, "waiting"), ("  Sleep", 10, None, "waiting")]
    assert spans[0].message == "suspended"
    now = START + timedelta(seconds=2)
    assert _ms(spans[1].took(now)) == 1990
    assert ends(spans, now) == (START, now)
    spans = spans_of(story(invocation("a", 0, 1, 40), asleep), sends=False)
    assert told(spans)[1] == ("  Sleep", 10, 40, "ok")


def test_failures_stand_where_they_happened() -> None:
    """Failed attempts are points between the commands, a failed command ends in its failure."""
    failure = Outcome(failure_code=402, failure_message="no money\nsecond line")
    run = entry(1, "Run", 10, 30, name="pay", outcome=failure)
    event = JournalEvent(after_index=1, kind="TransientError", at=at(20), message="oops", code=500)
    failed = invocation("a", 0, 1, 40, completion_result="failure", completion_failure="[402] no")
    spans = spans_of(story(failed, run, events=[event]), sends=False)
    assert told(spans) == [
        ("Svc/a", 0, 40, "failed"),
        ("  Run pay", 10, 30, "failed"),
        ("  attempt failed", 20, 20, "failed"),
    ]
    assert [span.message for span in spans] == ["[402] no", "[402] no money …", "[500] oops"]


def test_waiting_for_the_first_attempt_is_told() -> None:
    """In line for a key or scheduled for later; the server's own few milliseconds are not."""
    assert len(spans_of(story(invocation("a", 0, 9, 40)), sends=False)) == 1
    queued = spans_of(story(invocation("a", 0, 10, 40)), sends=False)
    assert told(queued)[1] == ("  (in line)", 0, 10, "ok")
    later = invocation("a", 0, None, None, status="scheduled", scheduled_start_at=at(99))
    assert told(spans_of(story(later), sends=False))[1] == ("  (delayed)", 0, None, "waiting")
    line = invocation("a", 0, None, None, status="pending")
    assert told(spans_of(story(line), sends=False))[1] == ("  (in line)", 0, None, "waiting")
