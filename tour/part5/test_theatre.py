"""Tests of the theatre, against the engine that runs: `python -m unittest tour.app.test_theatre`.

`rtour server --ephemeral` makes an engine for tests.
"""

import logging
import os
import secrets
from unittest import IsolatedAsyncioTestCase

from rtour import create_client

from .cart_object import add_ticket

INGRESS = os.environ.get("RTOUR_INGRESS_URL", "http://localhost:8080")
# In tests asyncio tells of each step that is slow, such as the first import of the client.
logging.getLogger("asyncio").setLevel(logging.ERROR)


class TheatreTest(IsolatedAsyncioTestCase):
    """Each test uses users and seats of its own, so that tests never meet."""

    def setUp(self) -> None:
        self.mark = secrets.token_hex(4)

    async def test_a_free_seat_can_be_had(self) -> None:
        async with create_client(INGRESS) as client:
            added = await client.object_call(add_ticket, f"test-{self.mark}", f"test-{self.mark}")
        assert added

    async def test_a_taken_seat_is_refused(self) -> None:
        seat = f"test-{self.mark}"
        async with create_client(INGRESS) as client:
            first = await client.object_call(add_ticket, f"test-ada-{self.mark}", seat)
            second = await client.object_call(add_ticket, f"test-bob-{self.mark}", seat)
        assert first
        assert not second
