"""A handler that runs a small program: one step per thing the protocol can do.

A program is a JSON list of steps `{"op": ..., ...}`. Each step's result is collected and returned.
`"as"` keeps a step's value or future under a name; `{"$": name}` in an argument reads it back.
The TypeScript services speak exactly the same language (`interpreter.ts`).
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import restate
from restate.exceptions import RetryableError

from tests.conformance.services.python import outside

Step = dict[str, Any]


class Interpreter:
    """Runs programs against one context; names live as long as the invocation."""

    def __init__(self, ctx: Any) -> None:
        self.ctx = ctx
        self.names: dict[str, Any] = {}

    async def run(self, program: list[Step]) -> list[Any]:
        return [await self._step(step) for step in program]

    async def _step(self, step: Step) -> Any:
        operation = OPERATIONS[step["op"]]
        arguments = {key: self._read(value) for key, value in step.items() if key != "op"}
        result = await operation(self, arguments)
        if "as" in step and step["as"] not in self.names:
            self.names[step["as"]] = result
        return result

    def _read(self, value: Any) -> Any:
        if isinstance(value, dict) and set(value) == {"$"}:
            return self.names[value["$"]]
        return value


def _milliseconds(step: Step, field: str) -> timedelta | None:
    return timedelta(milliseconds=step[field]) if step.get(field) is not None else None


def _bytes(step: Step) -> bytes:
    return json.dumps(step["arg"]).encode() if "arg" in step else b""


def _parsed(raw: bytes) -> Any:
    return json.loads(raw) if raw else None


# State


async def _set(it: Interpreter, step: Step) -> None:
    it.ctx.set(step["k"], step["v"])


async def _get(it: Interpreter, step: Step) -> Any:
    return await it.ctx.get(step["k"])


async def _keys(it: Interpreter, step: Step) -> list[str]:
    return sorted(await it.ctx.state_keys())


async def _clear(it: Interpreter, step: Step) -> None:
    it.ctx.clear(step["k"])


async def _clear_all(it: Interpreter, step: Step) -> None:
    it.ctx.clear_all()


# Calls


async def _call(it: Interpreter, step: Step) -> Any:
    return _parsed(await _started_call(it, step))


def _started_call(it: Interpreter, step: Step) -> Any:
    return it.ctx.generic_call(
        step["svc"],
        step["handler"],
        _bytes(step),
        key=step.get("key"),
        idempotency_key=step.get("idem"),
        headers=step.get("headers"),
    )


async def _start_call(it: Interpreter, step: Step) -> str:
    """Begin a call without waiting for its result; the answer is the callee's id."""
    future = _started_call(it, step)
    it.names[step["as"]] = future
    callee: str = await future.invocation_id()
    it.names[step["as"] + ".id"] = callee
    return callee


async def _await_call(it: Interpreter, step: Step) -> Any:
    return _parsed(await step["of"])


async def _send(it: Interpreter, step: Step) -> str:
    handle = it.ctx.generic_send(
        step["svc"],
        step["handler"],
        _bytes(step),
        key=step.get("key"),
        send_delay=_milliseconds(step, "delay_ms"),
        idempotency_key=step.get("idem"),
        headers=step.get("headers"),
    )
    callee: str = await handle.invocation_id()
    return callee


async def _cancel(it: Interpreter, step: Step) -> None:
    it.ctx.cancel_invocation(step["id"])


async def _attach(it: Interpreter, step: Step) -> Any:
    return await it.ctx.attach_invocation(step["id"])


# Waiting


async def _sleep(it: Interpreter, step: Step) -> None:
    await it.ctx.sleep(timedelta(milliseconds=step["ms"]), name=step.get("name"))


async def _start_sleep(it: Interpreter, step: Step) -> None:
    it.names[step["as"]] = it.ctx.sleep(timedelta(milliseconds=step["ms"]))


async def _awakeable(it: Interpreter, step: Step) -> None:
    """Make an awakeable and publish its id to the outside under `tag`."""
    awakeable_id, future = it.ctx.awakeable()
    it.names[step["as"]] = future
    it.names[step["as"] + ".id"] = awakeable_id
    if "tag" in step:
        outside.effect(step["tag"], awakeable_id)


async def _resolve_awakeable(it: Interpreter, step: Step) -> None:
    it.ctx.resolve_awakeable(step["id"], step.get("v"))


async def _reject_awakeable(it: Interpreter, step: Step) -> None:
    it.ctx.reject_awakeable(step["id"], step["message"])


async def _signal(it: Interpreter, step: Step) -> None:
    it.names[step["as"]] = it.ctx.signal(step["name"])


async def _resolve_signal(it: Interpreter, step: Step) -> None:
    it.ctx.resolve_signal(step["id"], step["name"], step.get("v"))


async def _reject_signal(it: Interpreter, step: Step) -> None:
    it.ctx.reject_signal(step["id"], step["name"], step["message"])


async def _await(it: Interpreter, step: Step) -> Any:
    return await step["of"]


async def _race(it: Interpreter, step: Step) -> str:
    """Wait for the first of the named futures; the answer is its name."""
    winner: list[Any] = await restate.select(**{name: it.names[name] for name in step["of"]})
    return str(winner[0])


async def _all(it: Interpreter, step: Step) -> list[Any]:
    futures = [it.names[name] for name in step["of"]]
    await restate.gather(*futures)
    return [await future for future in futures]


# Promises of a workflow


async def _promise_get(it: Interpreter, step: Step) -> Any:
    return await it.ctx.promise(step["name"]).value()


async def _promise_peek(it: Interpreter, step: Step) -> Any:
    return await it.ctx.promise(step["name"]).peek()


async def _promise_resolve(it: Interpreter, step: Step) -> None:
    await it.ctx.promise(step["name"]).resolve(step["v"])


async def _promise_reject(it: Interpreter, step: Step) -> None:
    await it.ctx.promise(step["name"]).reject(step["message"])


# Steps, failures, and the world outside


async def _run(it: Interpreter, step: Step) -> Any:
    async def action() -> Any:
        attempt = outside.effect(step["tag"])
        if "gate" in step:
            await outside.gate(step["gate"])
        if "terminal" in step:
            raise restate.TerminalError(step["terminal"], status_code=step.get("code", 500))
        if attempt <= step.get("failures", 0):
            raise RuntimeError(f"{step['name']} failed")
        return step.get("v")

    options: Any = restate.RunOptions(
        max_attempts=step.get("max_attempts"),
        initial_retry_interval=_milliseconds(step, "retry_ms"),
    )
    return await it.ctx.run_typed(step["name"], action, options)


async def _fail(it: Interpreter, step: Step) -> None:
    raise restate.TerminalError(
        step["message"], status_code=step.get("code", 500), metadata=step.get("metadata")
    )


async def _throw(it: Interpreter, step: Step) -> None:
    """Fail this attempt, `times` times in all (for ever when it is missing)."""
    attempt = outside.effect(step["tag"])
    if attempt > step.get("times", attempt):
        return
    if "retry_after_ms" in step:
        delay = timedelta(milliseconds=step["retry_after_ms"])
        raise RetryableError(step["message"], retry_after=delay)
    raise RuntimeError(step["message"])


async def _try(it: Interpreter, step: Step) -> Any:
    try:
        return await it.run(step["do"])
    except restate.TerminalError as error:
        caught = {"caught": error.message, "code": error.status_code}
        if error.metadata:
            caught["metadata"] = dict(error.metadata)
        return [caught, *await it.run(step.get("catch", []))]


async def _effect(it: Interpreter, step: Step) -> None:
    outside.effect(step["tag"], str(step.get("text", "")))


async def _gate(it: Interpreter, step: Step) -> None:
    await outside.gate(step["name"])


async def _value(it: Interpreter, step: Step) -> Any:
    return step["v"]


async def _me(it: Interpreter, step: Step) -> str:
    invocation_id: str = it.ctx.request().id
    return invocation_id


async def _headers(it: Interpreter, step: Step) -> dict[str, str]:
    given = it.ctx.request().headers
    return {name: given[name] for name in step["names"] if name in given}


OPERATIONS: dict[str, Callable[[Interpreter, Step], Awaitable[Any]]] = {
    "set": _set,
    "get": _get,
    "keys": _keys,
    "clear": _clear,
    "clear_all": _clear_all,
    "call": _call,
    "start_call": _start_call,
    "await_call": _await_call,
    "send": _send,
    "cancel": _cancel,
    "attach": _attach,
    "sleep": _sleep,
    "start_sleep": _start_sleep,
    "awakeable": _awakeable,
    "resolve_awakeable": _resolve_awakeable,
    "reject_awakeable": _reject_awakeable,
    "signal": _signal,
    "resolve_signal": _resolve_signal,
    "reject_signal": _reject_signal,
    "await": _await,
    "race": _race,
    "all": _all,
    "promise_get": _promise_get,
    "promise_peek": _promise_peek,
    "promise_resolve": _promise_resolve,
    "promise_reject": _promise_reject,
    "run": _run,
    "fail": _fail,
    "throw": _throw,
    "try": _try,
    "effect": _effect,
    "gate": _gate,
    "value": _value,
    "me": _me,
    "headers": _headers,
}


async def execute(ctx: Any, program: list[Step]) -> list[Any]:
    """Run one program and return the result of each of its steps."""
    return await Interpreter(ctx).run(program)
