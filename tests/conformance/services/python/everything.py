"""The services of the scenarios: every kind, most options, each handler an interpreter."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import restate
from restate import InvocationRetryPolicy

from tests.conformance.services.python.interpreter import Step, execute

Program = list[Step]
SOON = timedelta(milliseconds=100)
BRIEF = timedelta(seconds=3)


def _policy(attempts: int, then: Any) -> InvocationRetryPolicy:
    return InvocationRetryPolicy(
        initial_interval=timedelta(milliseconds=20), max_attempts=attempts, on_max_attempts=then
    )


svc = restate.Service("Svc", metadata={"team": "conformance"})


@svc.handler("run")
async def svc_run(ctx: restate.Context, program: Program) -> list[Any]:
    """Run a program."""
    return await execute(ctx, program)


@svc.handler("echo")
async def svc_echo(ctx: restate.Context, value: Any) -> Any:
    return value


@svc.handler("noop")
async def svc_noop(ctx: restate.Context) -> None:
    return None


@svc.handler(
    "raw",
    accept="*/*",
    content_type="application/octet-stream",
    input_serde=restate.serde.BytesSerde(),
    output_serde=restate.serde.BytesSerde(),
)
async def svc_raw(ctx: restate.Context, body: bytes) -> bytes:
    return body[::-1]


@svc.handler("hidden", ingress_private=True)
async def svc_hidden(ctx: restate.Context, program: Program) -> list[Any]:
    return await execute(ctx, program)


quick = restate.Service("Quick", inactivity_timeout=SOON)


@quick.handler("run")
async def quick_run(ctx: restate.Context, program: Program) -> list[Any]:
    """As `Svc/run`, but suspended as soon as it waits."""
    return await execute(ctx, program)


private = restate.Service("Private", ingress_private=True)


@private.handler("run")
async def private_run(ctx: restate.Context, program: Program) -> list[Any]:
    return await execute(ctx, program)


kill3 = restate.Service("Kill3", invocation_retry_policy=_policy(3, "kill"))


@kill3.handler("run")
async def kill3_run(ctx: restate.Context, program: Program) -> list[Any]:
    """Killed after its third failed attempt."""
    return await execute(ctx, program)


pause2 = restate.VirtualObject("Pause2", invocation_retry_policy=_policy(2, "pause"))


@pause2.handler("run")
async def pause2_run(ctx: restate.ObjectContext, program: Program) -> list[Any]:
    """Paused after its second failed attempt."""
    return await execute(ctx, program)


brief = restate.Service("Brief", idempotency_retention=BRIEF, journal_retention=BRIEF)


@brief.handler("run")
async def brief_run(ctx: restate.Context, program: Program) -> list[Any]:
    """Forgotten soon after it ended."""
    return await execute(ctx, program)


forget = restate.Service("Forget", journal_retention=timedelta(0))


@forget.handler("run")
async def forget_run(ctx: restate.Context, program: Program) -> list[Any]:
    """Its journal goes when it ends."""
    return await execute(ctx, program)


obj = restate.VirtualObject("Obj")


@obj.handler("run")
async def obj_run(ctx: restate.ObjectContext, program: Program) -> list[Any]:
    return await execute(ctx, program)


@obj.handler("look", kind="shared")
async def obj_look(ctx: restate.ObjectSharedContext, program: Program) -> list[Any]:
    return await execute(ctx, program)


@obj.handler("count")
async def obj_count(ctx: restate.ObjectContext) -> int:
    """Add one and return the sum."""
    total = (await ctx.get("count", type_hint=int) or 0) + 1
    ctx.set("count", total)
    return total


quick_obj = restate.VirtualObject("QuickObj", inactivity_timeout=SOON)


@quick_obj.handler("run")
async def quick_obj_run(ctx: restate.ObjectContext, program: Program) -> list[Any]:
    return await execute(ctx, program)


lazy = restate.VirtualObject("Lazy", enable_lazy_state=True)


@lazy.handler("run")
async def lazy_run(ctx: restate.ObjectContext, program: Program) -> list[Any]:
    return await execute(ctx, program)


flow = restate.Workflow("Flow", inactivity_timeout=SOON)


@flow.main("run")
async def flow_run(ctx: restate.WorkflowContext, program: Program) -> list[Any]:
    return await execute(ctx, program)


@flow.handler("touch")
async def flow_touch(ctx: restate.WorkflowSharedContext, program: Program) -> list[Any]:
    return await execute(ctx, program)


brief_flow = restate.Workflow("BriefFlow")


@brief_flow.main("run", workflow_retention=BRIEF)
async def brief_flow_run(ctx: restate.WorkflowContext, program: Program) -> list[Any]:
    return await execute(ctx, program)


@brief_flow.handler("touch")
async def brief_flow_touch(ctx: restate.WorkflowSharedContext, program: Program) -> list[Any]:
    return await execute(ctx, program)


ALL: list[restate.Service | restate.VirtualObject | restate.Workflow] = [
    svc,
    quick,
    private,
    kill3,
    pause2,
    brief,
    forget,
    obj,
    quick_obj,
    lazy,
    flow,
    brief_flow,
]
