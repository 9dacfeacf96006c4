"""Control operations over the admin API (http-api.md B6)."""

from __future__ import annotations

import pytest

from rtour import ids
from rtour.engine.actions import Outcome, Response, Verdict
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
from rtour.engine.model import FromIngress, Invocation, Status, Target
from tests.server.rooms import NOW, Rooms

INV = "inv_1a1mlWikgvPI1rXixtTrp3NMDUb0000000"
NO_DP = "dp_12rbcbE9DyDMI9x0mpjv3G0"


OPERATIONS: dict[str, type[Command]] = {
    "cancel": Cancel,
    "kill": Kill,
    "pause": Pause,
    "purge": Purge,
    "purge-journal": PurgeJournal,
    "resume": Resume,
    "restart-as-new": RestartAsNew,
}


@pytest.mark.parametrize(("operation", "command"), list(OPERATIONS.items()))
@pytest.mark.parametrize(
    ("verdict", "status"),
    [
        (Verdict.DONE, 200),
        (Verdict.ACCEPTED, 202),
        (Verdict.INVALID, 400),
        (Verdict.NOT_FOUND, 404),
        (Verdict.CONFLICT, 409),
        (Verdict.GONE, 410),
        (Verdict.UNPROCESSABLE, 422),
        (Verdict.TOO_EARLY, 425),
    ],
)
async def test_operations(
    rooms: Rooms, operation: str, command: type, verdict: Verdict, status: int
) -> None:
    """Each operation proposes its command; each verdict of the engine has its status."""
    rooms.processor.answers = lambda command: Outcome(verdict, "because")
    response = await rooms.admin.patch(f"/invocations/{INV}/{operation}")
    assert isinstance(rooms.last, command)
    assert response.status_code == status
    if status >= 400:
        assert response.json() == {"message": "because", "restate_code": None}
    else:
        assert response.content == b""


@pytest.mark.parametrize("operation", list(OPERATIONS))
async def test_bad_invocation_ids(rooms: Rooms, operation: str) -> None:
    """Ids that are none never reach the engine."""
    response = await rooms.admin.patch(f"/invocations/foo/{operation}")
    assert (response.status_code, response.json()["message"]) == (
        400,
        "The request field 'invocation_id' is invalid. Reason: bad format",
    )
    assert rooms.processor.commands == []


def pinned(rooms: Rooms, version: int | None = 6) -> None:
    """An invocation of Greeter/greet, bound to the registered deployment if to a version."""
    rooms.invocations[INV] = Invocation(
        INV,
        1,
        Target("Greeter", "greet"),
        Status.PAUSED,
        FromIngress(),
        NOW,
        NOW,
        deployment_id=None if version is None else rooms.deployment_id(),
        protocol_version=version,
    )


async def test_restart(rooms: Rooms) -> None:
    """A restart has a new id on the same key, from an entry on, on the latest deployment."""
    pinned(rooms)
    new = "inv_1a1mlWikgvPI1rXixtTrp3NMDUb0000001"
    rooms.processor.answers = lambda command: Outcome(Verdict.DONE, id=new)
    response = await rooms.admin.patch(f"/invocations/{INV}/restart-as-new?from=3")
    assert (response.status_code, response.json()) == (200, {"new_invocation_id": new})
    assert isinstance(rooms.last, RestartAsNew)
    assert ids.parse_invocation_id(rooms.last.new_id)[0] == ids.parse_invocation_id(INV)[0]
    assert rooms.last.new_id != INV
    assert (rooms.last.from_index, rooms.last.deployment_id) == (3, rooms.deployment_id())
    await rooms.admin.patch(f"/invocations/{INV}/restart-as-new?deployment=keep")
    assert isinstance(rooms.last, RestartAsNew)
    assert rooms.last.deployment_id is None


@pytest.mark.parametrize("first", ["x", "-1", "1.5", "4294967296"])
async def test_restart_from_nowhere(rooms: Rooms, first: str) -> None:
    """The entry to restart from is a number."""
    response = await rooms.admin.patch(f"/invocations/{INV}/restart-as-new?from={first}")
    assert response.status_code == 400


async def test_resume_deployment(rooms: Rooms) -> None:
    """Keep changes nothing, latest and ids are looked up, what does not fit is refused."""
    url = f"/invocations/{INV}/resume?deployment="
    pinned(rooms)
    await rooms.admin.patch(url + "keep")
    assert isinstance(rooms.last, Resume)
    assert rooms.last.deployment_id is None
    await rooms.admin.patch(url + "latest")
    assert isinstance(rooms.last, Resume)
    assert rooms.last.deployment_id == rooms.deployment_id()
    response = await rooms.admin.patch(url + "foo")
    assert (response.status_code, response.json()["message"]) == (
        400,
        "The query parameter 'deployment' is invalid. Reason: bad format",
    )
    assert (await rooms.admin.patch(url + NO_DP)).status_code == 400
    pinned(rooms, version=8)
    assert (await rooms.admin.patch(url + "latest")).status_code == 400
    pinned(rooms, version=None)
    await rooms.admin.patch(url + "latest")
    assert isinstance(rooms.last, Resume)
    assert rooms.last.deployment_id is None


@pytest.mark.parametrize(
    ("query", "command"),
    [("", Cancel), ("?mode=Kill", Kill), ("?mode=kill", Kill), ("?mode=purge", Purge)],
)
async def test_delete_invocation(rooms: Rooms, query: str, command: type) -> None:
    """The old way is always accepted."""
    rooms.processor.answers = lambda command: Outcome(Verdict.NOT_FOUND, "no")
    assert (await rooms.admin.delete(f"/invocations/{INV}{query}")).status_code == 202
    assert isinstance(rooms.last, command)


@pytest.mark.parametrize("url", ["/invocations/foo", f"/invocations/{INV}?mode=foo"])
async def test_delete_invocation_refused(rooms: Rooms, url: str) -> None:
    """Bad ids and modes are not accepted."""
    assert (await rooms.admin.delete(url)).status_code == 400


async def test_batch(rooms: Rooms) -> None:
    """A batch tells which succeeded and why the others did not."""
    other = "inv_1a1mlWikgvPI1rXixtTrp3NMDUb0000001"
    third = "inv_1a1mlWikgvPI1rXixtTrp3NMDUb0000002"

    def answers(command: Command) -> Response:
        assert isinstance(command, Cancel)
        if command.id == INV:
            return Outcome(Verdict.ACCEPTED)
        verdict = Verdict.NOT_FOUND if command.id == other else Verdict.CONFLICT
        return Outcome(verdict, "it is done")

    rooms.processor.answers = answers
    response = await rooms.admin.post(
        "/internal/invocations_batch_operations/cancel",
        json={"invocation_ids": [INV, other, third]},
    )
    assert response.json() == {
        "succeeded": [INV],
        "failed": [
            {"invocation_id": other, "error": f"Invocation '{other}' not found"},
            {"invocation_id": third, "error": "it is done"},
        ],
    }


@pytest.mark.parametrize(
    ("operation", "wanted", "status"),
    [
        ("kill", [INV] * 1001, 400),
        ("kill", [INV, "foo"], 422),
        ("kill", None, 422),
        ("nope", [INV], 404),
    ],
)
async def test_bad_batches(
    rooms: Rooms, operation: str, wanted: list[str] | None, status: int
) -> None:
    """Batches have a size and only good ids."""
    body = {} if wanted is None else {"invocation_ids": wanted}
    url = f"/internal/invocations_batch_operations/{operation}"
    assert (await rooms.admin.post(url, json=body)).status_code == status
    assert rooms.processor.commands == []
