"""Becoming a member of the theatre: one workflow for each user, the key is the user's name."""

from rtour import Workflow, WorkflowContext, WorkflowSharedContext

membership = Workflow("MembershipWorkflow")


@membership.main()
async def run(ctx: WorkflowContext, email: str) -> str:
    return "member"


@membership.handler()
async def confirm(ctx: WorkflowSharedContext, code: str) -> None:
    return None


@membership.handler()
async def status(ctx: WorkflowSharedContext) -> str:
    return "unknown"
