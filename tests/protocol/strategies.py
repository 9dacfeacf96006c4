"""Any message of any protocol version, for property tests.

`messages(version)` makes only what that version can say, so that encoding and decoding it must
give it back unchanged.
"""

from __future__ import annotations

from functools import cache

from hypothesis import strategies as st

from rtour.protocol import messages as m

EDGES = st.sampled_from([0, 1, 127, 128, 16383, 16384, 2**32 - 1])
"""Around these a number takes one byte more."""
U32 = EDGES | st.integers(0, 2**32 - 1)
U64 = EDGES | st.integers(0, 2**64 - 1)
CODES = st.integers(0, 2**16 - 1)
TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
LONG = st.integers(100, 300).map(lambda size: b"x" * size)
"""Around the border where a length takes a second byte."""
BLOB = st.binary(max_size=12) | LONG
MAYBE_TEXT = st.none() | TEXT
COMPLETION_TYPES = st.sampled_from([t for t in m.MessageType if 0x8000 <= t < m.MessageType.SIGNAL])


def tuples(of: st.SearchStrategy, size: int = 3) -> st.SearchStrategy:
    return st.lists(of, max_size=size).map(tuple)


HEADERS = tuples(st.builds(m.Header, TEXT, TEXT))
VALUES = st.builds(m.Value, BLOB)


def awaits_something(future: m.Future) -> bool:
    """Whether anybody may send this node of a future."""
    return bool(future.completions or future.signals or future.named_signals or future.nested)


FLAT_FUTURES = st.builds(
    m.Future,
    tuples(U32),
    tuples(U32),
    tuples(TEXT),
    st.just(()),
    st.just(m.Combinator.FIRST_COMPLETED),
).filter(awaits_something)
FUTURES = st.recursive(
    st.builds(
        m.Future,
        tuples(U32),
        tuples(U32),
        tuples(TEXT),
        st.just(()),
        st.sampled_from(m.Combinator),
    ).filter(awaits_something),
    lambda children: st.builds(
        m.Future,
        tuples(U32),
        tuples(U32),
        tuples(TEXT),
        tuples(children),
        st.sampled_from(m.Combinator),
    ).filter(awaits_something),
    max_leaves=6,
)


@cache  # building a strategy costs more than drawing from it
def failures(version: int) -> st.SearchStrategy:
    metadata = tuples(st.tuples(TEXT, TEXT)) if version >= 6 else st.just(())
    return st.builds(m.Failure, CODES, TEXT, metadata)


@cache
def controls(version: int) -> st.SearchStrategy:
    since_v7 = MAYBE_TEXT if version >= 7 else st.none()
    return st.one_of(
        st.builds(
            m.Start,
            id=BLOB,
            debug_id=TEXT,
            known_entries=U32,
            state_map=tuples(st.builds(m.StateEntry, BLOB, BLOB)),
            partial_state=st.booleans(),
            key=TEXT,
            retry_count_since_last_stored_entry=U32,
            duration_since_last_stored_entry_ms=U64,
            random_seed=U64 if version >= 6 else st.just(0),
            scope=since_v7,
            limit_key=since_v7,
            idempotency_key=since_v7,
        ),
        st.builds(m.Suspension, FUTURES if version >= 7 else FLAT_FUTURES.map(without_doubles)),
        st.builds(
            m.Error,
            CODES,
            TEXT,
            TEXT,
            st.none() | U32,
            MAYBE_TEXT,
            st.none() | U32,
            st.none() | U64,
            st.sampled_from(m.ErrorBehavior) if version >= 7 else st.just(m.ErrorBehavior.RETRY),
        ),
        st.just(m.End()),
        st.builds(m.CommandAck, U32),
        st.builds(m.ProposeRunCompletion, U32, VALUES | failures(version)),
        st.builds(m.AwaitingOn, FUTURES, st.booleans()),
        st.builds(m.ProposeRunCompletionAck, U32),
    )


def without_doubles(future: m.Future) -> m.Future:
    """Flat lists name each awaited thing once."""
    return m.Future(
        tuple(dict.fromkeys(future.completions)),
        tuple(dict.fromkeys(future.signals)),
        tuple(dict.fromkeys(future.named_signals)),
        combinator=future.combinator,
    )


@cache
def commands(version: int) -> st.SearchStrategy:
    outcome = VALUES | failures(version)
    since_v7 = MAYBE_TEXT if version >= 7 else st.none()
    scoped = {"scope": since_v7, "limit_key": since_v7, "idempotency_key": MAYBE_TEXT}
    targets = st.one_of(
        st.builds(m.InvocationId, TEXT),
        st.builds(m.WorkflowTarget, TEXT, TEXT, since_v7),
        st.builds(m.IdempotentRequestTarget, TEXT, TEXT, TEXT, MAYBE_TEXT, since_v7),
    )
    call = {
        "service_name": TEXT,
        "handler_name": TEXT,
        "parameter": BLOB,
        "invocation_id_notification_idx": U32,
        "headers": HEADERS,
        "key": TEXT,
        "name": TEXT,
        **scoped,
    }
    return st.one_of(
        st.builds(m.Input, HEADERS, BLOB, TEXT),
        st.builds(m.Output, outcome, TEXT),
        st.builds(m.GetLazyState, BLOB, U32, TEXT),
        st.builds(m.SetState, BLOB, BLOB, TEXT),
        st.builds(m.ClearState, BLOB, TEXT),
        st.builds(m.ClearAllState, TEXT),
        st.builds(m.GetLazyStateKeys, U32, TEXT),
        st.builds(m.GetEagerState, BLOB, st.just(m.VOID) | VALUES, TEXT),
        st.builds(m.GetEagerStateKeys, tuples(BLOB), TEXT),
        st.builds(m.GetPromise, TEXT, U32, TEXT),
        st.builds(m.PeekPromise, TEXT, U32, TEXT),
        st.builds(m.CompletePromise, TEXT, outcome, U32, TEXT),
        st.builds(m.Sleep, U64, U32, TEXT),
        st.builds(m.Call, result_completion_id=U32, **call),
        st.builds(m.OneWayCall, invoke_time=U64, **call),
        st.builds(m.SendSignal, TEXT, U32 | TEXT, st.just(m.VOID) | outcome, TEXT),
        st.builds(m.Run, U32, TEXT),
        st.builds(m.AttachInvocation, targets, U32, TEXT),
        st.builds(m.GetInvocationOutput, targets, U32, TEXT),
        st.builds(m.CompleteAwakeable, TEXT, outcome, TEXT),
    )


@cache
def notifications(version: int) -> st.SearchStrategy:
    outcome = st.just(m.VOID) | VALUES | failures(version)
    result = outcome | st.builds(m.InvocationId, TEXT) | st.builds(m.StateKeys, tuples(BLOB))
    return st.one_of(
        st.builds(m.Notification, COMPLETION_TYPES.map(int), U32, result),
        st.builds(m.Notification, st.just(int(m.MessageType.SIGNAL)), U32 | TEXT, outcome),
    )


@cache
def messages(version: int) -> st.SearchStrategy:
    return controls(version) | commands(version) | notifications(version)


def any_version() -> st.SearchStrategy:
    """(version, message) pairs."""
    return st.one_of([st.tuples(st.just(version), messages(version)) for version in (5, 6, 7)])
