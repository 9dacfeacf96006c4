"""Operations on many invocations at once."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from rtour import ids
from rtour.engine.actions import Outcome, Verdict
from rtour.errors import InvalidId
from rtour.server.admin import bodies
from rtour.server.admin.bodies import AdminError, unprocessable
from rtour.server.admin.invocations import SUCCEEDED, Operations
from rtour.server.admin.models import BatchResult, FailedOne, RestartedOne
from rtour.server.admin.replies import ok
from rtour.server.web import Reply, Request

SIZE_MAX: Final = 1000
OPERATIONS: Final = frozenset(
    {"cancel", "kill", "purge", "purge-journal", "pause", "resume", "restart-as-new"}
)


class BatchEndpoints:
    def __init__(self, operations: Operations) -> None:
        self._operations = operations

    async def batch(self, request: Request, _version: int, operation: str) -> Reply:
        if operation not in OPERATIONS:
            raise AdminError(404, f"there is no batch operation '{operation}'")
        body = bodies.read(request, bodies.BATCH)
        size = len(body.invocation_ids)
        if size > SIZE_MAX:
            raise AdminError(400, f"Batch size {size} exceeds maximum allowed size of {SIZE_MAX}")
        for place, id_ in enumerate(body.invocation_ids):
            try:
                ids.parse_invocation_id(id_)
            except InvalidId as error:
                raise unprocessable(f"invocation_ids[{place}]: {error}") from error
        results = await asyncio.gather(
            *(self._one(operation, id_, body.deployment) for id_ in body.invocation_ids)
        )
        succeeded = [result for result in results if not isinstance(result, FailedOne)]
        failed = [result for result in results if isinstance(result, FailedOne)]
        return ok(BatchResult(succeeded=succeeded, failed=failed))

    async def _one(self, operation: str, id_: str, deployment: str | None) -> Any:
        """What the operation came to: an id, a pair of ids, or a failure."""
        try:
            outcome = await self._operations.run(operation, id_, deployment)
        except AdminError as error:
            return FailedOne(invocation_id=id_, error=error.message)
        if outcome.verdict in SUCCEEDED:
            if outcome.id is not None:
                return RestartedOne(old_invocation_id=id_, new_invocation_id=outcome.id)
            return id_
        return FailedOne(invocation_id=id_, error=_reason(id_, outcome))


def _reason(id_: str, outcome: Outcome) -> str:
    if outcome.verdict is Verdict.NOT_FOUND:
        return f"Invocation '{id_}' not found"
    return outcome.message
