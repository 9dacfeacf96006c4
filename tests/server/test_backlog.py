"""What waits outside of memory is found again, in order, for a few bytes each."""

from __future__ import annotations

import sys

import pytest

from rtour.engine.changes import PutInvocation
from rtour.engine.model import FromIngress, Invocation, Status, Target
from rtour.server.activation import UNTRIED, Activation, Tried
from rtour.server.backlog import Backlog, Left, still_waiting
from rtour.storage.failures import RowDamagedError
from rtour.storage.memory import MemoryStorage


def activation(number: int, attempt: int = 1, tried: Tried = UNTRIED) -> Activation:
    return Activation(invocation(number, attempt), tried)


def invocation(number: int, attempt: int = 1, status: Status = Status.INVOKED) -> Invocation:
    return Invocation(
        id=f"inv_{number}",
        number=number,
        target=Target("Greeter", "greet"),
        status=status,
        source=FromIngress(),
        created_at=0,
        modified_at=0,
        attempt=attempt,
    )


def test_first_in_first_out() -> None:
    """Whatever is put and taken in between."""
    backlog, expected = Backlog(), []
    for number in range(1, 10_000):
        tried = Tried(number % 5, 1, 2, number, 4) if number % 5 else UNTRIED
        backlog.put(activation(number, number % 7, tried), number / 4, awaited=number % 3 == 0)
        expected.append(Left(number, number % 7, number % 3 == 0, number / 4, tried))
        if number % 2:
            assert backlog.first() == expected[0]
            assert backlog.take() == expected.pop(0)
    assert len(backlog) == len(expected)
    assert [backlog.take() for _ in range(len(backlog))] == expected
    assert not backlog


def test_large_numbers_come_back_as_they_went() -> None:
    """Sequences of a server that runs for a century."""
    backlog = Backlog()
    tried = Tried(2**31, 2**31, 2**31, 2**63, 2**63)
    backlog.put(activation(2**63, 2**31, tried), 1e9 + 0.125, awaited=True)
    assert backlog.take() == Left(2**63, 2**31, True, 1e9 + 0.125, tried)


def test_a_million_weigh_little() -> None:
    """Some 50 bytes each, and nothing when they have gone."""
    backlog, one = Backlog(), activation(1)
    for _ in range(1_000_000):
        backlog.put(one, 1.0, awaited=False)
    assert sys.getsizeof(backlog._packed) < 60_000_000
    for _ in range(1_000_000):
        backlog.take()
    assert sys.getsizeof(backlog._packed) < 120_000


@pytest.mark.parametrize(
    ("stored", "waits"),
    [
        (invocation(5), True),
        (invocation(5, attempt=2), False),
        (invocation(5, status=Status.PAUSED), False),
        (invocation(6), False),
    ],
    ids=["still invoked", "begun anew by others", "paused", "gone"],
)
async def test_still_waiting(stored: Invocation, *, waits: bool) -> None:
    """Only what is durable, and still is to run as the same attempt."""
    storage = MemoryStorage()
    storage.write([PutInvocation(stored)], sequence=1, at=1)
    left = Left(5, 1, False, 0.0)
    assert still_waiting(storage, left) is None, "not durable yet"
    storage.durable.apply(PutInvocation(stored))
    assert still_waiting(storage, left) == (stored if waits else None)


def test_what_cannot_be_read_does_not_hold_up_others(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: object
) -> None:
    """It is told, and looked at again by the next start."""
    storage = MemoryStorage()

    def damaged(number: int) -> None:
        raise RowDamagedError(tmp_path / "rtour.db", "invocation", (number,))  # type: ignore[operator]

    monkeypatch.setattr(storage, "stored", damaged)
    assert still_waiting(storage, Left(5, 1, False, 0.0)) is None
    assert "cannot be read" in caplog.text
