"""Who is told next, and when."""

from __future__ import annotations

from rtour.engine.actions import TellRest
from rtour.engine.commands import Command, Tell
from rtour.server.tellings import Tellings


def test_each_commit_asks_for_the_next() -> None:
    """The rest of one result at a time, of several results side by side."""
    proposed: list[Command] = []
    tellings = Tellings(proposed.append)
    tellings.go_on(TellRest("a", 1))
    tellings.go_on(TellRest("b", 2))
    assert proposed == [Tell("a", 1), Tell("b", 2)]


def test_what_the_last_life_left_is_taken_up_once() -> None:
    """When the server starts, not before."""
    proposed: list[Command] = []
    tellings = Tellings(proposed.append)
    tellings.load([Tell("a", 1), Tell("b", 2)])
    assert not proposed
    tellings.start()
    tellings.start()
    assert proposed == [Tell("a", 1), Tell("b", 2)]


def test_a_server_that_stops_leaves_the_rest() -> None:
    """Its end does not wait until all are told."""
    proposed: list[Command] = []
    tellings = Tellings(proposed.append)
    tellings.stop()
    tellings.go_on(TellRest("a", 1))
    assert not proposed
