"""rtour: durable execution in one package.

    import rtour

    greeter = rtour.Service("Greeter")

    @greeter.handler()
    async def greet(ctx: rtour.Context, name: str) -> str:
        return f"Hello {name}"

    app = rtour.app([greeter])

The names are those of the official SDK. Each is imported when it is first used, so that
`import rtour` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from rtour.sdk import futures as _futures
    from rtour.sdk import ingress as _ingress
    from rtour.sdk.codec import JournalValueCodec as JournalValueCodec
    from rtour.sdk.codec import JournalValueCodecProvider as JournalValueCodecProvider
    from rtour.sdk.combinators import all_succeeded as all_succeeded
    from rtour.sdk.combinators import any_succeeded as any_succeeded
    from rtour.sdk.combinators import as_completed as as_completed
    from rtour.sdk.combinators import gather as gather
    from rtour.sdk.combinators import race as race
    from rtour.sdk.combinators import select as select
    from rtour.sdk.combinators import wait_completed as wait_completed
    from rtour.sdk.context import Context as Context
    from rtour.sdk.context import ObjectContext as ObjectContext
    from rtour.sdk.context import ObjectSharedContext as ObjectSharedContext
    from rtour.sdk.context import WorkflowContext as WorkflowContext
    from rtour.sdk.context import WorkflowSharedContext as WorkflowSharedContext
    from rtour.sdk.context_calls import ScopedContext as ScopedContext
    from rtour.sdk.context_signals import DurablePromise as DurablePromise
    from rtour.sdk.endpoint import Endpoint as Endpoint
    from rtour.sdk.endpoint import app as app
    from rtour.sdk.exceptions import CancelledError as CancelledError
    from rtour.sdk.exceptions import DurableTimeoutError as DurableTimeoutError
    from rtour.sdk.exceptions import RetryableError as RetryableError
    from rtour.sdk.exceptions import SdkInternalBaseException as SdkInternalBaseException
    from rtour.sdk.exceptions import TerminalError as TerminalError
    from rtour.sdk.exceptions import is_internal_exception as is_internal_exception
    from rtour.sdk.futures import SendHandle as SendHandle
    from rtour.sdk.ingress import HttpError as HttpError
    from rtour.sdk.ingress import create_client as create_client
    from rtour.sdk.ingress import create_sync_client as create_sync_client
    from rtour.sdk.logs import RestateLoggingFilter as RestateLoggingFilter
    from rtour.sdk.logs import getLogger as getLogger
    from rtour.sdk.options import InvocationRetryPolicy as InvocationRetryPolicy
    from rtour.sdk.runs import RunOptions as RunOptions
    from rtour.sdk.services import Service as Service
    from rtour.sdk.services import VirtualObject as VirtualObject
    from rtour.sdk.services import Workflow as Workflow
    from rtour.sdk.serving import serve as serve
    from rtour.sdk.testing import HarnessEnvironment as HarnessEnvironment
    from rtour.sdk.testing import create_test_harness as create_test_harness

    RestateClient = _ingress.Client
    RestateClientSendHandle = _ingress.SendResult
    RestateDurableCallFuture = _futures.CallFuture
    RestateDurableFuture = _futures.DurableFuture
    RestateDurableSleepFuture = _futures.SleepFuture

_HOMES: Final = {
    "CancelledError": "exceptions",
    "Context": "context",
    "DurablePromise": "context_signals",
    "DurableTimeoutError": "exceptions",
    "Endpoint": "endpoint",
    "HarnessEnvironment": "testing",
    "HttpError": "ingress",
    "InvocationRetryPolicy": "options",
    "JournalValueCodec": "codec",
    "JournalValueCodecProvider": "codec",
    "ObjectContext": "context",
    "ObjectSharedContext": "context",
    "RestateLoggingFilter": "logs",
    "RetryableError": "exceptions",
    "RunOptions": "runs",
    "ScopedContext": "context_calls",
    "SdkInternalBaseException": "exceptions",
    "SendHandle": "futures",
    "Service": "services",
    "TerminalError": "exceptions",
    "VirtualObject": "services",
    "Workflow": "services",
    "WorkflowContext": "context",
    "WorkflowSharedContext": "context",
    "all_succeeded": "combinators",
    "any_succeeded": "combinators",
    "app": "endpoint",
    "as_completed": "combinators",
    "create_client": "ingress",
    "create_sync_client": "ingress",
    "create_test_harness": "testing",
    "gather": "combinators",
    "getLogger": "logs",
    "is_internal_exception": "exceptions",
    "race": "combinators",
    "select": "combinators",
    "serve": "serving",
    "wait_completed": "combinators",
}
_RENAMED: Final = {
    "RestateClient": ("ingress", "Client"),
    "RestateClientSendHandle": ("ingress", "SendResult"),
    "RestateDurableCallFuture": ("futures", "CallFuture"),
    "RestateDurableFuture": ("futures", "DurableFuture"),
    "RestateDurableSleepFuture": ("futures", "SleepFuture"),
}

_SUBMODULES: Final = frozenset(
    {
        "asyncio",
        "client_types",
        "context",
        "context_managers",
        "endpoint",
        "entry_codec",
        "exceptions",
        "extensions",
        "handler",
        "harness",
        "logging",
        "object",
        "retry_policy",
        "serde",
        "server_context",
        "service",
        "workflow",
    }
)
"""The official SDK's module names, reachable as attributes as there."""

__all__ = sorted([*_HOMES, *_RENAMED])  # noqa: PLE0605 - the table is the list


def __getattr__(name: str) -> Any:
    if name in _SUBMODULES:
        return import_module(f"rtour.{name}")
    home, attribute = _RENAMED.get(name) or (_HOMES.get(name), name)
    if home is None:
        raise AttributeError(f"module 'rtour' has no attribute {name!r}")
    value = getattr(import_module(f"rtour.sdk.{home}"), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*globals(), *__all__]
