"""What can go wrong between a client and a server, as one tree.

ClientError                 root; says what happened, what was expected, what to do next
├── Unreachable             nothing answers, or what answers is not Restate
│   └── Incompatible        a server that speaks another version of the admin API
├── TimedOut                it answers, but not in time
├── Unauthorized            401, 403: wrong or missing token
├── Rejected                400, 415, 422: the request makes no sense to the server
├── NotFound                404
├── Conflict                409, 410, 412, 425: not in this state
├── NotReady                470: the invocation has no result yet
├── InvocationFailed        the handler's own, durable failure
├── TooLarge                the answer is bigger than the client will hold
└── ServerFailed            5xx and everything else
"""

# ruff: noqa: N818 - each name reads as the fact it reports

from __future__ import annotations

from rtour.errors import RtourError


class ClientError(RtourError):
    """A request failed."""

    def __init__(
        self,
        message: str,
        *,
        expected: str = "",
        hint: str = "",
        code: str | None = None,
        status: int | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.expected = expected
        self.hint = hint
        self.restate_code = code
        self.status = status

    def __str__(self) -> str:
        return self.message


class Unreachable(ClientError):
    """Nothing answers at the address, or what answers is no Restate server."""


class Incompatible(Unreachable):
    """The server speaks no version of the admin API that this client speaks."""


class TimedOut(ClientError):
    """The server did not answer in time."""


class Unauthorized(ClientError):
    """The server refused the token, or wants one."""


class Rejected(ClientError):
    """The server does not understand or allow the request."""


class NotFound(ClientError):
    """There is no such thing."""


class Conflict(ClientError):
    """The thing is there, but not in a state that allows this."""


class NotReady(ClientError):
    """The invocation exists and has no result yet."""


class TooLarge(ClientError):
    """The answer exceeds what the client is willing to hold in memory."""


class ServerFailed(ClientError):
    """The server failed to do its part."""


class InvocationFailed(ClientError):
    """The invocation ended in a failure; asking again gives the same answer."""

    def __init__(
        self, reason: str, *, status: int, invocation_id: str | None, metadata: dict[str, str]
    ) -> None:
        hint = f"rtour invocations describe {invocation_id}" if invocation_id else ""
        super().__init__(f"[{status}] {reason}", status=status, hint=hint)
        self.reason = reason
        self.invocation_id = invocation_id
        self.metadata = metadata


_BY_STATUS: dict[int, type[ClientError]] = {
    400: Rejected,
    401: Unauthorized,
    403: Unauthorized,
    404: NotFound,
    409: Conflict,
    410: Conflict,
    412: Conflict,
    413: Rejected,
    415: Rejected,
    422: Rejected,
    425: Conflict,
    470: NotReady,
    501: Rejected,
}


def by_status(status: int) -> type[ClientError]:
    """The class of failure that an HTTP status stands for."""
    return _BY_STATUS.get(status, ServerFailed)
