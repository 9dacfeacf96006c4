"""Becoming a member of the theatre: one workflow for each user, the key is the user's name."""

from rtour import TerminalError, Workflow, WorkflowContext, WorkflowSharedContext

from ..auxiliary import email_client

membership = Workflow("MembershipWorkflow")


@membership.main()
async def run(ctx: WorkflowContext, email: str) -> str:
    code = f"{ctx.random().randrange(1_000_000):06}"
    ctx.set("status", "waiting for the code")
    await ctx.run_typed("send code", email_client.send_code, user_id=email, code=code)
    entered = await ctx.promise("code", type_hint=str).value()
    if entered != code:
        ctx.set("status", "refused")
        raise TerminalError("That was another code.", status_code=403)
    ctx.set("status", "member")
    return "member"


@membership.handler()
async def confirm(ctx: WorkflowSharedContext, code: str) -> None:
    await ctx.promise("code", type_hint=str).resolve(code)


@membership.handler()
async def status(ctx: WorkflowSharedContext) -> str:
    return await ctx.get("status", type_hint=str) or "unknown"
