"""A workflow that waits for a human, for three days at most.

`decide` is a signal to the workflow: it resolves a promise on which `run` waits, whenever it comes,
before `run` gets there or days later. Nothing is kept in memory meanwhile.

    rtour serve app.py
    rtour deployments register localhost:9080
    rtour send ExpenseApproval/e-17/run '{"who": "Ada", "dollars": 120}'
    rtour call ExpenseApproval/e-17/status
    rtour call ExpenseApproval/e-17/decide true
"""

from datetime import timedelta
from typing import TypedDict

import rtour

PETTY_CASH = 50
PATIENCE = timedelta(days=3)


class Expense(TypedDict):
    """What was spent."""

    who: str
    dollars: int


approval = rtour.Workflow("ExpenseApproval")


@approval.main()
async def run(ctx: rtour.WorkflowContext, expense: Expense) -> str:
    """Runs once for each expense."""
    if expense["dollars"] <= PETTY_CASH:
        return _settle(ctx, "approved without asking")
    ctx.set("status", "waiting for a decision")
    decision = ctx.promise("decision", type_hint=bool).value()
    match await rtour.select(decision=decision, patience=ctx.sleep(PATIENCE)):
        case ["decision", True]:
            return _settle(ctx, "approved")
        case ["decision", _]:
            return _settle(ctx, "refused")
        case _:
            return _settle(ctx, "nobody decided")


def _settle(ctx: rtour.WorkflowContext, status: str) -> str:
    ctx.set("status", status)
    return status


@approval.handler()
async def decide(ctx: rtour.WorkflowSharedContext, approve: bool) -> None:
    """The human's answer; the first one counts."""
    await ctx.promise("decision", type_hint=bool).resolve(approve)


@approval.handler("status")
async def status_of(ctx: rtour.WorkflowSharedContext) -> str:
    """Where it stands."""
    return await ctx.get("status", type_hint=str) or "not started"


app = rtour.app([approval])
