"""What messages are made of: results, awaited futures, targets, headers, state entries.

The vocabulary's small words (service-protocol.md §4.3); `messages` has the sentences, and hands
these on, so that one import is enough.
"""

from __future__ import annotations

import enum
from typing import dataclass_transform

import msgspec


@dataclass_transform(frozen_default=True, field_specifiers=(msgspec.field,))
class Struct(msgspec.Struct, frozen=True, gc=False):
    """A protocol value: immutable, compared by content."""


# --- results: what a notification, an output or a signal carries --------------------------------


class Void(Struct, tag=True):
    """Done, or absent: a result without content."""


class Value(Struct, tag=True):
    """Success with raw bytes."""

    content: bytes = b""


class Failure(Struct, tag=True):
    """A terminal failure; `metadata` travels from V6 on."""

    code: int
    message: str = ""
    metadata: tuple[tuple[str, str], ...] = ()


class InvocationId(Struct, tag=True):
    """The textual id of a started callee."""

    id: str


class StateKeys(Struct, tag=True):
    """The names of the state entries of an object, sorted."""

    keys: tuple[bytes, ...] = ()


VOID = Void()
Result = Void | Value | Failure | InvocationId | StateKeys


# --- nested ------------------------------------------------------------------------------------


class Header(Struct):
    key: str
    value: str


class Combinator(enum.IntEnum):
    """How the children of a `Future` combine (§5.9)."""

    UNKNOWN = 0
    FIRST_COMPLETED = 1
    ALL_COMPLETED = 2
    FIRST_SUCCEEDED_OR_ALL_FAILED = 3
    ALL_SUCCEEDED_OR_FIRST_FAILED = 4


class Future(Struct):
    """A tree of awaited completions and signals."""

    completions: tuple[int, ...] = ()
    signals: tuple[int, ...] = ()
    named_signals: tuple[str, ...] = ()
    nested: tuple[Future, ...] = ()
    combinator: Combinator = Combinator.UNKNOWN


class WorkflowTarget(Struct, tag=True):
    workflow_name: str
    workflow_key: str
    scope: str | None = None


class IdempotentRequestTarget(Struct, tag=True):
    service_name: str
    handler_name: str
    idempotency_key: str
    service_key: str | None = None
    scope: str | None = None


AttachTarget = InvocationId | IdempotentRequestTarget | WorkflowTarget


class StateEntry(Struct):
    key: bytes
    value: bytes
