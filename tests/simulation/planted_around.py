"""The planted bugs of what stands beside the round: time, subscriptions, limits, who waits."""

from __future__ import annotations

from tests.simulation.plant import Mutant

_TIME = "rtour.server.time_control:TimeControl."
_READER = "rtour.server.kafka.reader:Reader."
_WAITING = "rtour.engine.waiting:"
_BUDGET = "rtour.server.byte_budget:ByteBudget."
_REQUESTS = "rtour.server.requests:Requests."

DRIVEN_TIME = (
    Mutant(
        "a skip takes effect before it is stored",
        _TIME + "_become",
        "await self._store(state)\n    self.clock.state = state",
        "self.clock.state = state\n    await self._store(state)",
    ),
    Mutant(
        "a skip is not stored",
        _TIME + "_become",
        "await self._store(state)",
        "pass",
    ),
    Mutant(
        "a freeze is stored before the clock stops",
        _TIME + "_freeze",
        "self.clock.state = before.frozen(self.clock.machine.now_ms())\n",
        "frozen = before.frozen(self.clock.machine.now_ms())\n"
        "    await self._store(frozen)\n    self.clock.state = frozen\n",
    ),
    Mutant(
        "a freeze is not stored",
        _TIME + "_freeze",
        "await self._store(self.clock.state)",
        "pass",
    ),
    Mutant(
        "a clock that is let go shows the machine's time",
        _TIME + "_resume",
        "before.running(self.clock.machine.now_ms(), auto=auto)",
        "type(before)(auto=auto)",
    ),
    Mutant(
        "a clock may be skipped into the past",
        _TIME + "_skip",
        "if by_ms <= 0:",
        "if False:",
    ),
    Mutant(
        "timers do not hear of a skip",
        _TIME + "_look_again",
        "self._timers.clock_changed()",
        "0",
    ),
    Mutant(
        "retries do not hear of a skip",
        _TIME + "_look_again",
        "self._invoker.back_off.clock_changed()",
        "0",
    ),
    Mutant(
        "a restart forgets how the clock stood",
        "rtour.server.time_control:restore",
        "state = _stored(recovered.documents)",
        "state = ClockState()",
    ),
    Mutant(
        "a restart does not look at the last record's time",
        "rtour.server.time_control:restore",
        "if short_ms <= 0",
        "if True",
    ),
    Mutant(
        "instants of services are taken as they are",
        "rtour.server.attempt:Attempt._on_command",
        "if by_ms := ahead_ms(self._world.clock):",
        "if by_ms := 0:",
    ),
    Mutant(
        "delays of sends are taken as they are",
        "rtour.server.service_times:shifted",
        "if isinstance(entry, OneWayCall) and entry.invoke_time:",
        "if False:",
    ),
)

SUBSCRIPTIONS = (
    Mutant(
        "a record that is read again invokes again",
        "rtour.engine.places:advance",
        "if place.offset <= last:",
        "if False:",
    ),
    Mutant(
        "how far a subscription has come is forgotten",
        "rtour.engine.places:advance",
        "places[place.source] = place.offset",
        "pass",
    ),
    Mutant(
        "Kafka hears of a record before it is durable",
        _READER + "_take_in_order",
        "deliveries = [",
        "if commands:\n        await client.taken(records[len(commands) - 1])\n    deliveries = [",
    ),
    Mutant(
        "a reader that failed is not made anew",
        _READER + "run",
        "while not self._ended:",
        "for _ in range(1):",
    ),
    Mutant(
        "a restart reads no topics",
        "rtour.server.kafka.subscriptions:Subscriptions.load",
        "self._subscriptions[subscription.id] = subscription",
        "pass",
    ),
)

LIMITS = (
    Mutant(
        "who went away counts as waiting for ever",
        _REQUESTS + "ask",
        "self._callers -= lasting",
        "pass",
    ),
    Mutant(
        "a place that got a slot gets no other",
        "rtour.server.ready:ReadyQueue._first",
        "self._lines[place] = line  # behind the others",
        "pass",
    ),
    Mutant(
        "a part of the state passes for all of it",
        "rtour.server.attempt_opening:_eager_state",
        "return tuple(entries), True",
        "return tuple(entries), False",
    ),
    Mutant(
        "room that was taken is not given back",
        _BUDGET + "give_back",
        "self.left += claim.amount",
        "pass",
    ),
    Mutant(
        "who waits for room is not woken",
        _BUDGET + "_serve",
        "_wake(room)",
        "pass",
    ),
    Mutant(
        "room that was free goes to nobody who waits",
        _BUDGET + "give_back",
        "self._serve()",
        "pass",
    ),
    Mutant(
        "who is killed as it waits for room is given it",
        _BUDGET + "leave",
        "self._waiting.pop(claim, None)",
        "self._waiting.get(claim)",
    ),
    Mutant(
        "a large message loses its last piece",
        "rtour.server.attempt:Attempt._last_of",
        "return data",
        "return data[:-1]",
    ),
    Mutant(
        "a large message that broke off keeps its room",
        "rtour.server.attempt_room:AttemptRoom.end",
        "(self._first, self.message)",
        "(self._first,)",
    ),
)

WAITERS = (
    Mutant(
        "only the first who wait are told",
        _WAITING + "tell_all",
        "decision.changes.append(PutTelling(telling))",
        "pass",
    ),
    Mutant(
        "who was told is told again",
        _WAITING + "_tell_next",
        "decision.changes.append(DeleteWaiter(telling.id, telling.number, sink))",
        "pass",
    ),
    Mutant(
        "the last one who waits is not told",
        _WAITING + "_tell_next",
        "answer(decision, sink, telling.result, telling.id)",
        "sink is waiting[-1] or answer(decision, sink, telling.result, telling.id)",
    ),
    Mutant(
        "what was told is kept",
        _WAITING + "on_tell",
        "decision.changes.append(DeleteTelling(telling.id, telling.number))",
        "pass",
    ),
    Mutant(
        "who waits goes with the invocation's row",
        "rtour.storage.memory:_delete_invocation",
        "del tables.invocations[change.id]",
        "del tables.invocations[change.id]\n    tables.waiters.pop(change.number, None)",
    ),
    Mutant(
        "who leaves the row leaves its place empty",
        _WAITING + "_without",
        "return (*left, *following)",
        "return left",
    ),
    Mutant(
        "a restart forgets who is still to be told",
        "rtour.server.main:Server._go_on",
        "self.tellings.start()",
        "pass",
    ),
)
