"""What the outside is told after a commit. Every action can be lost: state says it again."""

from __future__ import annotations

import enum

from rtour.engine.model import Entry, Invocation, Struct, Timer
from rtour.protocol.messages import Failure, Value


class StartAttempt(Struct):
    """Run the invocation (its `attempt` is the number), now or after `delay_ms`.

    The attempt reads the first `invocation.journal_length` entries; later ones come as `Notify`.
    `retry` keeps the retry budget of the activation running; otherwise it starts anew.
    """

    invocation: Invocation
    delay_ms: int = 0
    retry: bool = False


class AbortAttempt(Struct):
    """Whatever runs or waits to run for this invocation stops at once."""

    id: str


class RetryNow(Struct):
    """If the invocation waits for its next attempt, make it now."""

    id: str


class PauseAttempt(Struct):
    """Close the input of the running attempt, so that it ends soon."""

    id: str
    attempt: int


class Notify(Struct):
    """A notification entry for the running attempt."""

    id: str
    attempt: int
    entry: Entry


class AckEntry(Struct):
    """The command entry is durable, which the SDK asked to be told."""

    id: str
    attempt: int
    command_index: int


class SetTimer(Struct):
    timer: Timer


class TellRest(Struct):
    """More wait for the result of an ended invocation than one commit takes: propose `Tell`."""

    id: str
    number: int


# --- answers to requests -------------------------------------------------------------------------


class Accepted(Struct, tag=True):
    """A send is stored, or was before."""

    id: str
    previously: bool
    execution_time: int | None = None


class Finished(Struct, tag=True):
    """The result of an invocation; `expires_at` is set when it was read from storage."""

    id: str
    result: Value | Failure
    expires_at: int | None = None


class NotReady(Struct, tag=True):
    """The invocation exists and has not ended."""

    id: str


class NotFound(Struct, tag=True):
    """No such invocation."""

    id: str


class Verdict(enum.Enum):
    """How a control operation went; the admin API has a status for each (http-api.md B6)."""

    DONE = enum.auto()
    ACCEPTED = enum.auto()
    NOT_FOUND = enum.auto()
    CONFLICT = enum.auto()
    TOO_EARLY = enum.auto()
    GONE = enum.auto()
    UNPROCESSABLE = enum.auto()
    INVALID = enum.auto()


class Outcome(Struct, tag=True):
    """The answer to a control operation, with a sentence for people when it was refused."""

    verdict: Verdict
    message: str = ""
    id: str | None = None


Response = Accepted | Finished | NotReady | NotFound | Outcome


class Respond(Struct):
    request_id: int
    response: Response


Action = (
    StartAttempt
    | AbortAttempt
    | RetryNow
    | PauseAttempt
    | Notify
    | AckEntry
    | SetTimer
    | TellRest
    | Respond
)
