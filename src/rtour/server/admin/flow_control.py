"""Rules and queues of flow control, which this server does not have: there are none."""

from __future__ import annotations

from rtour.server.admin import bodies
from rtour.server.admin.bodies import AdminError, bad_field
from rtour.server.admin.replies import ok
from rtour.server.web import Reply, Request


class FlowControlEndpoints:
    """Nothing is there to change; what would need it says so."""

    async def upsert_rules(self, request: Request, _version: int) -> Reply:
        if bodies.read(request, bodies.LIST):
            raise AdminError(501, "this server has no flow control, so it takes no rules")
        return ok([])

    async def bulk_delete_rules(self, request: Request, _version: int) -> Reply:
        bodies.read(request, bodies.LIST)
        return ok([])

    async def pause_vqueue(self, _request: Request, _version: int, id_: str) -> Reply:
        raise _no_vqueue(id_)

    async def resume_vqueue(self, _request: Request, _version: int, id_: str) -> Reply:
        raise _no_vqueue(id_)


def _no_vqueue(id_: str) -> AdminError:
    if not id_.startswith("vq_"):
        return bad_field("vqueue_id", "bad format")
    return AdminError(400, "queues need flow control, which this server does not have")
