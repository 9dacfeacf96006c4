"""The list of planted bugs: where, what stands there, and what is put in its place."""

from __future__ import annotations

from tests.simulation.plant import Mutant
from tests.simulation.planted_around import DRIVEN_TIME, LIMITS, SUBSCRIPTIONS, WAITERS
from tests.simulation.planted_storage import DAMAGE, LEDGER, READERS, STORAGE, WAITERS_STORED

_PROCESSOR = "rtour.server.processor:Processor."
_LIFECYCLE = "rtour.engine.lifecycle:"
_OUTCOMES = "rtour.engine.outcomes:"
_JOURNAL = "rtour.engine.journal:"
_OBJECTS = "rtour.engine.objects:"
_CONTROL = "rtour.engine.control:"
_INVOKER = "rtour.server.invoker:Invoker."
_ATTEMPT = "rtour.server.attempt:Attempt."
_TIMERS = "rtour.server.timers:Timers."
_MAIN = "rtour.server.main:Server."
_MEMORY = "rtour.storage.memory:"

PROCESSOR = (
    Mutant(
        "acts before the commit",
        _PROCESSOR + "_commit",
        "self._committing = actions\n",
        "self._committing = []\n        self._dispatch_all(actions)\n",
    ),
    Mutant(
        "goes on after a failed commit",
        _PROCESSOR + "_committed",
        "if error is not None:",
        "if False:",
    ),
    Mutant(
        "messages to other keys wait for the next batch",
        _PROCESSOR + "_apply",
        "pending += decision.messages",
        "list(map(self.propose, decision.messages))",
    ),
    Mutant(
        "only one message of a decision is carried out",
        _PROCESSOR + "_apply",
        "pending += decision.messages",
        "pending += decision.messages[:1]",
    ),
    Mutant(
        "sequences begin again after a restart",
        _PROCESSOR + "start",
        "recovered.last_sequence",
        "0",
    ),
    Mutant(
        "a large batch loses actions",
        _PROCESSOR + "_dispatch_all",
        "for action in actions:",
        "for action in actions[:4]:",
    ),
)

ENGINE = (
    Mutant(
        "the fence lets old attempts through",
        _LIFECYCLE + "current",
        "invocation if invocation.attempt == report.attempt else None",
        "invocation",
    ),
    Mutant(
        "a repeated entry is not recognised",
        _JOURNAL + "on_store_entry",
        "invocation is not None and command.command_index == invocation.commands",
        "invocation is not None",
    ),
    Mutant(
        "what came before the suspension is forgotten",
        _LIFECYCLE + "on_attempt_suspended",
        "_still_awaited(view, invocation, command.awaiting, command.delivered)",
        "command.awaiting",
    ),
    Mutant(
        "completions do not reach the suspended",
        _OUTCOMES + "on_complete",
        "invocation.status not in LIVE",
        "invocation.status is not Status.INVOKED",
    ),
    Mutant(
        "a failed invocation keeps its lock",
        _LIFECYCLE + "finish",
        "if target.takes_lock:",
        "if target.takes_lock and not isinstance(result, Failure):",
    ),
    Mutant(
        "the queue of an object is served last come first",
        _OBJECTS + "release",
        "view.inbox(service, key)",
        "reversed(list(view.inbox(service, key)))",
    ),
    Mutant(
        "who is killed while queueing stays in the queue",
        _CONTROL + "_erase",
        "if invocation.status is Status.INBOXED:",
        "if False:",
    ),
    Mutant(
        "two may hold an object",
        _OBJECTS + "run_or_queue",
        "if view.lock(target.service, target.key) is not None:",
        "if view.lock(target.service, target.key) is not None and record.sequence % 3:",
    ),
    Mutant(
        "an idempotent request runs again once it has ended",
        _LIFECYCLE + "on_invoke",
        "if existing is not None:",
        "if existing is not None and existing.result is None:",
    ),
    Mutant(
        "a late joiner is never answered",
        _LIFECYCLE + "_join",
        "elif existing.result is not None:",
        "elif False:",
    ),
    Mutant(
        "a timer outlives its firing",
        _OUTCOMES + "fire_sleep",
        "decision.changes.append(DeleteTimer(timer))",
        "pass",
    ),
    Mutant(
        "sleeps are 20 ms short",
        _JOURNAL + "_sleep",
        "entry.wake_up_time,",
        "entry.wake_up_time - 20,",
    ),
    Mutant(
        "delayed sends start at once",
        _LIFECYCLE + "admit",
        "if invocation.scheduled_start_at is None:",
        "if True:",
    ),
    Mutant(
        "a promise may be resolved twice",
        _JOURNAL + "_complete_promise",
        "if promise.result is not None:",
        "if False:",
    ),
    Mutant(
        "a pause lets the lock go",
        _LIFECYCLE + "pause",
        "_event(decision, at, invocation, EventType.PAUSED, error)",
        "_event(decision, at, invocation, EventType.PAUSED, error)\n"
        "    if invocation.target.takes_lock:\n"
        "        from rtour.engine.changes import DeleteLock\n"
        "        decision.changes.append(DeleteLock(invocation.target.service, "
        "invocation.target.key))",
    ),
    Mutant(
        "a workflow's promises outlive it",
        _OBJECTS + "forget_workflow",
        "decision.changes.append(ClearPromises(target.service, target.key))",
        "pass",
    ),
)

INVOKER = (
    Mutant(
        "what comes before the attempt begins is lost",
        _INVOKER + "notify",
        "journal_length=action.entry.index + 1",
        "journal_length=activation.invocation.journal_length",
    ),
    Mutant(
        "who waits for a slot waits for ever",
        _INVOKER + "_run_next",
        "while not self._stopping and",
        "while self._stopping and",
    ),
    Mutant(
        "slots are not given back",
        "rtour.server.ready:ReadyQueue.end",
        "self._free += 1",
        "self._free += not self._lines",
    ),
    Mutant(
        "who was left to storage is not brought back",
        "rtour.server.ready:ReadyQueue.next",
        "line.refill(self._bring_back)",
        "line.left = type(line.left)()",
    ),
    Mutant(
        "a try that was left to storage is never made",
        "rtour.server.back_off:BackOff.wait",
        "heapq.heappush(self._order, packed)",
        "self._order = self._order or [packed]",
    ),
    Mutant(
        "a try that was left to storage is made once more after a resume",
        "rtour.server.back_off:BackOff.take",
        "self._left.pop(id_, None)",
        "self._left.get(id_)",
    ),
    Mutant(
        "notifications before the connection are dropped",
        _ATTEMPT + "_send",
        "self._early.append(data)",
        "pass",
    ),
    Mutant(
        "what comes after the input was closed counts as delivered",
        _ATTEMPT + "notify",
        "if not self.input_open:\n",
        "if not self.input_open:\n        self._delivered = entry.index + 1\n",
    ),
    Mutant(
        "a pause before the next try is forgotten",
        _LIFECYCLE + "on_attempt_paused",
        "if invocation is not None and invocation.pause_requested:",
        "if False:",
    ),
)

TIME_AND_RECOVERY = (
    Mutant(
        "timers fire 30 ms early",
        _TIMERS + "_fire",
        "self._heap[0].at <= now",
        "self._heap[0].at <= now + 30",
    ),
    Mutant(
        "timers beyond the window are never loaded",
        _TIMERS + "_fire",
        "self._refill()",
        "break",
    ),
    Mutant(
        "timers put out of the window are forgotten",
        _TIMERS + "_shrink",
        "self._complete = False",
        "self._complete = True",
    ),
    Mutant(
        "a restart forgets timers",
        _TIMERS + "start",
        "self._refill()",
        "self._complete = True",
    ),
    Mutant(
        "a restart forgets what ran",
        _MAIN + "_go_on",
        "self.invoker.recover()",
        "0",
    ),
    Mutant(
        "a restart forgets what was tried before",
        _MEMORY + "MemoryStorage.running_after",
        "if each.status is Status.INVOKED",
        "if each.attempt == 1 and each.status is Status.INVOKED",
    ),
    Mutant(
        "a restart forgets deployments",
        _MAIN + "_recover",
        "self.registry.load(recovered.documents)",
        "pass",
    ),
    Mutant(
        "requests are numbered anew after a restart",
        _MAIN + "_build",
        "first_id=self._machine.now_ms() * REQUEST_IDS_PER_MS",
        "first_id=1",
    ),
    Mutant(
        "the cleaner forgets what has not expired",
        _CONTROL + "on_expire",
        "if invocation.expires_at <= record.at:",
        "if True:",
    ),
)

MUTANTS = (
    *PROCESSOR,
    *ENGINE,
    *INVOKER,
    *TIME_AND_RECOVERY,
    *DRIVEN_TIME,
    *SUBSCRIPTIONS,
    *LIMITS,
    *WAITERS,
    *STORAGE,
    *WAITERS_STORED,
    *LEDGER,
    *DAMAGE,
    *READERS,
)
