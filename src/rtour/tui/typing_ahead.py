"""Keys that are typed faster than they are handled, each handled where the last one led.

Textual hands a key to the widget in focus as it comes in. When several come at once, as they do
over SSH, from a paste or from quick fingers, `/Mary` would give `M`, `a`, `r` and `y` to the list
which `/` is about to leave, where they are commands. So a key waits here until what the one
before it did is done: the focus moved, the dialog composed.
"""

from __future__ import annotations

from collections import deque

from textual import events, on
from textual.app import App
from textual.message import Message
from textual.timer import Timer

# A key whose widget went away is never reported as handled.
LOST_AFTER_S = 1.0


class TypingAhead(App[None]):
    """An app that takes its keys one by one."""

    class Handled(Message):
        """Follows a key through the same queues: when it arrives at the app, so has the key."""

        def __init__(self, key: events.Key) -> None:
            super().__init__()
            self.key = key

    def __init__(self) -> None:
        super().__init__()
        self._typed: deque[events.Key] = deque()
        self._given_up: Timer | None = None

    @property
    def behind(self) -> int:
        """How many keys are not handled yet."""
        return len(self._typed)

    async def on_event(self, event: events.Event) -> None:
        """Lets a key through if none is under way."""
        if not isinstance(event, events.Key) or event.is_forwarded:
            await super().on_event(event)
            return
        self._typed.append(event)
        if len(self._typed) == 1:
            await self._pass_on(event)

    async def _pass_on(self, key: events.Key) -> None:
        target = self.focused or self.screen
        self._given_up = self.set_timer(LOST_AFTER_S, lambda: self._next(key))
        await super().on_event(key)
        target.post_message(self.Handled(key))

    @on(Handled)
    def _on_handled(self, message: Handled) -> None:
        # A new screen answers when it is composed; then what it left for later comes first.
        key = message.key
        self.screen.call_later(lambda: self.call_later(self._next, key))

    async def _next(self, key: events.Key) -> None:
        if self._typed and self._typed[0] is key:
            self._typed.popleft()
            if self._given_up is not None:
                self._given_up.stop()
            if self._typed:
                await self._pass_on(self._typed[0])
