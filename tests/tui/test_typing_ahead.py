"""Keys that come faster than they are handled go where a patient typist's would."""

from __future__ import annotations

import pytest
from textual.widgets import Input

from rtour.tui import typing_ahead
from rtour.tui.dialogs import Confirm, Jump
from rtour.tui.invocation import InvocationView
from tests.tui.seat import Seat


@pytest.fixture(autouse=True)
def _never_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """No key is given up: one that is never reported as handled would end the test."""
    monkeypatch.setattr(typing_ahead, "LOST_AFTER_S", 3600)


async def test_what_is_typed_after_a_slash_is_no_command(seat: Seat) -> None:
    """All of it is in the filter; `s` has not sorted and `a` has not left out the finished."""
    text = await seat.type_ahead("slash", *"stash:x", "enter")
    field = seat.app.screen.query_one("#filter", Input)
    assert field.value == "stash:x"
    assert "unfinished only" not in text
    assert "by last change" not in text


async def test_a_place_is_named_in_one_breath(seat: Seat) -> None:
    """`:services` and enter, and `/` there is that place's."""
    text = await seat.type_ahead("colon", *"state", "enter", "slash", *"Bob")
    assert "OBJECT" in text
    assert seat.app.screen.query_one("#filter", Input).value == "Bob"


async def test_a_dialog_may_close_in_between(seat: Seat) -> None:
    """What is typed behind an escape goes to the screen below."""
    await seat.type_ahead("colon", *"sta", "escape", "slash", *"Mary")
    assert not isinstance(seat.app.screen, Jump)
    assert seat.app.screen.query_one("#filter", Input).value == "Mary"


async def test_an_answer_does_not_come_before_its_question(seat: Seat) -> None:
    """`K` and then enter at once: enter meets the question, where No is in focus."""
    await seat.type_ahead("K", "enter")
    assert not isinstance(seat.app.screen, Confirm | InvocationView)
    assert "killed" not in seat.toasts


async def test_down_down_enter(seat: Seat) -> None:
    """Moves come before the opening; and back at once is back where one was."""
    await seat.press("j")
    before = seat.app.screen.focused.row.key
    await seat.type_ahead("j", "k", "enter")
    assert isinstance(seat.app.screen, InvocationView)
    assert seat.app.screen.invocation_id == before
    await seat.type_ahead("escape", "g")
    assert not isinstance(seat.app.screen, InvocationView)


async def test_a_key_that_gets_lost_holds_up_nobody(
    seat: Seat, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the widget of a key went away before it was handled, the next key goes on."""
    monkeypatch.setattr(typing_ahead, "LOST_AFTER_S", 0.001)
    monkeypatch.setattr(type(seat.app), "Handled", _Unheard)
    await seat.type_ahead("slash", *"Mary")
    assert seat.app.behind == 0


class _Unheard(typing_ahead.Message):
    """A report that nobody hears."""

    def __init__(self, _: object) -> None:
        super().__init__()
