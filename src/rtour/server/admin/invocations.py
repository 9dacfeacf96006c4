"""`/invocations/{id}`: cancel, kill, pause, resume, purge, restart (http-api.md B6)."""

from __future__ import annotations

import logging
from collections.abc import Callable
from random import Random
from typing import Final

from rtour import ids
from rtour.clock import Clock
from rtour.engine.actions import Outcome, Verdict
from rtour.engine.commands import (
    Cancel,
    Command,
    Kill,
    Pause,
    Purge,
    PurgeJournal,
    RestartAsNew,
    Resume,
)
from rtour.engine.model import Invocation, Status
from rtour.errors import InvalidId
from rtour.server.admin import bodies
from rtour.server.admin.bodies import AdminError, bad_field, bad_query
from rtour.server.admin.models import Restarted
from rtour.server.admin.replies import ok
from rtour.server.registry import Registry
from rtour.server.requests import Requests
from rtour.server.web import Reply, Request

log = logging.getLogger("rtour.admin")

STATUSES: Final = {
    Verdict.DONE: 200,
    Verdict.ACCEPTED: 202,
    Verdict.NOT_FOUND: 404,
    Verdict.CONFLICT: 409,
    Verdict.TOO_EARLY: 425,
    Verdict.GONE: 410,
    Verdict.UNPROCESSABLE: 422,
    Verdict.INVALID: 400,
}
SUCCEEDED: Final = frozenset({Verdict.DONE, Verdict.ACCEPTED})

_SIMPLE: Final[dict[str, Callable[[str, int], Command]]] = {
    "cancel": Cancel,
    "kill": Kill,
    "pause": Pause,
    "purge": Purge,
    "purge-journal": PurgeJournal,
}
_DELETE_MODES: Final[dict[str, Callable[[str, int], Command]]] = {
    "cancel": Cancel,
    "kill": Kill,
    "purge": Purge,
}
_ENTRIES_MAX: Final = 1 << 32


class Operations:
    """Carries out control operations, on one invocation at a time."""

    def __init__(
        self,
        registry: Registry,
        requests: Requests,
        invocation: Callable[[str], Invocation | None],
        clock: Clock,
        random: Random,
    ) -> None:
        self._registry = registry
        self._requests = requests
        self._invocation = invocation
        self._clock = clock
        self._random = random

    async def run(
        self, operation: str, id_: str, deployment: str | None = None, from_index: int = 0
    ) -> Outcome:
        """Do an operation by its name in the URL."""
        concerned = self._invocation(id_)
        outcome = await self._ask(operation, id_, deployment, from_index)
        if outcome.verdict in SUCCEEDED:
            log.info("Asked to %s", operation, extra={"invocation": concerned})
        return outcome

    async def _ask(
        self, operation: str, id_: str, deployment: str | None, from_index: int
    ) -> Outcome:
        if operation == "resume":
            chosen = self._deployment(id_, deployment or "keep")
            answer = await self._requests.ask(lambda number: Resume(id_, chosen, number))
        elif operation == "restart-as-new":
            chosen = self._deployment(id_, deployment or "latest")
            new_id = self._sibling(id_)
            answer = await self._requests.ask(
                lambda number: RestartAsNew(id_, new_id, from_index, chosen, number)
            )
        else:
            command = _SIMPLE[operation]
            answer = await self._requests.ask(lambda number: command(id_, number))
        assert isinstance(answer, Outcome), f"{operation} was answered with {answer!r}"
        return answer

    async def delete(self, mode: str, id_: str) -> None:
        await self._requests.ask(lambda number: _DELETE_MODES[mode](id_, number))

    def _sibling(self, id_: str) -> str:
        """A new id with the same partition key."""
        partition, _ = ids.parse_invocation_id(id_)
        uuid = ids.ulid(self._clock.now_ms(), self._random.randbytes(10))
        return ids.make_invocation_id(partition, uuid)

    def _deployment(self, id_: str, choice: str) -> str | None:
        """The deployment to go on with; None keeps what the invocation is bound to."""
        if choice == "keep":
            return None
        if choice != "latest":
            try:
                ids.parse_deployment_id(choice)
            except InvalidId as error:
                raise AdminError(
                    400, f"The query parameter 'deployment' is invalid. Reason: {error}"
                ) from error
        invocation = self._invocation(id_)
        if invocation is None:
            return None  # the engine says so
        unbound = invocation.deployment_id is None and invocation.status is not Status.INVOKED
        if choice == "latest" and unbound:
            return None  # it runs on the latest anyway
        if choice == "latest":
            deployment = self._registry.latest_deployment(invocation.target.service)
        else:
            deployment = self._registry.deployment(choice)
        if deployment is None:
            raise AdminError(
                400,
                f"The given deployment was not found when trying to resume the invocation '{id_}'.",
            )
        version = invocation.protocol_version
        low, high = deployment.min_protocol_version, deployment.max_protocol_version
        if version is not None and not low <= version <= high:
            raise AdminError(
                400,
                f"The invocation '{id_}' speaks protocol version {version}, the deployment "
                f"'{deployment.id}' only {low} to {high}",
            )
        return deployment.id


class InvocationEndpoints:
    def __init__(self, operations: Operations) -> None:
        self._operations = operations

    async def cancel_invocation(self, _request: Request, _version: int, id_: str) -> Reply:
        return await self._simple("cancel", id_)

    async def kill_invocation(self, _request: Request, _version: int, id_: str) -> Reply:
        return await self._simple("kill", id_)

    async def pause_invocation(self, _request: Request, _version: int, id_: str) -> Reply:
        return await self._simple("pause", id_)

    async def purge_invocation(self, _request: Request, _version: int, id_: str) -> Reply:
        return await self._simple("purge", id_)

    async def purge_journal(self, _request: Request, _version: int, id_: str) -> Reply:
        return await self._simple("purge-journal", id_)

    async def resume_invocation(self, request: Request, _version: int, id_: str) -> Reply:
        check_id(id_)
        deployment = bodies.query(request).get("deployment")
        return _status(await self._operations.run("resume", id_, deployment))

    async def restart_as_new_invocation(self, request: Request, _version: int, id_: str) -> Reply:
        check_id(id_)
        parameters = bodies.query(request)
        first = parameters.get("from", "0")
        if not (first.isascii() and first.isdigit() and int(first) < _ENTRIES_MAX):
            raise bad_query("from: invalid digit found in string")
        outcome = await self._operations.run(
            "restart-as-new", id_, parameters.get("deployment"), int(first)
        )
        answer = _status(outcome)
        if outcome.id is None:
            return answer
        return ok(Restarted(new_invocation_id=outcome.id))

    async def delete_invocation(self, request: Request, _version: int, id_: str) -> Reply:
        """The old way: accepted, whatever becomes of it."""
        check_id(id_)
        mode = bodies.query(request).get("mode", "Cancel")
        if mode[:1].lower() + mode[1:] not in _DELETE_MODES:
            raise bad_query(
                f"mode: unknown variant `{mode}`, expected one of "
                "`Cancel`, `cancel`, `Kill`, `kill`, `Purge`, `purge`"
            )
        await self._operations.delete(mode.lower(), id_)
        return Reply(202, [])

    async def _simple(self, operation: str, id_: str) -> Reply:
        check_id(id_)
        return _status(await self._operations.run(operation, id_))


def _status(outcome: Outcome) -> Reply:
    status = STATUSES[outcome.verdict]
    if outcome.verdict in SUCCEEDED:
        return Reply(status, [])
    raise AdminError(status, outcome.message or outcome.verdict.name.lower().replace("_", " "))


def check_id(id_: str) -> None:
    try:
        ids.parse_invocation_id(id_)
    except InvalidId as error:
        raise bad_field("invocation_id", error) from error
