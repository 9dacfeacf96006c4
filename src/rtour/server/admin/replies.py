"""Answers of the admin API as bytes."""

from __future__ import annotations

import msgspec

from rtour.server.admin.bodies import AdminError
from rtour.server.admin.models import ErrorDescription
from rtour.server.web import JSON, Headers, Reply

_ENCODER = msgspec.json.Encoder()


def reply(status: int, body: object) -> Reply:
    return Reply(status, [JSON], _ENCODER.encode(body))


def ok(body: object) -> Reply:
    return reply(200, body)


def refusal(error: AdminError) -> Reply:
    return reply(
        error.status, ErrorDescription(message=error.message, restate_code=error.restate_code)
    )


def refused(status: int, message: str, headers: Headers) -> Reply:
    """What the guard of the port answers in the place of the API."""
    answer = reply(status, ErrorDescription(message=message, restate_code=None))
    answer.headers += headers
    return answer
