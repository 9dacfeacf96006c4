"""Contexts over the peer: what each method writes, reads and returns."""

from __future__ import annotations

import dataclasses
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest

import rtour
from rtour.protocol import messages as m
from tests.sdk.peer import AttemptFailedError, Peer

pytestmark = pytest.mark.usefixtures("either_loop")

service = rtour.Service("S")
counter = rtour.VirtualObject("Counter")
workflow = rtour.Workflow("W")


@dataclasses.dataclass
class Order:
    item: str
    count: int = 1


@service.handler()
async def plain(ctx: rtour.Context, text: str) -> str:
    return text


@counter.handler()
async def add(ctx: rtour.ObjectContext, amount: int) -> int:
    """Adds to the counter."""
    total = (await ctx.get("total", type_hint=int) or 0) + amount
    ctx.set("total", total)
    return total


@counter.handler(kind="shared")
async def total(ctx: rtour.ObjectSharedContext) -> int:
    return await ctx.get("total", type_hint=int) or 0


@workflow.main()
async def run(ctx: rtour.WorkflowContext, order: Order) -> str:
    return f"{ctx.key()} {order.item}"


async def ask(handler: Any, **options: Any) -> tuple[Any, Peer]:
    """Run a one-off handler with `ctx`; its result and the peer."""
    one_off = rtour.VirtualObject("OneOff")
    one_off.handler("handler")(handler)
    peer = Peer(one_off, key="k", **options)
    return await peer.invoke("OneOff/handler"), peer


async def test_state() -> None:
    """Reads see own writes; keys are listed; typed values come back as their type."""

    async def handler(ctx: rtour.ObjectContext) -> list[Any]:
        ctx.set("order", Order("tea", 2), entry_name="keep it")
        order = await ctx.get("order", type_hint=Order)
        keys = await ctx.state_keys()
        ctx.clear("order")
        ctx.clear_all()
        return [ctx.key(), order == Order("tea", 2), keys, await ctx.get("order")]

    result, peer = await ask(handler)
    assert result == ["k", True, ["order"], None]
    assert peer.commands()[0] == m.SetState(b"order", b'{"item": "tea", "count": 2}', "keep it")


async def test_typed_calls() -> None:
    """The decorated handler is the address and gives the types; one without input needs none."""

    async def handler(ctx: rtour.ObjectContext) -> list[Any]:
        added = await ctx.object_call(add, "k", 5, headers={"a": "b"})
        ran = await ctx.workflow_call(run, key="w", arg=Order("tea"), idempotency_key="i")
        return [added, ran, await ctx.object_call(total, "k")]

    one_off = rtour.Service("OneOff")
    one_off.handler("handler")(handler)
    peer = Peer(one_off)
    peer.answers = lambda call: m.Value(b'"w tea"' if call.service_name == "W" else b"5")
    assert await peer.invoke("OneOff/handler") == [5, "w tea", 5]
    first, second, third = peer.commands()[:3]
    assert first == m.Call("Counter", "add", b"5", 1, 2, (m.Header("a", "b"),), "k")
    assert second == m.Call(
        "W", "run", b'{"item": "tea", "count": 1}', 3, 4, (), "w", idempotency_key="i"
    )
    assert third == m.Call("Counter", "total", b"", 5, 6, (), "k")


async def test_sends_are_delayed_from_now() -> None:
    """A delay becomes an absolute time; none, or zero, means now."""

    async def handler(ctx: rtour.ObjectContext) -> None:
        ctx.object_send(add, "k", 1)
        ctx.object_send(add, "k", 1, send_delay=timedelta(0))
        ctx.object_send(add, "k", 1, send_delay=timedelta(hours=1))

    _, peer = await ask(handler)
    now, zero, later = [x.invoke_time for x in peer.commands() if isinstance(x, m.OneWayCall)]
    assert (now, zero) == (0, 0)
    assert later > 3_600_000


async def test_clients_are_services_with_methods() -> None:
    """`ctx.client(service, key).handler(arg)` calls, `.send` sends; typos are told."""

    async def handler(ctx: rtour.ObjectContext) -> list[Any]:
        mine = ctx.client(counter, "k")
        mine.add.send(1, delay=timedelta(seconds=1))
        with pytest.raises(AttributeError, match="no handler 'subtract'; it has: add, total"):
            _ = mine.subtract
        with pytest.raises(ValueError, match="needs a key"):
            ctx.client(counter)
        with pytest.raises(ValueError, match="has no key"):
            ctx.client(service, "k")
        return [await mine.add(4)]

    result, peer = await ask(handler)
    assert result == [4]
    assert [type(command) for command in peer.commands()[:2]] == [m.OneWayCall, m.Call]


async def test_randomness_is_repeatable() -> None:
    """The generator is seeded by the server and shared by `uuid`, as in the official SDK."""

    async def handler(ctx: rtour.ObjectContext) -> list[Any]:
        return [str(ctx.uuid()), ctx.random() is ctx.random()]

    result, _ = await ask(handler)
    assert result == ["bdd640fb-0667-4ad1-9c80-317fa3b1799d", True]


async def test_request_tells_what_it_was_called_with() -> None:
    """Id, headers and raw body; those of the attempt are apart."""

    async def handler(ctx: rtour.ObjectContext) -> list[Any]:
        request = ctx.request()
        return [request.id, dict(request.headers), request.body.decode(), request.idempotency_key]

    result, _ = await ask(handler)
    assert result == ["inv_1test", {}, "", None]


async def test_attaching() -> None:
    """By invocation id, workflow key, or idempotency key; the result is typed by its handler."""

    async def handler(ctx: rtour.ObjectContext) -> None:
        ctx.attach_invocation("inv_1x", type_hint=Order)
        ctx.attach_workflow(run, "w")
        ctx.attach_request(add, "once", key="k")
        ctx.invocation_output("inv_1x")
        ctx.workflow_output(run, "w")
        ctx.request_output(add, "once", key="k")
        with pytest.raises(ValueError, match="invocation id"):
            ctx.attach_invocation("")

    _, peer = await ask(handler)
    targets = [
        m.InvocationId("inv_1x"),
        m.WorkflowTarget("W", "w"),
        m.IdempotentRequestTarget("Counter", "add", "once", service_key="k"),
    ]
    assert peer.commands()[:6] == [
        *(m.AttachInvocation(target, n) for n, target in enumerate(targets, 1)),
        *(m.GetInvocationOutput(target, n) for n, target in enumerate(targets, 4)),
    ]


async def test_scoped_calls_need_v7() -> None:
    """On V7 scope and limit key travel; before, the attempt fails and says so."""

    async def handler(ctx: rtour.ObjectContext) -> int:
        return await ctx.scope("tenant").object_call(add, "k", 1, limit_key="a/b")

    result, peer = await ask(handler, version=7)
    assert result == 1
    call = peer.commands()[0]
    assert isinstance(call, m.Call)
    assert (call.scope, call.limit_key) == ("tenant", "a/b")
    with pytest.raises(AttemptFailedError, match="v7"):
        await ask(handler, version=6)


async def test_scoped_calls_and_sends() -> None:
    """Every typed method is there within a scope, too."""

    async def handler(ctx: rtour.ObjectContext) -> int:
        tenant = ctx.scope("tenant")
        tenant.object_send(add, "k", 1, send_delay=timedelta(hours=1), limit_key="a")
        tenant.service_send(plain, "x", limit_key="a")
        return await tenant.service_call(plain, "y")

    result, peer = await ask(handler, version=7)
    assert result == "y"
    kinds = [(type(x), x.scope, x.limit_key) for x in peer.commands()[:3]]  # type: ignore[attr-defined]
    assert kinds == [
        (m.OneWayCall, "tenant", "a"),
        (m.OneWayCall, "tenant", "a"),
        (m.Call, "tenant", None),
    ]


async def test_by_name() -> None:
    """Bytes to any handler, and bytes back."""

    async def handler(ctx: rtour.ObjectContext) -> str:
        sent = ctx.generic_send("S", "h", b"x", send_delay=timedelta(hours=1))
        ctx.cancel_invocation("inv_1x")
        answer = await ctx.generic_call("S", "h", b"raw", key="k", idempotency_key="i")
        await sent.cancel_invocation()
        call = ctx.generic_call("S", "h", b"")
        await call.cancel_invocation()
        return answer.decode()

    one_off = rtour.Service("OneOff")
    one_off.handler("handler")(handler)
    peer = Peer(one_off)
    peer.completes_sends = True
    assert await peer.invoke("OneOff/handler") == "raw"
    cancelled = [x.target_invocation_id for x in peer.commands() if isinstance(x, m.SendSignal)]
    assert cancelled == ["inv_1x", "inv_1sent1", "inv_1callee5"]


async def test_signals_and_awakeables() -> None:
    """What is sent to others is one command each, serialized by its value or serde."""

    async def handler(ctx: rtour.ObjectContext) -> list[str]:
        ctx.resolve_awakeable("sign_1x", Order("tea"))
        ctx.reject_awakeable("sign_1x", "no", 503)
        ctx.resolve_signal("inv_1x", "bell", "ding")
        ctx.reject_signal("inv_1x", "bell", "broken")
        return [await ctx.signal("bell", type_hint=str), await ctx.awakeable(type_hint=str)[1]]

    one_off = rtour.Service("OneOff")
    one_off.handler("handler")(handler)
    peer = Peer(one_off)
    peer.signal(m.Notification(m.MessageType.SIGNAL, "bell", m.Value(b'"rung"')))
    peer.signal(m.Notification(m.MessageType.SIGNAL, 17, m.Value(b'"woken"')))
    assert await peer.invoke("OneOff/handler") == ["rung", "woken"]
    assert peer.commands()[:4] == [
        m.CompleteAwakeable("sign_1x", m.Value(b'{"item": "tea", "count": 1}')),
        m.CompleteAwakeable("sign_1x", m.Failure(503, "no")),
        m.SendSignal("inv_1x", "bell", m.Value(b'"ding"')),
        m.SendSignal("inv_1x", "bell", m.Failure(500, "broken")),
    ]


async def test_promises() -> None:
    """Each use is a command of its own; losing a race is a TerminalError at the await."""

    async def handler(ctx: rtour.WorkflowContext) -> list[Any]:
        promise = ctx.promise("p", type_hint=Order)
        seen: list[Any] = [await promise.peek()]
        await promise.resolve(Order("tea"))
        try:
            await promise.reject("too late", 410)
        except rtour.TerminalError as error:
            seen.append(error.status_code)
        return [*seen, (await promise).item]

    one_off = rtour.Workflow("OneOff")
    one_off.main("handler")(handler)
    peer = Peer(one_off, key="k", streaming=False)
    kinds = m.MessageType
    peer.journal_at_start = [
        m.Notification(kinds.PEEK_PROMISE_COMPLETION, 1, m.VOID),
        m.Notification(kinds.COMPLETE_PROMISE_COMPLETION, 2, m.VOID),
        m.Notification(kinds.COMPLETE_PROMISE_COMPLETION, 3, m.Failure(409, "completed")),
        m.Notification(kinds.GET_PROMISE_COMPLETION, 4, m.Value(b'{"item": "tea"}')),
    ]
    assert await peer.invoke("OneOff/handler") == [None, 409, "tea"]
    assert peer.commands()[:4] == [
        m.PeekPromise("p", 1),
        m.CompletePromise("p", m.Value(b'{"item": "tea", "count": 1}'), 2),
        m.CompletePromise("p", m.Failure(410, "too late"), 3),
        m.GetPromise("p", 4),
    ]


async def test_callers_must_name_handlers() -> None:
    """A plain function is no address; the error says what is."""

    async def handler(ctx: rtour.ObjectContext) -> None:
        async def plain(_ctx: rtour.Context) -> None: ...

        with pytest.raises(ValueError, match="is no handler"):
            ctx.service_call(plain)

    await ask(handler)


# --- context managers and extensions -------------------------------------------------------------

events: list[str] = []


@rtour.extensions.contextvar
@asynccontextmanager
async def connection() -> Any:
    events.append("open")
    yield "a connection"
    events.append("close")


@asynccontextmanager
async def outer() -> Any:
    events.append("enter")
    yield
    events.append("exit")


managed = rtour.Service("Managed", invocation_context_managers=[outer])


@managed.handler(invocation_context_managers=[connection])
async def uses(ctx: rtour.Context) -> str:
    assert rtour.extensions.current_context() is ctx
    await ctx.sleep(timedelta(seconds=1))
    return connection.value


async def test_context_managers_surround_each_attempt() -> None:
    """The service's first, then the handler's; left in reverse, also when suspended."""
    events.clear()
    peer = Peer(managed, streaming=False)
    assert await peer.invoke("Managed/uses") == "a connection"
    assert events[-4:] == ["enter", "open", "close", "exit"]
    assert peer.attempts == 2
    with pytest.raises(LookupError):
        _ = connection.value


class Extension:
    def __init__(self) -> None:
        self.closed = False

    async def __close__(self) -> None:
        self.closed = True


async def test_extension_data_lives_as_long_as_an_attempt() -> None:
    """Integrations keep what they need on the context; it is closed at the end."""
    extension = Extension()

    async def handler(ctx: rtour.ObjectContext) -> bool:
        rtour.extensions.set_extension_data(ctx, "x", extension)
        rtour.extensions.set_extension_data(ctx, "y", 1)
        rtour.extensions.clear_extension_data(ctx, "y")
        return rtour.extensions.get_extension_data(ctx, "x") is extension

    result, _ = await ask(handler)
    assert result is True
    assert extension.closed


def test_there_is_no_context_outside_of_handlers() -> None:
    """Integrations test for None."""
    assert rtour.extensions.current_context() is None
