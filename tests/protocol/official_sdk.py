"""The official Python SDK driven in process: frames in, frames out, no sockets.

`SCENARIOS` are invocations that together use every message the SDK can write. Run this module to
record what it writes into `vectors/` (from `tests/`: `python -m protocol.official_sdk`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import restate
from restate.exceptions import TerminalError

from rtour.protocol import messages as m
from rtour.protocol.discovery import invocation_content_type
from rtour.protocol.framing import Decoder, Frame, decode, encode, frame

VECTORS = Path(__file__).parent / "vectors"
TIMEOUT_S = 10

plain = restate.Service("Plain")
obj = restate.VirtualObject("Obj")
flow = restate.Workflow("Flow")


@plain.handler()
async def greet(ctx: restate.Context, name: str) -> str:
    return f"Hello {name}"


@plain.handler()
async def nap(ctx: restate.Context) -> None:
    await ctx.sleep(timedelta(seconds=60), name="nap")


@plain.handler()
async def refuse(ctx: restate.Context) -> None:
    raise TerminalError("no", status_code=400)


@plain.handler()
async def call(ctx: restate.Context) -> bytes:
    handle = ctx.generic_call(
        "Other", "h", b"arg", key="k", idempotency_key="ik", headers={"a": "b", "c": ""}
    )
    return await handle


@plain.handler()
async def send(ctx: restate.Context) -> str:
    ctx.generic_send("Other", "h", b"arg", send_delay=timedelta(seconds=60), headers={"a": "b"})
    handle = ctx.generic_send("Other", "h", b"", key="k", idempotency_key="ik")
    return await handle.invocation_id()


@plain.handler()
async def scoped(ctx: restate.Context) -> bytes:
    ctx.generic_send("Other", "h", b"", scope="s", limit_key="l")
    return await ctx.generic_call("Other", "h", b"", scope="s", limit_key="l")


@plain.handler()
async def step(ctx: restate.Context) -> str:
    return await ctx.run_typed("side", lambda: "r1")


@plain.handler()
async def failed_step(ctx: restate.Context) -> str:
    def fail() -> str:
        raise TerminalError("step", status_code=409)

    return await ctx.run_typed("side", fail)


@plain.handler()
async def join(ctx: restate.Context) -> None:
    _, awakened = ctx.awakeable()
    naps = [ctx.sleep(timedelta(seconds=60 + index)) for index in range(2)]
    await restate.gather(ctx.signal("go"), awakened, *naps)


@plain.handler()
async def race(ctx: restate.Context) -> None:
    _, awakened = ctx.awakeable()
    await restate.select(woken=awakened, late=ctx.sleep(timedelta(seconds=60)))


@plain.handler()
async def retried_step(ctx: restate.Context) -> str:
    def fail() -> str:
        raise ValueError("boom")

    options = restate.RunOptions[str](initial_retry_interval=timedelta(milliseconds=20))
    return await ctx.run_typed("side", fail, options)


@plain.handler()
async def settle(ctx: restate.Context) -> bytes:
    ctx.resolve_awakeable("sign_1AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYAAAAEQ", {"x": 1})
    ctx.reject_awakeable("sign_1AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYAAAAEQ", "no", 409)
    ctx.resolve_signal("inv_1jQ2jrgLYm057cPGjNoLgUUtxmIyM6QRwV", "go", "now")
    ctx.reject_signal("inv_1jQ2jrgLYm057cPGjNoLgUUtxmIyM6QRwV", "go", "no", 409)
    ctx.cancel_invocation("inv_1jQ2jrgLYm057cPGjNoLgUUtxmIyM6QRwV")
    return await ctx.attach_invocation("inv_1jQ2jrgLYm057cPGjNoLgUUtxmIyM6QRwV")


@obj.handler()
async def state(ctx: restate.ObjectContext) -> list[Any]:
    known = [await ctx.get("a"), await ctx.get("missing")]
    ctx.set("b", {"x": 1})
    ctx.clear("a")
    known += [await ctx.get("b"), await ctx.state_keys()]
    ctx.clear_all()
    return known


@obj.handler()
async def lazy_state(ctx: restate.ObjectContext) -> Any:
    return await ctx.get("a")


@obj.handler()
async def lazy_keys(ctx: restate.ObjectContext) -> list[str]:
    return list(await ctx.state_keys())


@flow.main()
async def run(ctx: restate.WorkflowContext) -> Any:
    await ctx.promise("a").peek()
    await ctx.promise("b").resolve("done")
    await ctx.promise("c").reject("no", 400)
    return await ctx.promise("d").value()


APP = restate.app([plain, obj, flow], protocol="bidi")


class Scenario(NamedTuple):
    """An invocation: its target, and what the server sends after Start.

    `on_frame` may answer a frame of the SDK with another message while the request is open;
    without it the request ends at once.
    """

    target: str
    sent: tuple[m.Message, ...] = (m.Input(),)
    state: tuple[m.StateEntry, ...] = ()
    partial: bool = True
    key: str = ""
    on_frame: Callable[[m.Message, int], m.Message | None] | None = None


def completed(code: m.MessageType, id_: int, result: m.Result = m.VOID) -> m.Notification:
    return m.Notification(code, id_, result)


def acknowledge(message: m.Message, version: int) -> m.Message | None:
    """Make a proposed result durable, as a server does."""
    if not isinstance(message, m.ProposeRunCompletion):
        return None
    if version >= 7:
        return m.ProposeRunCompletionAck(message.result_completion_id)
    code = m.MessageType.RUN_COMPLETION
    return completed(code, message.result_completion_id, message.result)


PROMISES = (
    m.Input(),
    m.PeekPromise("a", 1),
    completed(m.MessageType.PEEK_PROMISE_COMPLETION, 1),
    m.CompletePromise("b", m.Value(b'"done"'), 2),
    completed(m.MessageType.COMPLETE_PROMISE_COMPLETION, 2),
)
SCENARIOS = {
    "greet": Scenario("Plain/greet", (m.Input((m.Header("a", "b"),), b'"Ada"'),)),
    "nap": Scenario("Plain/nap"),
    "refuse": Scenario("Plain/refuse"),
    "mismatch": Scenario("Plain/nap", (m.Input(), m.Run(1, "side"))),
    "call": Scenario("Plain/call"),
    "send": Scenario("Plain/send"),
    "step": Scenario("Plain/step", on_frame=acknowledge),
    "failed_step": Scenario("Plain/failed_step", on_frame=acknowledge),
    "retried_step": Scenario("Plain/retried_step", on_frame=acknowledge),
    "suspended_step": Scenario("Plain/step"),
    "join": Scenario("Plain/join"),
    "race": Scenario("Plain/race"),
    "settle": Scenario("Plain/settle"),
    "state": Scenario("Obj/state", state=(m.StateEntry(b"a", b"1"),), partial=False, key="k"),
    "lazy_state": Scenario("Obj/lazy_state", key="k"),
    "lazy_keys": Scenario("Obj/lazy_keys", key="k"),
    "peek_promise": Scenario("Flow/run", key="k"),
    "resolve_promise": Scenario("Flow/run", PROMISES[:3], key="k"),
    "reject_promise": Scenario("Flow/run", PROMISES, key="k"),
    "await_promise": Scenario(
        "Flow/run",
        (
            *PROMISES,
            m.CompletePromise("c", m.Failure(400, "no"), 3),
            completed(m.MessageType.COMPLETE_PROMISE_COMPLETION, 3),
        ),
        key="k",
    ),
    "scoped": Scenario("Plain/scoped"),
}
SINCE_V7 = {"scoped"}
UNRECORDED = {"retried_step"}
"""Its stack trace names the machine's paths."""


async def invoke(scenario: Scenario, version: int) -> list[Frame]:
    """The frames the official SDK answers with."""
    requests: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    _open(requests, scenario, version)
    decoder = Decoder()
    frames: list[Frame] = []

    async def receive() -> dict[str, Any]:
        return await requests.get()

    async def send_back(event: dict[str, Any]) -> None:
        if event["type"] != "http.response.body":
            return
        decoder.feed(event["body"])
        while (got := decoder.next_frame()) is not None:
            frames.append(got)
            _react(requests, scenario, decode(got.type, got.payload, version), version)

    await asyncio.wait_for(APP(_scope(scenario.target, version), receive, send_back), TIMEOUT_S)
    return frames


def _open(requests: asyncio.Queue[dict[str, Any]], scenario: Scenario, version: int) -> None:
    start = m.Start(
        bytes(range(1, 25)),
        "inv_1dbg",
        len(scenario.sent),
        scenario.state,
        scenario.partial,
        scenario.key,
        random_seed=42,
    )
    body = b"".join(encode(message, version) for message in (start, *scenario.sent))
    _put(requests, body, more=scenario.on_frame is not None)


def _react(
    requests: asyncio.Queue[dict[str, Any]], scenario: Scenario, message: m.Message, version: int
) -> None:
    if isinstance(message, m.End | m.Suspension | m.Error):
        _put(requests, b"", more=False)  # the SDK waits for this, see §2.4
    elif scenario.on_frame and (answer := scenario.on_frame(message, version)):
        _put(requests, encode(answer, version), more=True)


def _put(requests: asyncio.Queue[dict[str, Any]], body: bytes, more: bool) -> None:
    requests.put_nowait({"type": "http.request", "body": body, "more_body": more})


def _scope(target: str, version: int) -> dict[str, Any]:
    content_type = invocation_content_type(version).encode()
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "2",
        "method": "POST",
        "scheme": "http",
        "path": f"/invoke/{target}",
        "raw_path": f"/invoke/{target}".encode(),
        "query_string": b"",
        "headers": [(b"content-type", content_type), (b"accept", content_type)],
    }


def cases() -> list[tuple[str, int]]:
    """(scenario, version), where the version knows what the scenario needs."""
    return [
        (name, version)
        for name in SCENARIOS
        for version in (5, 6, 7)
        if version >= 7 or name not in SINCE_V7
    ]


def record() -> None:
    VECTORS.mkdir(exist_ok=True)
    for name, version in cases():
        if version > 5 and name not in UNRECORDED:
            frames = asyncio.run(invoke(SCENARIOS[name], version))
            path = VECTORS / f"{name}.v{version}.bin"
            path.write_bytes(b"".join(frame(got.type, got.payload, got.flags) for got in frames))


if __name__ == "__main__":
    record()
