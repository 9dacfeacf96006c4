"""Is a history linearizable? Wing and Gong's search, remembering what it has tried.

An operation takes effect at one moment between its call and its return. One whose return never
came may take effect at any later moment, or never.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence

import msgspec

State = Hashable
Model = Callable[[State, "Operation"], State | None]


class Operation(msgspec.Struct, frozen=True):
    """What a client did to one object. `returned` is infinite when no answer came."""

    kind: str
    argument: Hashable
    result: Hashable
    called: float
    returned: float = math.inf

    @property
    def pending(self) -> bool:
        return self.returned == math.inf


def linearizable(history: Sequence[Operation], model: Model, initial: State) -> bool:
    """Whether some order of effects explains every result.

    `model(state, operation)` is the state after it, None if its result cannot be.
    """
    operations = sorted(history, key=lambda operation: operation.called)
    everything = sum(1 << index for index, op in enumerate(operations) if not op.pending)
    tried: set[tuple[int, State]] = set()
    stack: list[tuple[int, State]] = [(0, initial)]
    while stack:
        done, state = stack.pop()
        if done & everything == everything:
            return True
        if (done, state) in tried:
            continue
        tried.add((done, state))
        for index in _candidates(operations, done):
            after = model(state, operations[index])
            if after is not None:
                stack.append((done | 1 << index, after))
    return False


def _candidates(operations: Sequence[Operation], done: int) -> list[int]:
    """Those that may be next: called before the earliest return of all that is left."""
    left = [index for index in range(len(operations)) if not done >> index & 1]
    first_return = min(operations[index].returned for index in left)
    return [index for index in left if operations[index].called <= first_return]


# --- models --------------------------------------------------------------------------------------


def counter(state: State, operation: Operation) -> State | None:
    """`add` answers the new value, `get` the value. State: the value."""
    assert isinstance(state, int)
    if operation.kind == "add":
        return state + 1 if operation.pending or operation.result == state + 1 else None
    return state if operation.pending or operation.result == state else None


def register(state: State, operation: Operation) -> State | None:
    """`write` answers nothing, `swap` (old, new) whether it did, `read` the value.

    State: the value in a tuple of one, for None is a value too.
    """
    assert isinstance(state, tuple)
    match operation.kind:
        case "write":
            return (operation.argument,)
        case "swap":
            assert isinstance(operation.argument, tuple)
            old, new = operation.argument
            swaps = state == (old,)
            if not operation.pending and operation.result != swaps:
                return None
            return (new,) if swaps else state
        case _:
            return state if operation.pending or (operation.result,) == state else None
