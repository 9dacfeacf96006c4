"""The inputs of the engine. Each is idempotent or fenced (architecture.md, law 4).

`request_id` is where the `Respond` action goes; 0 means that nobody waits.
"""

from __future__ import annotations

from rtour.engine.model import (
    AttemptError,
    CallerSink,
    DocumentKind,
    Place,
    Sink,
    Source,
    StatePatch,
    Struct,
    Target,
    Timer,
    Trace,
)
from rtour.protocol.messages import (
    Command as CommandEntry,
)
from rtour.protocol.messages import (
    Failure,
    Future,
    Header,
    InvocationId,
    Value,
    Void,
)


class Invoke(Struct):
    """Start `target` under `id`, now or at `start_at`; a known id gets no second invocation.

    A call sets `sink`, a send sets `accept_request_id` (answered when stored). `fresh` says that
    the id was made up for this command, so that nothing stored needs to be looked for. `trace` is
    kept; `cause`, a span of another trace that led here, is only passed by. `place` is that of a
    record: what is not beyond the subscription's last one there was invoked already.
    """

    id: str
    target: Target
    source: Source
    headers: tuple[Header, ...] = ()
    body: bytes = b""
    start_at: int | None = None
    completion_retention_ms: int = 0
    journal_retention_ms: int = 0
    idempotency_key: str | None = None
    sink: Sink | None = None
    accept_request_id: int = 0
    trace: Trace | None = None
    fresh: bool = False
    cause: Trace | None = None
    place: Place | None = None


class Begin(Struct):
    """The object's lock now belongs to this inboxed invocation: run it."""

    id: str


class FireTimer(Struct):
    """A stored timer is due."""

    timer: Timer


class Callee(Struct):
    """What a call or send resolved to, by the registry, when its entry arrived.

    `trace` is where it goes on if not in the caller's trace, `cause` the span that sent it.
    """

    id: str
    target: Target
    completion_retention_ms: int
    journal_retention_ms: int
    fresh: bool = False
    trace: Trace | None = None
    cause: Trace | None = None


# Reports of attempts say which life of their id they are about, by the invocation's number: ids of
# idempotent calls and workflows return, and a killed attempt may still be talking.
ANY_LIFE = 0


class StoreEntry(Struct):
    """Attempt `attempt` sent its next command entry.

    `command_index` counts commands, Input is 0; a repeated one is dropped. `callee` goes with Call
    and OneWayCall, `resolved_id` with AttachInvocation and GetInvocationOutput. The deployment and
    protocol version are pinned with the first entry. Instants in the entry are of the server's
    clock.
    """

    id: str
    attempt: int
    command_index: int
    entry: CommandEntry
    type: int
    raw: bytes
    deployment_id: str
    protocol_version: int
    callee: Callee | None = None
    resolved_id: str | None = None
    ack: bool = False
    number: int = ANY_LIFE


class ProposeRun(Struct):
    """Attempt `attempt` proposes the result of a side effect."""

    id: str
    attempt: int
    completion_id: int
    result: Value | Failure
    deployment_id: str
    protocol_version: int
    number: int = ANY_LIFE


class AttemptSuspended(Struct):
    """The attempt waits for `awaiting`; it had been given the first `delivered` entries.

    Only later notifications wake it: it said that it cannot go on with the earlier ones. 0 means
    that its input was still open, then all count.
    """

    id: str
    attempt: int
    awaiting: Future
    delivered: int
    number: int = ANY_LIFE


class AttemptFailed(Struct):
    """The attempt failed and is tried again after `delay_ms`.

    `repeated`: the attempt before failed in the same way, so the error makes no event again.
    """

    id: str
    attempt: int
    error: AttemptError
    delay_ms: int
    repeated: bool = False
    number: int = ANY_LIFE


class AttemptExhausted(Struct):
    """The attempt failed and is not tried again: paused, or ended with the error."""

    id: str
    attempt: int
    error: AttemptError
    pause: bool
    repeated: bool = False
    number: int = ANY_LIFE


class AttemptPaused(Struct):
    """A pause was asked for while no attempt was open: it takes effect now."""

    id: str
    attempt: int
    number: int = ANY_LIFE


class AttemptEnded(Struct):
    """The attempt sent End: the last Output of the journal is the result.

    `entries` came right before it, and are stored on the way: of those that only change state, or
    read what was sent along, and Outputs. Their effects may read nothing that one of them wrote.
    """

    id: str
    attempt: int
    number: int = ANY_LIFE
    entries: tuple[StoreEntry, ...] = ()


AttemptReport = (
    StoreEntry
    | ProposeRun
    | AttemptSuspended
    | AttemptFailed
    | AttemptExhausted
    | AttemptPaused
    | AttemptEnded
)


class Complete(Struct):
    """A completion for the journal that `sink` names."""

    sink: CallerSink
    result: Value | Failure | Void | InvocationId


class Signal(Struct):
    """A signal for an invocation; an index (1 is cancel, from 17 awakeables) or a name."""

    id: str
    signal: int | str
    result: Void | Value | Failure
    request_id: int = 0


class Attach(Struct):
    """Wait for the end of an invocation, or take the stored result."""

    id: str
    sink: Sink


class Detach(Struct):
    """Who waited with this request has gone: nobody needs the answer any more."""

    id: str
    request_id: int


class Tell(Struct):
    """Tell the next of those who wait for the invocation with this number, which has ended.

    Nothing is done if all are told: it may come more often than needed.
    """

    id: str
    number: int


class GetOutput(Struct):
    """Take the result of an invocation if it has ended."""

    id: str
    sink: Sink


class Cancel(Struct):
    """Ask an invocation to stop: its SDK sees it at the next await."""

    id: str
    request_id: int = 0


class Kill(Struct):
    """End an invocation and all it called, without running any of its code."""

    id: str
    request_id: int = 0


class Pause(Struct):
    """Stop trying when the current attempt ends; the lock stays."""

    id: str
    request_id: int = 0


class Resume(Struct):
    """Try a paused, suspended or backing-off invocation now, maybe on another deployment."""

    id: str
    deployment_id: str | None = None
    request_id: int = 0


class Purge(Struct):
    """Forget a completed invocation."""

    id: str
    request_id: int = 0


class PurgeJournal(Struct):
    """Forget the journal of a completed invocation; keep its result."""

    id: str
    request_id: int = 0


class Expire(Struct):
    """Forget what is past its retention: the journal, or all of a completed invocation."""

    id: str


class RestartAsNew(Struct):
    """Run a completed invocation again as `new_id`, keeping entries up to `from_index`.

    It runs on `deployment_id`, or on the deployment of the old one if that is None.
    """

    id: str
    new_id: str
    from_index: int = 0
    deployment_id: str | None = None
    request_id: int = 0


class PatchState(Struct):
    """Replace all state of one object, after what holds or awaits its lock."""

    service: str
    key: str
    patch: StatePatch
    request_id: int = 0


class Document(Struct):
    """A stored JSON document; `json` None deletes it."""

    kind: DocumentKind
    id: str
    json: bytes | None


class StoreDocuments(Struct):
    """Put or delete documents (deployments, services, …), all or none.

    They are stored as they are: twice does no harm, an older one after a newer one would.
    """

    documents: tuple[Document, ...]
    request_id: int = 0


Command = (
    Invoke
    | Begin
    | FireTimer
    | StoreEntry
    | ProposeRun
    | AttemptSuspended
    | AttemptFailed
    | AttemptExhausted
    | AttemptPaused
    | AttemptEnded
    | Complete
    | Signal
    | Attach
    | Detach
    | Tell
    | GetOutput
    | Cancel
    | Kill
    | Pause
    | Resume
    | Purge
    | PurgeJournal
    | Expire
    | RestartAsNew
    | PatchState
    | StoreDocuments
)


class Record(Struct):
    """A command with its place in the log: all the engine may know of the world."""

    sequence: int
    at: int
    command: Command
