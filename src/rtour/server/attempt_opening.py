"""What an attempt begins with: the headers of its request, and Start, the state and the journal."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from rtour.engine.model import Entry, Invocation, Trace
from rtour.ids import invocation_id_to_bytes, random_seed
from rtour.protocol.framing import decode, encode, frame
from rtour.protocol.messages import MessageType, Notification, Start, StateEntry
from rtour.server.attempt_errors import failure
from rtour.server.attempt_terms import AttemptWorld, Progress, Route

CONTENT_TYPE = "application/vnd.restate.invocation.v%d"


def request_headers(
    invocation: Invocation, route: Route, world: AttemptWorld, trace: Trace | None, path: str
) -> list[tuple[str, str]]:
    """Of the request for `path`, as a part of `trace`."""
    content_type = CONTENT_TYPE % route.protocol_version
    headers = [
        ("content-type", content_type),
        ("accept", content_type),
        ("x-restate-invocation-id", invocation.id),
    ]
    key = invocation.target.key
    if key is not None:
        headers.append(("x-restate-service-key", quote(key, safe="")))
    if trace is not None:
        headers.append(("traceparent", trace.parent))
        if trace.state:
            headers.append(("tracestate", trace.state))
    headers += route.headers
    headers += world.sign(path, key)
    return headers


def journal(invocation: Invocation, world: AttemptWorld) -> list[Entry]:
    """The entries to be replayed. Raises AttemptFailure when they are gone."""
    entries = world.storage.journal(invocation)
    if len(entries) < invocation.journal_length:
        # Killed since the attempt was ordered, its journal gone: the order to abort is on its
        # way, and whatever is reported of this attempt is too late.
        raise failure("RT0006", "the invocation ended before its attempt began")
    return entries


def first_frames(
    invocation: Invocation,
    route: Route,
    progress: Progress,
    world: AttemptWorld,
    entries: Sequence[Entry],
) -> list[bytes]:
    """Start, with the state, and the journal."""
    start = _start(invocation, route, progress, world)
    frames = [encode(start, route.protocol_version)]
    frames += [frame(entry.type, entry.raw) for entry in entries]
    return frames


def results_of_runs(entries: Sequence[Entry]) -> set[int]:
    """The completions of runs that are in the journal."""
    found = set()
    for entry in entries:
        if entry.type == MessageType.RUN_COMPLETION:
            notification = decode(entry.type, entry.raw)
            assert isinstance(notification, Notification)
            assert isinstance(notification.id, int)
            found.add(notification.id)
    return found


def _start(invocation: Invocation, route: Route, progress: Progress, world: AttemptWorld) -> Start:
    id_ = invocation_id_to_bytes(invocation.id)
    state, partial = _eager_state(invocation, route, world)
    return Start(
        id=id_,
        debug_id=invocation.id,
        known_entries=invocation.journal_length,
        state_map=state,
        partial_state=partial,
        key=invocation.target.key or "",
        retry_count_since_last_stored_entry=progress.failures,
        duration_since_last_stored_entry_ms=progress.since_last_entry_ms,
        random_seed=random_seed(id_),
    )


def _eager_state(
    invocation: Invocation, route: Route, world: AttemptWorld
) -> tuple[tuple[StateEntry, ...], bool]:
    """As much of the object's state as fits, and whether some was left out.

    A handler without the lock reads what is durable: the holder may be writing.
    """
    target = invocation.target
    if target.key is None or not route.eager_state:
        return (), True
    room = world.limits.eager_state_bytes_max
    state = world.storage.object_state(
        target.service, target.key, committed=not target.may_write_state, bytes_max=room
    )
    entries: list[StateEntry] = []
    for name, value in state.items():
        room -= len(name) + len(value)
        if room < 0:
            world.counts.truncated_states += 1
            return tuple(entries), True
        entries.append(StateEntry(name, value))
    return tuple(entries), False
