"""The language of scripts/*.txt: a line is a verb, words, and name=value options.

A block is one or more lines, `----`, and what the engine did, as `narrate` prints it; lines under
`~ message` are what that message led to. Ids show as the names the script gives them.

    at 5000                                  the clock of all that follows
    invoke a Greeter/greet "Hi" reply=7      also send=7 keep=1000/500 start=5000 key=k1
    store a Sleep 5000 1                     an entry of the current attempt; its words are below
    run a 1 "v"                              propose the result of a side effect
    suspend a first(1,s1) delivered=3        also settled() any() all() unknown(); s1 is a signal
    fail a "boom" delay=100                  exhaust a "boom" pause|fail · paused a · end a
    fire a/1                                 the timer of completion 1; a/0 is the delayed start;
                                             first=yes takes the oldest one, not the latest
    signal b 17 "v"                          complete a 2 "v" · attach b reply=8 · output b reply=8
    attach b by=a/7                          an invocation does · tell b, of its number=3
    cancel a                                 kill pause resume purge purge-journal expire
    restart a as=b from=3                    patch Obj/k x=1 · documents service=json
    show a                                   an invocation and its journal, or an object's rows

Results: "text" is a success, !409:text a failure, void is void. Options attempt= and index= send a
report of another attempt than the current one, or an entry out of turn.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator

from rtour.engine import commands as c
from rtour.engine import narrate
from rtour.engine.model import (
    AttemptError,
    CallerSink,
    DocumentKind,
    RequestSink,
    Sink,
    StatePatch,
)
from rtour.ids import awakeable_id
from rtour.protocol import messages as m
from rtour.storage.memory import MemoryStorage

from .world import Step, World

Options = dict[str, str]


class Script:
    """One world and the verbs that act on it."""

    def __init__(self) -> None:
        self.world = World()
        self.awakeables: dict[str, str] = {}

    def perform(self, line: str) -> Iterator[str]:
        verb, *words = shlex.split(line, comments=True)
        options = dict(w.split("=", 1) for w in words if re.match(r"[a-z]+=", w))
        words = [w for w in words if not re.match(r"[a-z]+=", w)]
        if verb == "at":
            self.world.now = int(words[0])
            return
        lines = self.show(words[0]) if verb == "show" else self._decided(verb, words, options)
        for text in lines:
            yield self._named(text)

    def _decided(self, verb: str, words: list[str], options: Options) -> Iterator[str]:
        steps: list[Step] = getattr(self, f"do_{verb.replace('-', '_')}")(*words, **options)
        for step in steps:
            indent = "    " * step.depth
            if step.depth:
                yield f"{indent[4:]}~ {narrate.command(step.record.command)}"
            lines = list(narrate.effects(step.decision))
            yield from (indent + line for line in lines or ["nothing"])

    def _named(self, text: str) -> str:
        for name, id_ in self.world.ids.items():
            text = text.replace(id_, name)
        for name, id_ in self.awakeables.items():
            text = text.replace(id_, name)
        return text.rstrip()

    # --- requests --------------------------------------------------------------------------------

    def do_invoke(self, name, target, body="", **options) -> list[Step]:
        fields = {n: int(options[n]) for n in ("reply", "send") if n in options}
        if "keep" in options:
            fields["keep"] = tuple(map(int, options["keep"].split("/")))
        if "start" in options:
            fields["start_at"] = int(options["start"])
        return self.world.invoke(
            name, target, body.encode(), idempotency_key=options.get("key"), **fields
        )

    def do_attach(self, name, reply="0", by="") -> list[Step]:
        sink: Sink = RequestSink(int(reply))
        if by:
            waiting, _, completion_id = by.partition("/")
            sink = self._caller(waiting, completion_id, m.MessageType.ATTACH_INVOCATION_COMPLETION)
        return self.world.apply(c.Attach(self.world.id(name), sink))

    def do_tell(self, name, number) -> list[Step]:
        return self.world.apply(c.Tell(self.world.id(name), int(number)))

    def do_detach(self, name, reply) -> list[Step]:
        return self.world.apply(c.Detach(self.world.id(name), int(reply)))

    def do_output(self, name, reply) -> list[Step]:
        return self.world.apply(c.GetOutput(self.world.id(name), RequestSink(int(reply))))

    def do_signal(self, name, signal, value="void", reply="0") -> list[Step]:
        index = int(signal) if signal.isdigit() else signal
        return self.world.apply(
            c.Signal(self.world.id(name), index, result(value), request_id=int(reply))
        )

    def do_complete(self, name, completion_id, value="void", number=None) -> list[Step]:
        """An answer for a call of `name`, by default of the invocation that is there now."""
        sink = self._caller(name, completion_id, m.MessageType.CALL_COMPLETION, number)
        return self.world.apply(c.Complete(sink, result(value)))

    def _caller(self, name, completion_id, type_, number=None) -> CallerSink:
        waiting = int(number) if number else self.world.stored(name).number
        return CallerSink(self.world.id(name), waiting, int(completion_id), type_)

    def do_begin(self, name) -> list[Step]:
        return self.world.apply(c.Begin(self.world.id(name)))

    def do_fire(self, which, first="") -> list[Step]:
        name, completion_id = which.split("/")
        return self.world.fire(name, int(completion_id), first=bool(first))

    def do_patch(self, which, version=None, **state) -> list[Step]:
        service, key = which.split("/")
        entries = {name.encode(): value.encode() for name, value in state.items()}
        return self.world.apply(c.PatchState(service, key, StatePatch(entries, version), 1))

    def do_documents(self, **documents) -> list[Step]:
        """An empty document deletes."""
        rows = tuple(
            c.Document(DocumentKind(kind), f"{kind}_1", json.encode() or None)
            for kind, json in documents.items()
        )
        return self.world.apply(c.StoreDocuments(rows, 1))

    # --- reports of attempts ---------------------------------------------------------------------

    def do_store(self, name, entry, *words, **options) -> list[Step]:
        message = ENTRIES[entry](self, *words)
        fields = {"ack": "ack" in options}
        if "attempt" in options:
            fields["attempt"] = int(options["attempt"])
        if "index" in options:
            fields["command_index"] = int(options["index"])
        if "protocol" in options:
            fields["protocol_version"] = int(options["protocol"])
        if "as" in options:
            fields["callee"] = self.world.callee(options["as"], words[0])
        if entry in {"AttachInvocation", "GetInvocationOutput"}:
            fields["resolved"] = self.world.id(words[0])
        return self.world.store(name, message, **fields)

    def do_run(self, name, completion_id, value="") -> list[Step]:
        return self.world.propose(name, int(completion_id), result(value))

    def _attempt(self, name, attempt) -> tuple[str, int]:
        number = int(attempt) if attempt else self.world.attempt(name)
        return self.world.id(name), number

    def do_suspend(self, name, tree, delivered=None, attempt=None) -> list[Step]:
        given = int(delivered) if delivered else len(self.world.journal(name))
        who = self._attempt(name, attempt)
        return self.world.apply(c.AttemptSuspended(*who, future(tree), given))

    def do_fail(self, name, text="boom", delay="0", repeated="", attempt=None) -> list[Step]:
        who = self._attempt(name, attempt)
        error = AttemptError(500, text)
        return self.world.apply(c.AttemptFailed(*who, error, int(delay), bool(repeated)))

    def do_exhaust(self, name, then, text="boom", attempt=None, repeated="") -> list[Step]:
        who = self._attempt(name, attempt)
        error = AttemptError(500, text)
        command = c.AttemptExhausted(*who, error, then == "pause", bool(repeated))
        return self.world.apply(command)

    def do_paused(self, name, attempt=None) -> list[Step]:
        return self.world.apply(c.AttemptPaused(*self._attempt(name, attempt)))

    def do_end(self, name, attempt=None) -> list[Step]:
        return self.world.apply(c.AttemptEnded(*self._attempt(name, attempt)))

    # --- control ---------------------------------------------------------------------------------

    def do_cancel(self, name) -> list[Step]:
        return self.world.apply(c.Cancel(self.world.id(name), 1))

    def do_kill(self, name) -> list[Step]:
        return self.world.apply(c.Kill(self.world.id(name), 1))

    def do_pause(self, name) -> list[Step]:
        return self.world.apply(c.Pause(self.world.id(name), 1))

    def do_resume(self, name, on=None) -> list[Step]:
        return self.world.apply(c.Resume(self.world.id(name), on, 1))

    def do_purge(self, name) -> list[Step]:
        return self.world.apply(c.Purge(self.world.id(name), 1))

    def do_purge_journal(self, name) -> list[Step]:
        return self.world.apply(c.PurgeJournal(self.world.id(name), 1))

    def do_expire(self, name) -> list[Step]:
        return self.world.apply(c.Expire(self.world.id(name)))

    def do_restart(self, name, on=None, **options) -> list[Step]:
        new_id = self.world.id(options["as"])
        index = int(options.get("from", 0))
        return self.world.apply(c.RestartAsNew(self.world.id(name), new_id, index, on, 1))

    # --- looking ---------------------------------------------------------------------------------

    def show(self, what: str) -> Iterator[str]:
        if "/" in what:
            yield from self._show_object(*what.split("/"))
            return
        stored = self.world.stored(what)
        yield f"{what} absent" if stored is None else narrate.invocation(stored)
        for entry in self.world.journal(what):
            yield f"  {entry.index} {narrate.entry(entry)}"

    def _show_object(self, service: str, key: str) -> Iterator[str]:
        assert isinstance(self.world.storage, MemoryStorage)
        tables = self.world.storage.working
        yield f"lock {tables.locks.get((service, key), 'free')}"
        for item in self.world.view.inbox(service, key):
            yield f"inbox {item.sequence} {item.invocation_id or 'patch'}"
        for name, value in self.world.view.all_state(service, key).items():
            yield f"state {name.decode()}={value.decode()}"
        for name, promise in tables.promises.get((service, key), {}).items():
            yield f"promise {name} {promise.result or 'open'}"


# --- words of entries ----------------------------------------------------------------------------


def _awakeable(script: Script, which: str) -> str:
    """`a:17` is the awakeable with signal index 17 of invocation a."""
    name, index = which.split(":")
    return script.awakeables.setdefault(which, awakeable_id(script.world.id(name), int(index)))


def _call(script: Script, target: str, body: str, ids: str) -> m.Call:
    service, *key, handler = target.split("/")
    idx, completion_id = map(int, ids.split(","))
    return m.Call(service, handler, body.encode(), idx, completion_id, key="".join(key))


def _send(script: Script, target: str, body: str, idx: str, at: str = "0") -> m.OneWayCall:
    service, *key, handler = target.split("/")
    return m.OneWayCall(service, handler, body.encode(), int(idx), int(at), key="".join(key))


def _send_signal(script: Script, name: str, signal: str, value: str = "void") -> m.SendSignal:
    index = int(signal) if signal.isdigit() else signal
    return m.SendSignal(script.world.id(name), index, result(value))


ENTRIES: dict[str, Callable[..., m.Command]] = {
    "Output": lambda _, value: m.Output(result(value)),
    "GetLazyState": lambda _, key, id_: m.GetLazyState(key.encode(), int(id_)),
    "SetState": lambda _, key, value: m.SetState(key.encode(), value.encode()),
    "ClearState": lambda _, key: m.ClearState(key.encode()),
    "ClearAllState": lambda _: m.ClearAllState(),
    "GetLazyStateKeys": lambda _, id_: m.GetLazyStateKeys(int(id_)),
    "GetEagerState": lambda _, key, value: m.GetEagerState(key.encode(), result(value)),
    "GetEagerStateKeys": lambda _, *keys: m.GetEagerStateKeys(tuple(k.encode() for k in keys)),
    "GetPromise": lambda _, key, id_: m.GetPromise(key, int(id_)),
    "PeekPromise": lambda _, key, id_: m.PeekPromise(key, int(id_)),
    "CompletePromise": lambda _, key, value, id_: m.CompletePromise(key, result(value), int(id_)),
    "Sleep": lambda _, at, id_: m.Sleep(int(at), int(id_)),
    "Call": _call,
    "OneWayCall": _send,
    "SendSignal": _send_signal,
    "Run": lambda _, id_, name="": m.Run(int(id_), name),
    "AttachInvocation": lambda s, n, id_: m.AttachInvocation(
        m.InvocationId(s.world.id(n)), int(id_)
    ),
    "GetInvocationOutput": lambda s, n, id_: m.GetInvocationOutput(
        m.InvocationId(s.world.id(n)), int(id_)
    ),
    "CompleteAwakeable": lambda s, which, value: m.CompleteAwakeable(
        _awakeable(s, which), result(value)
    ),
}


def result(text: str) -> m.Void | m.Value | m.Failure:
    if text == "void":
        return m.VOID
    if text.startswith("!"):
        code, _, message = text[1:].partition(":")
        return m.Failure(int(code), message)
    return m.Value(text.encode())


COMBINATORS = {
    "unknown": m.Combinator.UNKNOWN,
    "first": m.Combinator.FIRST_COMPLETED,
    "settled": m.Combinator.ALL_COMPLETED,
    "any": m.Combinator.FIRST_SUCCEEDED_OR_ALL_FAILED,
    "all": m.Combinator.ALL_SUCCEEDED_OR_FIRST_FAILED,
}


def future(text: str) -> m.Future:
    """`first(1,s17,'go',all(2,3))`, as `narrate` prints it."""
    tokens = re.findall(r"\w+\(|'\w+'|s?\d+|\)", text)
    node = _node(tokens)
    assert not tokens, f"left over of {text}: {tokens}"
    return node


def _node(tokens: list[str]) -> m.Future:
    combinator = COMBINATORS[tokens.pop(0)[:-1]]
    completions, signals, names, nested = [], [], [], []
    while tokens[0] != ")":
        if tokens[0].endswith("("):
            nested.append(_node(tokens))
            continue
        token = tokens.pop(0)
        if token.startswith("'"):
            names.append(token.strip("'"))
        elif token.startswith("s"):
            signals.append(int(token[1:]))
        else:
            completions.append(int(token))
    tokens.pop(0)
    return m.Future(tuple(completions), tuple(signals), tuple(names), tuple(nested), combinator)
