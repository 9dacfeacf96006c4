"""A processor of one thread: stamps records, applies them, and feeds messages back.

Messages of a decision become records of their own right behind it, before the next command from
outside, as in the server's batches. Every read is checked against `apply.keys`, and everything
that happened is kept for the tests to look at.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from rtour.engine.actions import Action, Respond, Response
from rtour.engine.apply import apply, keys
from rtour.engine.changes import PutTimer
from rtour.engine.commands import (
    Callee,
    Command,
    FireTimer,
    Invoke,
    ProposeRun,
    Record,
    StoreEntry,
)
from rtour.engine.decision import Decision
from rtour.engine.model import (
    Entry,
    FromIngress,
    HandlerType,
    Invocation,
    RequestSink,
    ServiceType,
    Target,
    Timer,
)
from rtour.engine.view import View
from rtour.ids import make_invocation_id
from rtour.protocol.framing import decode, encode_payload
from rtour.protocol.messages import COMMAND_TYPES, Notification, Value
from rtour.protocol.messages import Command as CommandEntry
from rtour.storage import Storage
from rtour.storage.memory import DeclaredView, MemoryStorage

DEPLOYMENT = "dp_1"


def target(text: str) -> Target:
    """`Greeter/greet` is a service; `Flow…/key/run` a workflow; other `Object/key/handler` virtual
    objects. Handlers named `peek…` and all other handlers of workflows are shared.
    """
    service, *key, handler = text.split("/")
    if not key:
        return Target(service, handler)
    shared = handler.startswith("peek")
    if service.startswith("Flow"):
        kind = HandlerType.WORKFLOW if handler == "run" else HandlerType.SHARED
        return Target(service, handler, key[0], ServiceType.WORKFLOW, kind)
    kind = HandlerType.SHARED if shared else HandlerType.EXCLUSIVE
    return Target(service, handler, key[0], ServiceType.VIRTUAL_OBJECT, kind)


class Step(NamedTuple):
    """One record and what it came to; `depth` counts the messages between it and its cause."""

    record: Record
    decision: Decision
    depth: int


class World:
    """Names stand for ids: `world.id("a")` is a real invocation id, the same every time."""

    def __init__(self, storage: Storage | None = None) -> None:
        self.storage = storage or MemoryStorage()
        self.now = 1000
        self.sequence = 0
        self.ids: dict[str, str] = {}
        self.timers: list[Timer] = []
        self.actions: list[Action] = []
        self.responses: dict[int, list[Response]] = {}

    @property
    def view(self) -> View:
        return self.storage.view

    def id(self, name: str) -> str:
        """The id of the invocation called `name`; made on first use."""
        return self.ids.setdefault(name, make_invocation_id(0, len(self.ids) + 1))

    def stored(self, name: str) -> Invocation | None:
        return self.view.invocation(self.id(name))

    def journal(self, name: str) -> list[Entry]:
        invocation = self.stored(name)
        return [] if invocation is None else self.view.entries(invocation)

    def notifications(self, name: str) -> list[Notification]:
        messages = [decode(entry.type, entry.raw) for entry in self.journal(name)]
        return [message for message in messages if isinstance(message, Notification)]

    def apply(self, command: Command) -> list[Step]:
        """Decide the command and all it leads to, writing each decision before the next."""
        steps: list[Step] = []
        waiting = deque([(command, 0)])
        while waiting:
            next_command, depth = waiting.popleft()
            step = self._decide(next_command, depth)
            steps.append(step)
            waiting.extend((message, depth + 1) for message in step.decision.messages)
        return steps

    def _decide(self, command: Command, depth: int) -> Step:
        self.sequence += 1
        record = Record(self.sequence, self.now, command)
        decision = apply(DeclaredView(self.view, keys(command)), record)
        self.storage.write(decision.changes, sequence=record.sequence, at=record.at)
        self.timers += [c.timer for c in decision.changes if isinstance(c, PutTimer)]
        for action in decision.actions:
            self.actions.append(action)
            if isinstance(action, Respond):
                self.responses.setdefault(action.request_id, []).append(action.response)
        return Step(record, decision, depth)

    # --- what ingress and attempts would propose -------------------------------------------------

    def invoke(self, name: str, target_text: str, body: bytes = b"", **fields) -> list[Step]:
        """A request from outside; `reply` and `send` are request ids, `keep` retentions in ms."""
        reply = fields.pop("reply", None)
        completion, journal = fields.pop("keep", (0, 0))
        return self.apply(
            Invoke(
                self.id(name),
                target(target_text),
                FromIngress(),
                body=body,
                sink=None if reply is None else RequestSink(reply),
                accept_request_id=fields.pop("send", 0),
                completion_retention_ms=completion,
                journal_retention_ms=journal,
                **fields,
            )
        )

    def attempt(self, name: str) -> int:
        invocation = self.stored(name)
        return 0 if invocation is None else invocation.attempt

    def store(
        self,
        name: str,
        entry: CommandEntry,
        callee: Callee | None = None,
        resolved: str | None = None,
        **fields,
    ) -> list[Step]:
        """The current attempt sends its next entry, if `attempt` and `command_index` say so."""
        invocation = self.stored(name)
        fields.setdefault("attempt", self.attempt(name))
        fields.setdefault("command_index", invocation.commands if invocation else 0)
        fields.setdefault("protocol_version", 6)
        return self.apply(
            StoreEntry(
                id=self.id(name),
                entry=entry,
                type=COMMAND_TYPES[type(entry)],
                raw=encode_payload(entry),
                deployment_id=DEPLOYMENT,
                callee=callee,
                resolved_id=resolved,
                **fields,
            )
        )

    def propose(self, name: str, completion_id: int, result=Value(b"")) -> list[Step]:  # noqa: B008
        attempt = self.attempt(name)
        return self.apply(ProposeRun(self.id(name), attempt, completion_id, result, DEPLOYMENT, 6))

    def callee(self, name: str, target_text: str, keep: tuple[int, int] = (0, 0)) -> Callee:
        return Callee(self.id(name), target(target_text), *keep)

    def timer(self, name: str, completion_id: int, *, first: bool = False) -> Timer:
        """The latest or first timer set for this completion, whether it is stored still or not."""
        id_ = self.id(name)
        found = [
            t for t in self.timers if (t.invocation_id, t.completion_id) == (id_, completion_id)
        ]
        return found[0 if first else -1]

    def fire(self, name: str, completion_id: int, *, first: bool = False) -> list[Step]:
        return self.apply(FireTimer(self.timer(name, completion_id, first=first)))
