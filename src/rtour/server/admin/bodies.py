"""Requests of the admin API, taken apart; refusals are worded as the official server words them."""

from __future__ import annotations

import re
from typing import Any, Final, Literal, TypeVar
from urllib.parse import parse_qsl

import msgspec

from rtour.errors import RtourError
from rtour.server.durations import DurationError, parse_duration
from rtour.server.web import Request
from rtour.unreadable import UNREADABLE

_T = TypeVar("_T")
_JSON_TYPE: Final = re.compile(rb"application/([^;]+\+)?json\s*(;.*)?", re.IGNORECASE)


class AdminError(RtourError):
    """A refused request."""

    def __init__(self, status: int, message: str, restate_code: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.restate_code = restate_code


def bad_field(field: str, reason: object) -> AdminError:
    return AdminError(400, f"The request field '{field}' is invalid. Reason: {reason}")


def unprocessable(reason: object) -> AdminError:
    return AdminError(422, f"Failed to deserialize the JSON body into the target type: {reason}")


def read(request: Request, decoder: msgspec.json.Decoder[_T]) -> _T:
    """The JSON body."""
    if not _JSON_TYPE.fullmatch(request.header(b"content-type") or b""):
        raise AdminError(415, "Expected request with `Content-Type: application/json`")
    try:
        return decoder.decode(request.body)
    except msgspec.ValidationError as error:
        raise unprocessable(error) from error
    except UNREADABLE as error:
        raise AdminError(400, f"Failed to parse the request body as JSON: {error}") from error


def query(request: Request) -> dict[str, str]:
    return dict(parse_qsl(request.query, keep_blank_values=True))


def flag(request: Request, name: str) -> bool:
    """A boolean query parameter, false if absent."""
    value = query(request).get(name, "false")
    if value not in {"true", "false"}:
        raise bad_query(f"{name}: provided string was not `true` or `false`")
    return value == "true"


def bad_query(reason: str) -> AdminError:
    return AdminError(400, f"Failed to deserialize query string: {reason}")


class RegisterBody(msgspec.Struct):
    """`POST /deployments`."""

    uri: str | None = None
    arn: str | None = None
    assume_role_arn: str | None = None
    additional_headers: dict[str, str] | None = None
    metadata: dict[str, str] | None = None
    use_http_11: bool = False
    breaking: bool = False
    force: bool | None = None
    dry_run: bool = False


class UpdateBody(msgspec.Struct):
    """`PATCH /deployments/{id}`."""

    uri: str | None = None
    arn: str | None = None
    assume_role_arn: str | None = None
    additional_headers: dict[str, str] | None = None
    use_http_11: bool | None = None
    overwrite: bool = False
    dry_run: bool = False


class ServiceBody(msgspec.Struct):
    """`PATCH /services/{name}`; null leaves a setting as it is."""

    public: bool | None = None
    idempotency_retention: str | None = None
    workflow_completion_retention: str | None = None
    journal_retention: str | None = None
    inactivity_timeout: str | None = None
    abort_timeout: str | None = None


class StateBody(msgspec.Struct):
    """`POST /services/{name}/state`: the whole new state, values as bytes or as text."""

    object_key: str
    new_state: dict[str, list[int] | str]
    version: str | None = None


class QueryBody(msgspec.Struct):
    """`POST /query`."""

    query: str


class BatchBody(msgspec.Struct):
    """`POST /internal/invocations_batch_operations/…`."""

    invocation_ids: list[str]
    deployment: str | None = None


class SubscriptionBody(msgspec.Struct):
    """`POST /subscriptions`."""

    source: str
    sink: str
    options: dict[str, str] | None = None


class ClusterBody(msgspec.Struct):
    """`POST /kafka-clusters`."""

    name: str
    properties: dict[str, str]


class PropertiesBody(msgspec.Struct):
    """`PATCH /kafka-clusters/{name}`."""

    properties: dict[str, str]


class TimeBody(msgspec.Struct):
    """`POST /rtour/time`. A `skip` needs either `by`, a duration, or `to`: an instant, or `next`
    for what is waited for next.
    """

    action: Literal["skip", "freeze", "resume", "auto"]
    by: str | None = None
    to: str | None = None


REGISTER: Final = msgspec.json.Decoder(RegisterBody)
UPDATE: Final = msgspec.json.Decoder(UpdateBody)
SERVICE: Final = msgspec.json.Decoder(ServiceBody)
STATE: Final = msgspec.json.Decoder(StateBody)
QUERY: Final = msgspec.json.Decoder(QueryBody)
BATCH: Final = msgspec.json.Decoder(BatchBody)
SUBSCRIPTION: Final = msgspec.json.Decoder(SubscriptionBody)
CLUSTER: Final = msgspec.json.Decoder(ClusterBody)
PROPERTIES: Final = msgspec.json.Decoder(PropertiesBody)
TIME: Final = msgspec.json.Decoder(TimeBody)
LIST: Final = msgspec.json.Decoder(list[Any])


def duration(body: ServiceBody, field: str) -> int | None:
    """One of the durations of a service, in ms."""
    text: str | None = getattr(body, field)
    if text is None:
        return None
    try:
        return parse_duration(text)
    except DurationError as error:
        raise unprocessable(f"{field}: {error}") from error


def state_entries(body: StateBody) -> dict[bytes, bytes]:
    entries = {}
    for name, value in body.new_state.items():
        if isinstance(value, str):
            entries[name.encode()] = value.encode()
            continue
        for place, number in enumerate(value):
            if not 0 <= number <= 255:
                raise unprocessable(
                    f"new_state.{name}[{place}]: invalid value: integer `{number}`, expected u8"
                )
        entries[name.encode()] = bytes(value)
    return entries
