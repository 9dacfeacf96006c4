"""Group bookings: all of the seats, or none."""

from typing import TypedDict

from rtour import Context, Service


class Group(TypedDict):
    """A group and the seats it wants."""

    leader: str
    tickets: list[str]


groups = Service("GroupBooking")


@groups.handler()
async def book(ctx: Context, group: Group) -> bool:
    return True
