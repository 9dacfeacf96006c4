"""Which failed requests to send again, and when."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from rtour.sdk.ingress.requests import HttpError, Question

_TRANSIENT: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
_SOURCE: Final = "x-restate-error-source"


class Retries(msgspec.Struct, frozen=True):
    """Exponential back-off with jitter.

    A request that has not reached the server is always sent again; one that may have, only if it
    is repeatable: with an idempotency key, to a workflow's main handler, or one that only asks.
    """

    attempts: int = 4
    initial_s: float = 0.1
    max_s: float = 5.0

    def delay_s(self, failures: int, retry_after: str | None = None) -> float:
        """How long to wait after so many failures."""
        if retry_after is not None and retry_after.isdigit():
            return float(retry_after)
        pause = min(self.max_s, self.initial_s * float(2 ** (failures - 1)))
        return pause * random.uniform(0.5, 1)  # noqa: S311 - spreads clients, guards nothing


def read(question: Question[Any], status: int, headers: Mapping[str, str], body: bytes) -> Any:
    """The answer's meaning; HttpError when it is an error."""
    if status < 400:
        return question.decode(status, body)
    text = body.decode(errors="replace")
    raise HttpError(
        status, _message(body) or text, text, durable=headers.get(_SOURCE) == "invocation"
    )


def _message(body: bytes) -> str:
    try:
        answer = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return ""
    return str(answer.get("message", "")) if isinstance(answer, dict) else ""


def may_repeat(question: Question[Any], error: HttpError) -> bool:
    """Whether the same request may have a better answer."""
    return question.repeatable and not error.durable and error.status_code in _TRANSIENT


def wait_s(
    retries: Retries, question: Question[Any], error: Exception, failures: int
) -> float | None:
    """How long to wait before the same request; None when it must not be sent again."""
    import httpx  # noqa: PLC0415 - whoever has a client has imported it

    if failures >= retries.attempts:
        return None
    if isinstance(error, HttpError):
        return retries.delay_s(failures) if may_repeat(question, error) else None
    unsent = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
    if unsent or (question.repeatable and isinstance(error, httpx.TransportError)):
        return retries.delay_s(failures)
    return None
