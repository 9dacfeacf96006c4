"""When the next attempt is made: whatever a service or a manifest asks for, it is a time."""

from __future__ import annotations

from random import Random

import pytest

from rtour.engine.model import LATEST
from rtour.server.attempt_errors import from_head
from rtour.server.retries import JITTER, RetryPolicy
from rtour.server.transport import ResponseHead

NOW_MS = 1_700_000_000_000


@pytest.mark.parametrize("factor", [-2.0, 0.0, 1.0, 1e300])
@pytest.mark.parametrize("longest", [None, 0, 2**63 - 1])
@pytest.mark.parametrize("attempts", [1, 2, 3, 10_000])
def test_a_delay_is_a_time(factor: float, longest: int | None, attempts: int) -> None:
    """Floats that overflow, fall below zero or grow beyond all dates are no way out of it."""
    policy = RetryPolicy(2**62, factor, longest)
    assert 0 <= policy.delay_ms(attempts, Random(1)) <= LATEST * (1 + JITTER)


@pytest.mark.parametrize(
    ("value", "delay_ms"),
    [
        ("7", 7000),
        ("9" * 5000, LATEST),
        ("Fri, 31 Dec 9999 23:59:59 -2359", 253402387139000 - NOW_MS),
        ("Mon, 01 Jan 0001 00:00:00 -0000", 0),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0),
        ("soon", None),
        ("", None),
    ],
)
def test_retry_after_of_any_kind(value: str, delay_ms: int | None) -> None:
    """Seconds and dates are understood, the rest is as good as absent."""
    head = ResponseHead(503, {"retry-after": value})
    assert from_head(head, NOW_MS).retry_after_ms == delay_ms
