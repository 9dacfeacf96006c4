"""The theatre, whole, over plain HTTP: on both servers, with both SDKs."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conformance import oracles
from tests.conformance.endpoints import THEATRES
from tests.conformance.sites import combinations, standing_site
from tests.conformance.waiting import eventually
from tests.conformance.world import Site


@pytest.fixture(scope="module", params=combinations(THEATRES))
def site(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    kind, setup = request.param
    with standing_site(kind, setup, tmp_path_factory.mktemp("theatre")) as here:
        yield here


class Visitor:
    """One user with a cart, and seats nobody else knows."""

    def __init__(self, site: Site, client: httpx.AsyncClient) -> None:
        self.site = site
        self.client = client
        self.name = f"mary-{secrets.token_hex(4)}"
        self.outside = site.outside

    def seat(self, name: str = "seat2B") -> str:
        return f"{name}-{self.name}"

    async def post(self, path: str, body: Any = None, **headers: str) -> httpx.Response:
        typed = {} if body is None else {"content-type": "application/json"}
        return await self.client.post(
            self.site.server.ingress_url + path,
            content=None if body is None else json.dumps(body),
            headers={**typed, **headers},
        )

    async def add(self, seat: str, user: str | None = None, **headers: str) -> Any:
        answer = await self.post(f"/CartObject/{user or self.name}/addTicket", seat, **headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def checkout(self) -> httpx.Response:
        return await self.post(f"/CartObject/{self.name}/checkout")

    async def send(self, path: str, body: Any = None) -> str:
        answer = await self.post(f"{path}/send", body)
        assert answer.status_code == 202, answer.text
        invocation_id: str = answer.json()["invocationId"]
        return invocation_id

    async def admin(self, path: str) -> int:
        answer = await self.client.patch(self.site.server.admin_url + path)
        return answer.status_code

    async def cart(self) -> list[str]:
        rows = await self.rows(
            "SELECT value_utf8 FROM state WHERE service_name = 'CartObject'"
            f" AND service_key = '{self.name}' AND key = 'tickets'"
        )
        return list(json.loads(rows[0]["value_utf8"])) if rows else []

    async def seat_status(self, seat: str) -> str | None:
        rows = await self.rows(
            "SELECT value_utf8 FROM state WHERE service_name = 'TicketObject'"
            f" AND service_key = '{seat}' AND key = 'status'"
        )
        return str(json.loads(rows[0]["value_utf8"])) if rows else None

    async def rows(self, query: str) -> list[dict[str, Any]]:
        return await self.site.server.sql(query)

    async def row(self, invocation_id: str) -> dict[str, Any]:
        rows = await self.rows(f"SELECT * FROM sys_invocation WHERE id = '{invocation_id}'")
        return rows[0] if rows else {"status": "absent"}

    async def until(self, invocation_id: str, status: str) -> dict[str, Any]:
        return await eventually(
            f"{invocation_id} {status}",
            lambda: self.row(invocation_id),
            lambda row: row["status"] == status,
        )

    async def failing_payment(self) -> tuple[str, dict[str, Any]]:
        """Begin a checkout whose payment fails; the answer is its id and the payer's row."""
        self.outside.switch(f"payment-fails {self.name}", on=True)
        assert await self.add(self.seat())
        checkout = await self.send(f"/CartObject/{self.name}/checkout")
        query = (
            "SELECT * FROM sys_invocation WHERE target_service_name = 'CheckoutService'"
            f" AND invoked_by_id = '{checkout}' AND last_failure IS NOT NULL AND retry_count > 1"
        )
        rows = await eventually("the payment is retried", lambda: self.rows(query))
        return checkout, rows[0]


@pytest.fixture
async def visitor(site: Site) -> AsyncIterator[Visitor]:
    async with httpx.AsyncClient(timeout=30) as client:
        yield Visitor(site, client)


async def test_a_seat_is_reserved_for_one_cart(visitor: Visitor) -> None:
    """The first to add a seat has it; for others it is taken."""
    seat = visitor.seat()
    assert await visitor.add(seat) is True
    assert await visitor.add(seat, user=f"john-{visitor.name}") is False
    assert await visitor.cart() == [seat]
    assert await visitor.seat_status(seat) == "RESERVED"


async def test_checkout_sells_the_seats(visitor: Visitor) -> None:
    """Paying empties the cart, sells its seats, charges once and sends one mail."""
    seats = [visitor.seat("seat2B"), visitor.seat("seat2C")]
    for seat in seats:
        assert await visitor.add(seat) is True
    answer = await visitor.checkout()
    assert (answer.status_code, answer.json()) == (200, True)
    assert await visitor.cart() == []
    assert [await visitor.seat_status(seat) for seat in seats] == ["SOLD", "SOLD"]
    assert len(visitor.outside.effects(f"payments {visitor.name}")) == 1
    assert visitor.outside.effects(f"mails {visitor.name}") == ["80"]
    assert await visitor.add(seats[0]) is False


async def test_an_empty_cart_is_not_charged(visitor: Visitor) -> None:
    """Nothing to sell, nothing to pay."""
    answer = await visitor.checkout()
    assert answer.json() is False
    assert visitor.outside.effects(f"payments {visitor.name}") == []


async def test_a_reservation_expires(visitor: Visitor) -> None:
    """After its time a seat leaves the cart, and others can have it."""
    seat = visitor.seat()
    visitor.outside.switch(f"expires-soon {seat}", on=True)
    assert await visitor.add(seat) is True
    await eventually("the cart is empty", visitor.cart, lambda tickets: not tickets)
    await eventually(
        "the seat is free", lambda: visitor.seat_status(seat), lambda status: status is None
    )
    assert await visitor.add(seat, user=f"john-{visitor.name}") is True


async def test_a_sold_seat_does_not_expire(visitor: Visitor) -> None:
    """The timer of a seat that was paid for finds nothing to do."""
    seat = visitor.seat()
    visitor.outside.switch(f"expires-soon {seat}", on=True)
    assert await visitor.add(seat) is True
    assert (await visitor.checkout()).json() is True
    query = (
        f"SELECT status FROM sys_invocation WHERE target = 'CartObject/{visitor.name}/expireTicket'"
    )
    await eventually(
        "the timer fired",
        lambda: visitor.rows(query),
        lambda rows: [row["status"] for row in rows] == ["completed"],
    )
    assert await visitor.seat_status(seat) == "SOLD"


async def test_adding_a_ticket_twice_with_one_key(visitor: Visitor) -> None:
    """A retried request with an idempotency key is one request; without, the seat is taken."""
    seat = visitor.seat()
    key = {"idempotency-key": visitor.name}
    assert [await visitor.add(seat, **key) for _ in range(3)] == [True, True, True]
    assert await visitor.cart() == [seat]
    assert await visitor.add(seat) is False


async def test_sending_without_waiting(visitor: Visitor) -> None:
    """A send is accepted at once and does its work; its result can be fetched."""
    seat = visitor.seat()
    invocation_id = await visitor.send(f"/CartObject/{visitor.name}/addTicket", seat)
    url = f"{visitor.site.server.ingress_url}/restate/invocation/{invocation_id}/attach"
    assert (await visitor.client.get(url)).json() is True
    assert await visitor.cart() == [seat]


async def test_a_failing_payment_is_retried_in_sight(visitor: Visitor) -> None:
    """While the payment is down the retries show; afterwards all ends well, and was paid once."""
    checkout, payer = await visitor.failing_payment()
    assert "The payment service is down" in payer["last_failure"]
    assert payer["last_failure_related_command_name"] == "payment"
    assert payer["status"] in {"running", "backing-off"}
    assert (await visitor.row(checkout))["status"] in {"running", "suspended"}
    visitor.outside.switch(f"payment-fails {visitor.name}", on=False)
    row = await visitor.until(checkout, "completed")
    assert row["completion_result"] == "success"
    assert len(visitor.outside.effects(f"payments {visitor.name}")) == 1
    assert len(visitor.outside.effects(f"payment-attempts {visitor.name}")) >= 3


async def test_what_describing_an_invocation_needs(visitor: Visitor) -> None:
    """The journal of addTicket names its steps, and its call leads to the callee's journal."""
    seat = visitor.seat()
    invocation_id = await visitor.send(f"/CartObject/{visitor.name}/addTicket", seat)
    row = await visitor.until(invocation_id, "completed")
    assert row["target"] == f"CartObject/{visitor.name}/addTicket"
    assert row["invoked_by"] == "ingress"
    assert row["pinned_deployment_id"] == visitor.site.deployment_id
    journal = await visitor.rows(
        f"SELECT entry_type, entry_json FROM sys_journal WHERE id = '{invocation_id}'"
        ' ORDER BY "index"'
    )
    kinds = [entry["entry_type"] for entry in journal]
    assert kinds == [
        "Command: Input",
        "Command: Call",
        "Notification: CallInvocationId",
        "Notification: Call",
        "Command: GetEagerState",
        "Command: SetState",
        "Command: OneWayCall",
        "Notification: CallInvocationId",
        "Command: Output",
    ]
    call = json.loads(journal[1]["entry_json"])["Command"]["Call"]
    callee = await visitor.row(call["request"]["invocation_id"])
    assert callee["target"] == f"TicketObject/{seat}/reserve"
    assert callee["invoked_by_target"] == row["target"]


async def test_cancelling_a_checkout(visitor: Visitor) -> None:
    """Cancelling ends the checkout and its payment; the cart is as before and free again."""
    checkout, payer = await visitor.failing_payment()
    assert await visitor.admin(f"/invocations/{checkout}/cancel") == 202
    row = await visitor.until(checkout, "completed")
    # The SDK words it, and the two disagree about the capital.
    assert row["completion_failure"].lower() == "[409] cancelled"
    await visitor.until(payer["id"], "completed")
    assert visitor.outside.effects(f"payments {visitor.name}") == []
    assert await visitor.cart() == [visitor.seat()]
    assert await visitor.add(visitor.seat("seat9Z")) is True


async def test_killing_a_checkout(visitor: Visitor) -> None:
    """Killing ends both at once, without their code, and frees the cart."""
    checkout, payer = await visitor.failing_payment()
    assert await visitor.admin(f"/invocations/{checkout}/kill") == 200
    for invocation_id in (checkout, payer["id"]):
        row = await visitor.until(invocation_id, "completed")
        assert row["completion_failure"] == "[409] killed"
    assert await visitor.cart() == [visitor.seat()]
    assert await visitor.add(visitor.seat("seat9Z")) is True


async def test_watching_the_cart(visitor: Visitor) -> None:
    """Who asks for the state again and again sees it fill and empty."""
    seat = visitor.seat()
    assert await visitor.cart() == []
    await visitor.send(f"/CartObject/{visitor.name}/addTicket", seat)
    await eventually("the seat appears", visitor.cart, lambda tickets: tickets == [seat])
    await visitor.send(f"/CartObject/{visitor.name}/checkout")
    await eventually("the cart is empty", visitor.cart, lambda tickets: not tickets)


def run_official_cli(admin_url: str, home: Path, *arguments: str) -> str:
    """What the official CLI prints; it must succeed."""
    oracles.install()
    env = {"RESTATE_ADMIN_URL": admin_url, "DO_NOT_TRACK": "1", "NO_COLOR": "1"}
    folders = {"HOME": str(home), "RESTATE_CLI_CONFIG_HOME": str(home)}
    done = subprocess.run(
        [oracles.restate_cli(), "--yes", *arguments],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        env={**os.environ, **env, **folders},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.oracle
async def test_the_official_command_line_sees_it_all(visitor: Visitor, tmp_path: Path) -> None:
    """The official CLI lists, describes and reads state as it does on its own server."""
    seat = visitor.seat()
    invocation_id = await visitor.send(f"/CartObject/{visitor.name}/addTicket", seat)
    await visitor.until(invocation_id, "completed")

    def cli(*arguments: str) -> str:
        return run_official_cli(visitor.site.server.admin_url, tmp_path, *arguments)

    assert seat in cli("kv", "get", "--plain", "CartObject", visitor.name)
    assert "addTicket" in cli("invocations", "list", "--all", "--service", "CartObject")
    described = cli("invocations", "describe", invocation_id)
    for word in (f"TicketObject/{seat}/reserve", "expireTicket", "SetState key tickets"):
        assert word in described, described
    assert "CartObject" in cli("services", "list")
    assert visitor.site.deployment_id in cli("deployments", "list")
