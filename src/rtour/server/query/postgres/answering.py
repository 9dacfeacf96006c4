"""Rows in PostgreSQL's messages."""

from __future__ import annotations

from collections.abc import Iterable

from rtour.server.query import failures, frames
from rtour.server.query.running import Runner


def pieces(runner: Runner, question: frames.Question) -> Iterable[bytes]:
    """DataRow messages. Raises QueryFailed."""
    del runner, question
    raise failures.unsupported("PostgreSQL's protocol")
