"""What must hold before a command entry is stored, and what it resolves to (protocol §5.4).

A refused entry fails the attempt: it is not stored and the SDK is not told. Here the engine's
command gets what only the registry knows: the callee of a call, the invocation an id stands for.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any, Protocol

import xxhash  # noqa: F401 - `ids` loads it late; a server without file descriptors then cannot

from rtour import ids
from rtour.clock import Clock
from rtour.engine.commands import Callee
from rtour.engine.model import Invocation, ServiceType, Target
from rtour.errors import InvalidId, RtourError
from rtour.protocol import messages as m

SERVICE_BUCKETS = 512


class Refused(RtourError):  # noqa: N818 - reads as the fact it reports
    """An entry that may not be stored; `restate_code` says which rule it broke."""

    def __init__(self, restate_code: str, message: str) -> None:
        super().__init__(message)
        self.restate_code = restate_code


class Resolver(Protocol):
    """Finds the target of a call among the registered services."""

    def callee(
        self, service: str, handler: str, key: str | None, idempotency_key: str | None
    ) -> tuple[Target, int, int] | None:
        """The target with its completion and journal retention in ms; None if unknown."""


class Resolved:
    """What goes with an entry into its StoreEntry command."""

    __slots__ = ("callee", "id")

    def __init__(self, callee: Callee | None = None, id_: str | None = None) -> None:
        self.callee = callee
        self.id = id_


NOTHING = Resolved()


class Preconditions:
    """Checks and resolves entries. `random` and `clock` make the ids of callees."""

    def __init__(self, resolver: Resolver, random: Random, clock: Clock) -> None:
        self._resolver = resolver
        self._random = random
        self._clock = clock

    def check(self, invocation: Invocation, entry: m.Command) -> Resolved:
        """Resolve an entry, or raise `Refused`."""
        rule = _RULES.get(type(entry))
        return NOTHING if rule is None else rule(self, invocation, entry)

    # --- calls -----------------------------------------------------------------------------------

    def _call(self, _invocation: Invocation, entry: m.Call | m.OneWayCall) -> Resolved:
        if entry.scope is not None or entry.limit_key is not None:
            raise Refused("RT0024", "scopes and limit keys need flow control, which is off")
        if entry.idempotency_key == "":
            raise Refused("RT0017", "the idempotency key of a call must not be empty")
        service, handler = entry.service_name, entry.handler_name
        found = self._resolver.callee(service, handler, entry.key, entry.idempotency_key)
        if found is None:
            raise Refused(
                "RT0018",
                f"'{service}/{handler}' is not registered: register the deployment that "
                "serves it, the call is then made by the next attempt",
            )
        target, completion_ms, journal_ms = found
        if target.key is None and entry.key:
            raise Refused("RT0017", f"'{service}' takes no key, got '{entry.key}'")
        id_ = invocation_id(target, entry.idempotency_key, self._random, self._clock.now_ms())
        fresh = is_fresh(target, entry.idempotency_key)
        return Resolved(Callee(id_, target, completion_ms, journal_ms, fresh))

    # --- state and promises ----------------------------------------------------------------------

    def _read_state(self, invocation: Invocation, _entry: m.Command) -> Resolved:
        if invocation.target.key is None:
            raise Refused("RT0017", f"'{invocation.target.service}' has no state: it has no key")
        return NOTHING

    def _write_state(self, invocation: Invocation, entry: m.Command) -> Resolved:
        self._read_state(invocation, entry)
        if not invocation.target.may_write_state:
            raise Refused("RT0017", f"the shared handler '{invocation.target}' may not write state")
        return NOTHING

    def _promise(self, invocation: Invocation, _entry: m.Command) -> Resolved:
        if invocation.target.service_type is not ServiceType.WORKFLOW:
            raise Refused("RT0017", f"'{invocation.target.service}' is no workflow: no promises")
        return NOTHING

    # --- other invocations -----------------------------------------------------------------------

    def _attach(
        self, _invocation: Invocation, entry: m.AttachInvocation | m.GetInvocationOutput
    ) -> Resolved:
        match entry.target:
            case m.InvocationId(id_):
                _parse(ids.parse_invocation_id, id_, "RT0017")
                return Resolved(id_=id_)
            case m.WorkflowTarget(name, key):
                return Resolved(id_=workflow_id(name, key))
            case m.IdempotentRequestTarget(service, handler, idempotency_key, key):
                return Resolved(id_=idempotent_id(service, key, handler, idempotency_key))

    def _signal(self, _invocation: Invocation, entry: m.SendSignal) -> Resolved:
        _parse(ids.parse_invocation_id, entry.target_invocation_id, "RT0012")
        return NOTHING

    def _awakeable(self, _invocation: Invocation, entry: m.CompleteAwakeable) -> Resolved:
        _parse(ids.parse_awakeable_id, entry.awakeable_id, "RT0012")
        return NOTHING

    def _input(self, _invocation: Invocation, _entry: m.Input) -> Resolved:
        raise Refused("RT0012", "the service sent an Input entry, which only the server makes")


def _parse(parse: Callable[[str], object], text: str, code: str) -> None:
    try:
        parse(text)
    except InvalidId as error:
        raise Refused(code, f"bad id '{text}': {error}") from error


# Eager reads are checked too: a plain service has no state to have read.
_RULES: dict[type, Callable[[Preconditions, Invocation, Any], Resolved]] = {
    m.Input: Preconditions._input,  # noqa: SLF001 - the class's own table
    m.Call: Preconditions._call,  # noqa: SLF001
    m.OneWayCall: Preconditions._call,  # noqa: SLF001
    m.GetLazyState: Preconditions._read_state,  # noqa: SLF001
    m.GetLazyStateKeys: Preconditions._read_state,  # noqa: SLF001
    m.GetEagerState: Preconditions._read_state,  # noqa: SLF001
    m.GetEagerStateKeys: Preconditions._read_state,  # noqa: SLF001
    m.SetState: Preconditions._write_state,  # noqa: SLF001
    m.ClearState: Preconditions._write_state,  # noqa: SLF001
    m.ClearAllState: Preconditions._write_state,  # noqa: SLF001
    m.GetPromise: Preconditions._promise,  # noqa: SLF001
    m.PeekPromise: Preconditions._promise,  # noqa: SLF001
    m.CompletePromise: Preconditions._promise,  # noqa: SLF001
    m.AttachInvocation: Preconditions._attach,  # noqa: SLF001
    m.GetInvocationOutput: Preconditions._attach,  # noqa: SLF001
    m.SendSignal: Preconditions._signal,  # noqa: SLF001
    m.CompleteAwakeable: Preconditions._awakeable,  # noqa: SLF001
}


# --- ids of invocations --------------------------------------------------------------------------


def invocation_id(target: Target, idempotency_key: str | None, random: Random, at: int) -> str:
    """The id for an invocation of `target`: derived from its key where one makes it unique."""
    if target.is_workflow_run:
        assert target.key is not None
        return workflow_id(target.service, target.key)
    if idempotency_key is not None:
        return idempotent_id(target.service, target.key, target.handler, idempotency_key)
    partition = (
        ids.service_partition(target.service, random.randrange(SERVICE_BUCKETS))
        if target.key is None
        else ids.key_partition(target.key)
    )
    return ids.make_invocation_id(partition, ids.ulid(at, random.randbytes(10)))


def is_fresh(target: Target, idempotency_key: str | None) -> bool:
    """Whether `invocation_id` makes an id that nothing else can have."""
    return idempotency_key is None and not target.is_workflow_run


def workflow_id(service: str, key: str) -> str:
    """The id of a workflow key's one run."""
    return ids.make_invocation_id(ids.key_partition(key), ids.workflow_uuid(service, key))


def idempotent_id(service: str, key: str | None, handler: str, idempotency_key: str) -> str:
    """The id that all requests with this idempotency key share."""
    partition = (
        ids.service_partition(service, ids.idempotent_bucket(idempotency_key))
        if key is None
        else ids.key_partition(key)
    )
    uuid = ids.idempotent_uuid(service, key, handler, idempotency_key)
    return ids.make_invocation_id(partition, uuid)
