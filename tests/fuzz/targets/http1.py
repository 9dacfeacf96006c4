"""The ingress and the admin port, over sockets: any bytes where HTTP/1.1 is expected."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from tests.fuzz import doors
from tests.fuzz.site import standing
from tests.fuzz.target import Check, Target

STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")


def seeds() -> list[bytes]:
    """Requests to either port, alone and one behind the other."""
    several = [b"".join(doors.REQUESTS[start:]) for start in range(0, len(doors.REQUESTS), 3)]
    return [bytes([port]) + data for data in (*doors.REQUESTS, *several) for port in (0, 1, 6, 7)]


def judge(said: bytes) -> None:
    assert not said or STATUS.match(said), said[:200]
    doors.assert_no_bug(said)


@contextmanager
def opened() -> Iterator[Check]:
    with standing() as site:
        yield lambda data: doors.check_at(site, data, judge)


TARGET = Target(
    promise="Requests are answered or refused, no bug shows, the next client is served.",
    seeds=seeds,
    opened=opened,
    words=doors.WORDS,
    examples=80,
)
