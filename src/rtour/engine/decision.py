"""What a record leads to, gathered while its handler runs."""

from __future__ import annotations

from rtour.engine.actions import Action, Outcome, Respond, Response, Verdict
from rtour.engine.changes import Change, PutInvocation
from rtour.engine.commands import Command
from rtour.engine.model import Invocation


class Decision:
    """The changes to store, the actions after the commit, and the messages to other keys.

    Messages are commands for other partition keys: the processor applies them as records of their
    own in the same batch, so cause and effect become durable together. With several nodes they
    would be outbox rows.
    """

    __slots__ = ("actions", "changes", "messages")

    def __init__(self) -> None:
        self.changes: list[Change] = []
        self.actions: list[Action] = []
        self.messages: list[Command] = []

    def put(self, invocation: Invocation) -> None:
        self.changes.append(PutInvocation(invocation))

    def respond(self, request_id: int, response: Response) -> None:
        """Answer a request, if somebody asked."""
        if request_id:
            self.actions.append(Respond(request_id, response))

    def outcome(self, request_id: int, verdict: Verdict, message: str = "") -> Decision:
        """Answer a control operation; returns self, to end a handler with."""
        self.respond(request_id, Outcome(verdict, message))
        return self
