"""Services and handlers: what decorators accept, and what the manifest says of it."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

import rtour
from rtour.sdk import manifest
from rtour.sdk.handlers import handler_from_callable

MINUTE = timedelta(minutes=1)


def described(service: Any, version: int = 4) -> dict[str, Any]:
    """The service's part of the manifest."""
    built: dict[str, Any] = json.loads(manifest.build([service], version, "bidi"))
    assert (built["protocolMode"], built["minProtocolVersion"]) == ("BIDI_STREAM", 5)
    return dict(built["services"][0])


def test_a_plain_service() -> None:
    """Types and documentation come from the function; what is not set is absent."""
    service = rtour.Service("Greeter", description="Greets", metadata={"team": "a"})

    @service.handler()
    async def greet(ctx: rtour.Context, name: str) -> str:
        """Say hello."""
        return name

    @service.handler("renamed")
    async def nothing(ctx: rtour.Context) -> None: ...

    assert described(service) == {
        "name": "Greeter",
        "ty": "SERVICE",
        "documentation": "Greets",
        "metadata": {"team": "a"},
        "handlers": [
            {
                "name": "greet",
                "documentation": "Say hello.",
                "input": {
                    "required": False,
                    "contentType": "application/json",
                    "jsonSchema": {"type": "string"},
                },
                "output": {
                    "contentType": "application/json",
                    "setContentTypeIfEmpty": False,
                    "jsonSchema": {"type": "string"},
                },
            },
            {"name": "renamed", "input": {}, "output": {"setContentTypeIfEmpty": False}},
        ],
    }


def test_every_option() -> None:
    """Durations are milliseconds, a handler's options stand beside its service's."""
    policy = rtour.InvocationRetryPolicy(
        initial_interval=timedelta(0),
        exponentiation_factor=1.5,
        max_interval=MINUTE,
        max_attempts=3,
        on_max_attempts="kill",
    )
    workflow = rtour.Workflow(
        "W",
        inactivity_timeout=MINUTE,
        abort_timeout=MINUTE,
        journal_retention=MINUTE,
        idempotency_retention=MINUTE,
        state_preload=False,
        ingress_private=True,
        invocation_retry_policy=policy,
    )

    @workflow.main(workflow_retention=MINUTE, state_preload=True)
    async def run(ctx: rtour.WorkflowContext) -> None: ...

    @workflow.handler(enable_lazy_state=True)
    async def look(ctx: rtour.WorkflowSharedContext) -> None: ...

    got = described(workflow)
    main, shared = got.pop("handlers")
    assert got == {
        "name": "W",
        "ty": "WORKFLOW",
        "inactivityTimeout": 60_000,
        "abortTimeout": 60_000,
        "journalRetention": 60_000,
        "idempotencyRetention": 60_000,
        "enableLazyState": True,
        "ingressPrivate": True,
        "retryPolicyInitialInterval": 0,
        "retryPolicyExponentiationFactor": 1.5,
        "retryPolicyMaxInterval": 60_000,
        "retryPolicyMaxAttempts": 3,
        "retryPolicyOnMaxAttempts": "KILL",
    }
    assert (main["ty"], main["workflowCompletionRetention"], main["enableLazyState"]) == (
        "WORKFLOW",
        60_000,
        False,
    )
    assert (shared["ty"], shared["enableLazyState"]) == ("SHARED", True)


def test_options_need_a_manifest_that_knows_them() -> None:
    """An older server gets an explanation, not a manifest that it rejects."""
    object_ = rtour.VirtualObject("O", state_preload=["a"])
    assert described(object_, 5)["eagerStateKeysWhitelist"] == ["a"]
    with pytest.raises(manifest.UnsupportedOptionError, match=r"O sets eagerState.* v5"):
        described(object_, 4)
    with pytest.raises(manifest.UnsupportedOptionError, match="v3"):
        described(rtour.Service("S", ingress_private=True), 2)


def test_bytes_are_binary() -> None:
    """A handler of bytes takes any content type and answers octets."""
    service = rtour.Service("S")

    @service.handler()
    async def raw(ctx: rtour.Context, body: bytes) -> bytes:
        return body

    handler = described(service)["handlers"][0]
    assert handler["input"] == {"required": False, "contentType": "*/*"}
    assert handler["output"]["contentType"] == "application/octet-stream"


def test_handlers_stay_callable() -> None:
    """A decorated handler can be called as the function that it was."""
    service = rtour.Service("S")

    @service.handler()
    def double(ctx: Any, number: int) -> int:
        return number * 2

    assert double(None, 4) == 8
    assert handler_from_callable(double).name == "double"


def no_parameter() -> None: ...


def three_parameters(ctx: Any, a: int, b: int) -> None: ...


def unknown_annotation(ctx: Any, a: Unknown) -> None: ...  # type: ignore[name-defined] # noqa: F821


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (no_parameter, "takes 0 parameters"),
        (three_parameters, "takes 3 parameters"),
        (unknown_annotation, "cannot be resolved"),
    ],
)
def test_signatures_that_cannot_work(function: Any, message: str) -> None:
    """They fail where they are written, not at the first call."""
    with pytest.raises(ValueError, match=message):
        rtour.Service("S").handler()(function)


def test_mistakes_are_told_at_once() -> None:
    """Doubled names, two mains, forgotten parentheses, contradictory options."""
    service, workflow = rtour.Service("S"), rtour.Workflow("W")

    async def handler(ctx: rtour.Context) -> None: ...

    service.handler()(handler)
    with pytest.raises(ValueError, match="two handlers named 'handler'"):
        service.handler()(handler)
    workflow.main()(handler)
    with pytest.raises(ValueError, match="has a main"):
        workflow.main("other")(handler)
    with pytest.raises(TypeError, match="with parentheses"):
        service.handler(handler)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="not both"):
        rtour.VirtualObject("O", enable_lazy_state=True, state_preload=False)
    with pytest.raises(TypeError, match="no option 'state_preload' here, only abort_timeout"):
        service.handler(state_preload=True)  # type: ignore[call-arg]
    with pytest.raises(ValueError, match="two services named"):
        rtour.app([service, rtour.Service("S")])
