"""The client for asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar, overload

from rtour.sdk.codec import CodecSource, JournalValueCodec, JournalValueCodecProvider
from rtour.sdk.ingress import requests as r
from rtour.sdk.ingress.requests import HttpError, Question, SendResult
from rtour.sdk.ingress.retrying import Retries, read, wait_s
from rtour.sdk.serde import Serde

if TYPE_CHECKING:
    import httpx

T = TypeVar("T")
I = TypeVar("I")  # noqa: E741 - input
O = TypeVar("O")  # noqa: E741 - output
WithInput = Callable[[Any, I], Awaitable[O]]
WithoutInput = Callable[[Any], Awaitable[O]]
AnyHandler = Callable[..., Awaitable[O]]
Headers = Mapping[str, str] | None


class Client:
    """Calls and sends to handlers, and questions about their results."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        retries: Retries,
        codec: JournalValueCodec | JournalValueCodecProvider | None = None,
    ) -> None:
        self._http = http
        self._retries = retries
        self._codec = None if codec is None else CodecSource(codec)

    # --- calls -------------------------------------------------------------------------------

    @overload
    async def service_call(
        self,
        tpe: WithInput[I, O],
        arg: I,
        idempotency_key: str | None = None,
        headers: Headers = None,
    ) -> O: ...
    @overload
    async def service_call(
        self,
        tpe: WithoutInput[O],
        arg: None = None,
        idempotency_key: str | None = None,
        headers: Headers = None,
    ) -> O: ...
    async def service_call(
        self,
        tpe: AnyHandler[O],
        arg: Any = None,
        idempotency_key: str | None = None,
        headers: Headers = None,
    ) -> O:
        """Call a handler of a service and wait for its result."""
        answer: O = await self.ask(r.call(tpe, None, arg, idempotency_key, headers))
        return answer

    @overload
    async def object_call(
        self,
        tpe: WithInput[I, O],
        key: str,
        arg: I,
        idempotency_key: str | None = None,
        headers: Headers = None,
    ) -> O: ...
    @overload
    async def object_call(
        self,
        tpe: WithoutInput[O],
        key: str,
        arg: None = None,
        idempotency_key: str | None = None,
        headers: Headers = None,
    ) -> O: ...
    async def object_call(
        self,
        tpe: AnyHandler[O],
        key: str,
        arg: Any = None,
        idempotency_key: str | None = None,
        headers: Headers = None,
    ) -> O:
        """Call a handler of the virtual object, or workflow, with this key."""
        answer: O = await self.ask(r.call(tpe, key, arg, idempotency_key, headers))
        return answer

    workflow_call = object_call

    async def service_send(
        self,
        tpe: AnyHandler[Any],
        arg: Any = None,
        send_delay: timedelta | None = None,
        idempotency_key: str | None = None,
        headers: Headers = None,
    ) -> SendResult:
        """Call a handler without waiting for it, now or after `send_delay`."""
        return await self.ask(r.send(tpe, None, arg, send_delay, idempotency_key, headers))

    async def object_send(
        self,
        tpe: AnyHandler[Any],
        key: str,
        arg: Any = None,
        send_delay: timedelta | None = None,
        idempotency_key: str | None = None,
        headers: Headers = None,
    ) -> SendResult:
        """Call a handler of the virtual object, or workflow, without waiting for it."""
        return await self.ask(r.send(tpe, key, arg, send_delay, idempotency_key, headers))

    workflow_send = object_send
    workflow_submit = object_send

    async def generic_call(
        self,
        service: str,
        handler: str,
        arg: bytes,
        key: str | None = None,
        idempotency_key: str | None = None,
        headers: Headers = None,
    ) -> bytes:
        """Call any handler by name, with bytes in and out."""
        return await self.ask(r.generic(service, handler, arg, key, idempotency_key, headers))

    async def generic_send(
        self,
        service: str,
        handler: str,
        arg: bytes,
        key: str | None = None,
        send_delay: timedelta | None = None,
        idempotency_key: str | None = None,
        headers: Headers = None,
    ) -> SendResult:
        """Call any handler by name, without waiting for it."""
        question = r.generic(service, handler, arg, key, idempotency_key, headers)
        return await self.ask(r.as_send(question, send_delay))

    def scope(self, scope: str, limit_key: str | None = None) -> ScopedClient:
        """Calls within a scope, with an optional limit key."""
        return ScopedClient(self, scope, limit_key)

    # --- results of earlier calls ------------------------------------------------------------

    async def attach(
        self, invocation_id: str, serde: Serde[T] | None = None, type_hint: type[T] | None = None
    ) -> T:
        """Wait for the result of an invocation."""
        return await self.ask(r.by_id("attach", invocation_id, serde, type_hint))

    async def output(
        self, invocation_id: str, serde: Serde[T] | None = None, type_hint: type[T] | None = None
    ) -> T | None:
        """The result of an invocation if it is finished, else None."""
        return await self._ask_ready(r.by_id("output", invocation_id, serde, type_hint))

    async def workflow_attach(self, tpe: AnyHandler[O], key: str) -> O:
        """Wait for the result of the workflow with this key; `tpe` is its main handler."""
        answer: O = await self.ask(r.by_workflow("attach", tpe, key))
        return answer

    async def workflow_output(self, tpe: AnyHandler[O], key: str) -> O | None:
        """The result of the workflow with this key if it is finished, else None."""
        return await self._ask_ready(r.by_workflow("output", tpe, key))

    async def request_attach(
        self, tpe: AnyHandler[O], idempotency_key: str, key: str | None = None
    ) -> O:
        """Wait for the result of the call with this idempotency key."""
        answer: O = await self.ask(r.by_request("attach", tpe, idempotency_key, key))
        return answer

    async def request_output(
        self, tpe: AnyHandler[O], idempotency_key: str, key: str | None = None
    ) -> O | None:
        """The result of the call with this idempotency key if it is finished, else None."""
        return await self._ask_ready(r.by_request("output", tpe, idempotency_key, key))

    async def resolve_awakeable(
        self, awakeable_id: str, value: Any, serde: Serde[Any] | None = None
    ) -> None:
        """Complete an awakeable."""
        await self.ask(r.resolve_awakeable(awakeable_id, value, serde))

    async def reject_awakeable(self, awakeable_id: str, message: str) -> None:
        """Fail an awakeable."""
        await self.ask(r.reject_awakeable(awakeable_id, message))

    # --- underneath --------------------------------------------------------------------------

    async def ask(self, question: Question[T]) -> T:
        """Send the request, again if that can help, and decode its answer."""
        failures = 0
        while True:
            try:
                return await self._once(question)
            except Exception as error:
                failures += 1
                delay = wait_s(self._retries, question, error, failures)
                if delay is None:
                    raise
            await asyncio.sleep(delay)

    async def _once(self, question: Question[T]) -> T:
        content = question.content
        if self._codec is not None and question.gives_value:
            content = (await self._codec.get()).encode(content)
        response = await self._http.request(
            question.method, question.path, content=content, headers=question.headers
        )
        content = response.content
        if self._codec is not None and question.takes_value and response.is_success:
            content = await (await self._codec.get()).decode(content)
        answer: T = read(question, response.status_code, response.headers, content)
        return answer

    async def _ask_ready(self, question: Question[T]) -> T | None:
        try:
            return await self.ask(question)
        except HttpError as error:
            if error.status_code == r.NOT_READY:
                return None
            raise


class ScopedClient:
    """The calls and sends of a client, within a scope."""

    def __init__(self, client: Client, scope: str, limit_key: str | None) -> None:
        self._client = client
        self._scope = scope
        self._limit_key = limit_key

    async def service_call(
        self, tpe: AnyHandler[O], arg: Any = None, idempotency_key: str | None = None
    ) -> O:
        question = r.call(tpe, None, arg, idempotency_key, None)
        answer: O = await self._client.ask(r.scoped(question, self._scope, self._limit_key))
        return answer

    async def object_call(
        self, tpe: AnyHandler[O], key: str, arg: Any = None, idempotency_key: str | None = None
    ) -> O:
        question = r.call(tpe, key, arg, idempotency_key, None)
        answer: O = await self._client.ask(r.scoped(question, self._scope, self._limit_key))
        return answer

    async def service_send(
        self, tpe: AnyHandler[Any], arg: Any = None, send_delay: timedelta | None = None
    ) -> SendResult:
        question = r.send(tpe, None, arg, send_delay, None, None)
        return await self._client.ask(r.scoped(question, self._scope, self._limit_key, verb="send"))

    async def object_send(
        self, tpe: AnyHandler[Any], key: str, arg: Any = None, send_delay: timedelta | None = None
    ) -> SendResult:
        question = r.send(tpe, key, arg, send_delay, None, None)
        return await self._client.ask(r.scoped(question, self._scope, self._limit_key, verb="send"))

    workflow_call = object_call
    workflow_send = object_send


@asynccontextmanager
async def create_client(
    ingress: str,
    headers: Headers = None,
    journal_value_codec: JournalValueCodec | JournalValueCodecProvider | None = None,
    *,
    token: str | None = None,
    timeout: timedelta | None = None,  # noqa: ASYNC109 - of each request
    retries: Retries | None = None,
) -> AsyncIterator[Client]:
    """A client of the ingress at this URL. Without `timeout`, calls wait as long as it takes.

    `token` is the bearer token that the ingress asks for, if it does.
    """
    import httpx  # noqa: PLC0415 - optional

    limit = httpx.Timeout(timeout.total_seconds() if timeout else None, connect=10)
    async with httpx.AsyncClient(
        base_url=ingress, headers=r.with_token(headers, token), timeout=limit
    ) as http:
        yield Client(http, retries or Retries(), journal_value_codec)
