"""Contexts, under the official SDK's module name."""

from rtour.sdk.context import (
    AttemptFinishedEvent,
    Context,
    ObjectContext,
    ObjectSharedContext,
    Request,
    WorkflowContext,
    WorkflowSharedContext,
)
from rtour.sdk.context_calls import ScopedContext
from rtour.sdk.context_signals import DurablePromise
from rtour.sdk.futures import CallFuture as RestateDurableCallFuture
from rtour.sdk.futures import DurableFuture as RestateDurableFuture
from rtour.sdk.futures import SendHandle
from rtour.sdk.futures import SleepFuture as RestateDurableSleepFuture
from rtour.sdk.handlers import HandlerType
from rtour.sdk.runs import RunAction, RunOptions
from rtour.sdk.serde import DefaultSerde, Serde

KeyValueStore = ObjectContext

__all__ = [
    "AttemptFinishedEvent",
    "Context",
    "DefaultSerde",
    "DurablePromise",
    "HandlerType",
    "KeyValueStore",
    "ObjectContext",
    "ObjectSharedContext",
    "Request",
    "RestateDurableCallFuture",
    "RestateDurableFuture",
    "RestateDurableSleepFuture",
    "RunAction",
    "RunOptions",
    "ScopedContext",
    "SendHandle",
    "Serde",
    "WorkflowContext",
    "WorkflowSharedContext",
]
