"""Group bookings: all of the seats, or none."""

from datetime import timedelta
from typing import TypedDict

from rtour import Context, Service, TerminalError

from .ticket_object import mark_as_sold, reserve, unreserve

TIME_TO_THINK = timedelta(minutes=2)


class Group(TypedDict):
    """A group and the seats it wants."""

    leader: str
    tickets: list[str]


groups = Service("GroupBooking")


@groups.handler()
async def book(ctx: Context, group: Group) -> bool:
    held: list[str] = []
    try:
        for ticket_id in group["tickets"]:
            if not await ctx.object_call(reserve, key=ticket_id, arg=None):
                raise TerminalError(f"{ticket_id} is taken.", status_code=409)
            held.append(ticket_id)
        # Until then the leader may cancel, which raises a TerminalError here.
        await ctx.sleep(TIME_TO_THINK)
    except TerminalError:
        for ticket_id in reversed(held):
            await ctx.object_call(unreserve, key=ticket_id, arg=None)
        raise
    for ticket_id in held:
        ctx.object_send(mark_as_sold, key=ticket_id, arg=None)
    return True
