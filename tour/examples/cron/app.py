"""A job that comes round: each run schedules the next one, a call that is made later.

The schedule lives in the engine: no crontab, no leader, and a run that was due while everything
was down is made up for once. `stop` and a second `start` outdate the runs scheduled before.

    rtour serve app.py
    rtour deployments register localhost:9080
    rtour call Cron/report/start '{"every_s": 60, "service": "Reports", "handler": "write"}'
    rtour call Cron/report/status
    rtour call Cron/report/stop
"""

import json
from datetime import timedelta
from typing import TypedDict

import rtour


class Job(TypedDict):
    """What to call, and how often."""

    every_s: float
    service: str
    handler: str


class Status(TypedDict):
    """What has happened."""

    active: bool
    runs: int


cron = rtour.VirtualObject("Cron")
reports = rtour.Service("Reports")


@cron.handler()
async def start(ctx: rtour.ObjectContext, job: Job) -> None:
    """The first run is due after one period."""
    ctx.set("job", job)
    turn = await _next_turn(ctx)
    ctx.object_send(tick, ctx.key(), turn, send_delay=timedelta(seconds=job["every_s"]))


@cron.handler()
async def tick(ctx: rtour.ObjectContext, turn: int) -> None:
    """One run, unless it is outdated."""
    job = await ctx.get("job", type_hint=Job)
    if job is None or turn != await ctx.get("turn", type_hint=int):
        return
    ctx.object_send(tick, ctx.key(), turn, send_delay=timedelta(seconds=job["every_s"]))
    ctx.generic_send(job["service"], job["handler"], json.dumps(ctx.key()).encode())
    ctx.set("runs", (await ctx.get("runs", type_hint=int) or 0) + 1)


@cron.handler()
async def stop(ctx: rtour.ObjectContext) -> None:
    """No run after this one."""
    ctx.clear("job")
    await _next_turn(ctx)


@cron.handler("status", kind="shared")
async def status_of(ctx: rtour.ObjectSharedContext) -> Status:
    """Whether it is active, and how often it has run."""
    active = await ctx.get("job", type_hint=Job) is not None
    return {"active": active, "runs": await ctx.get("runs", type_hint=int) or 0}


async def _next_turn(ctx: rtour.ObjectContext) -> int:
    turn = (await ctx.get("turn", type_hint=int) or 0) + 1
    ctx.set("turn", turn)
    return turn


@reports.handler()
async def write(ctx: rtour.Context, name: str) -> None:
    """Stands for the work that is to be done."""
    print(f"writing {name}")


app = rtour.app([cron, reports])
