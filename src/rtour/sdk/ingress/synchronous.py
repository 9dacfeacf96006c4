"""The client without asyncio, for scripts and synchronous web frameworks."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar, overload

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


class SyncClient:
    """Calls and sends to handlers, and questions about their results."""

    def __init__(self, http: httpx.Client, retries: Retries) -> None:
        self._http = http
        self._retries = retries

    # --- calls -------------------------------------------------------------------------------

    @overload
    def service_call(
        self,
        tpe: WithInput[I, O],
        arg: I,
        idempotency_key: str | None = None,
        headers: Headers = None,
    ) -> O: ...
    @overload
    def service_call(
        self,
        tpe: WithoutInput[O],
        arg: None = None,
        idempotency_key: str | None = None,
        headers: Headers = None,
    ) -> O: ...
    def service_call(
        self,
        tpe: AnyHandler[O],
        arg: Any = None,
        idempotency_key: str | None = None,
        headers: Headers = None,
    ) -> O:
        """Call a handler of a service and wait for its result."""
        answer: O = self.ask(r.call(tpe, None, arg, idempotency_key, headers))
        return answer

    @overload
    def object_call(
        self,
        tpe: WithInput[I, O],
        key: str,
        arg: I,
        idempotency_key: str | None = None,
        headers: Headers = None,
    ) -> O: ...
    @overload
    def object_call(
        self,
        tpe: WithoutInput[O],
        key: str,
        arg: None = None,
        idempotency_key: str | None = None,
        headers: Headers = None,
    ) -> O: ...
    def object_call(
        self,
        tpe: AnyHandler[O],
        key: str,
        arg: Any = None,
        idempotency_key: str | None = None,
        headers: Headers = None,
    ) -> O:
        """Call a handler of the virtual object, or workflow, with this key."""
        answer: O = self.ask(r.call(tpe, key, arg, idempotency_key, headers))
        return answer

    workflow_call = object_call

    def service_send(
        self,
        tpe: AnyHandler[Any],
        arg: Any = None,
        send_delay: timedelta | None = None,
        idempotency_key: str | None = None,
        headers: Headers = None,
    ) -> SendResult:
        """Call a handler without waiting for it, now or after `send_delay`."""
        return self.ask(r.send(tpe, None, arg, send_delay, idempotency_key, headers))

    def object_send(
        self,
        tpe: AnyHandler[Any],
        key: str,
        arg: Any = None,
        send_delay: timedelta | None = None,
        idempotency_key: str | None = None,
        headers: Headers = None,
    ) -> SendResult:
        """Call a handler of the virtual object, or workflow, without waiting for it."""
        return self.ask(r.send(tpe, key, arg, send_delay, idempotency_key, headers))

    workflow_send = object_send
    workflow_submit = object_send

    def generic_call(
        self,
        service: str,
        handler: str,
        arg: bytes,
        key: str | None = None,
        idempotency_key: str | None = None,
        headers: Headers = None,
    ) -> bytes:
        """Call any handler by name, with bytes in and out."""
        return self.ask(r.generic(service, handler, arg, key, idempotency_key, headers))

    def generic_send(
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
        return self.ask(r.as_send(question, send_delay))

    # --- results of earlier calls ------------------------------------------------------------

    def attach(
        self, invocation_id: str, serde: Serde[T] | None = None, type_hint: type[T] | None = None
    ) -> T:
        """Wait for the result of an invocation."""
        return self.ask(r.by_id("attach", invocation_id, serde, type_hint))

    def output(
        self, invocation_id: str, serde: Serde[T] | None = None, type_hint: type[T] | None = None
    ) -> T | None:
        """The result of an invocation if it is finished, else None."""
        return self._ask_ready(r.by_id("output", invocation_id, serde, type_hint))

    def workflow_attach(self, tpe: AnyHandler[O], key: str) -> O:
        """Wait for the result of the workflow with this key; `tpe` is its main handler."""
        answer: O = self.ask(r.by_workflow("attach", tpe, key))
        return answer

    def workflow_output(self, tpe: AnyHandler[O], key: str) -> O | None:
        """The result of the workflow with this key if it is finished, else None."""
        return self._ask_ready(r.by_workflow("output", tpe, key))

    def request_attach(self, tpe: AnyHandler[O], idempotency_key: str, key: str | None = None) -> O:
        """Wait for the result of the call with this idempotency key."""
        answer: O = self.ask(r.by_request("attach", tpe, idempotency_key, key))
        return answer

    def request_output(
        self, tpe: AnyHandler[O], idempotency_key: str, key: str | None = None
    ) -> O | None:
        """The result of the call with this idempotency key if it is finished, else None."""
        return self._ask_ready(r.by_request("output", tpe, idempotency_key, key))

    def resolve_awakeable(
        self, awakeable_id: str, value: Any, serde: Serde[Any] | None = None
    ) -> None:
        """Complete an awakeable."""
        self.ask(r.resolve_awakeable(awakeable_id, value, serde))

    def reject_awakeable(self, awakeable_id: str, message: str) -> None:
        """Fail an awakeable."""
        self.ask(r.reject_awakeable(awakeable_id, message))

    # --- underneath --------------------------------------------------------------------------

    def ask(self, question: Question[T]) -> T:
        """Send the request, again if that can help, and decode its answer."""
        failures = 0
        while True:
            try:
                return self._once(question)
            except Exception as error:
                failures += 1
                delay = wait_s(self._retries, question, error, failures)
                if delay is None:
                    raise
            time.sleep(delay)  # noqa: TID251 - a client of real servers, in real time

    def _once(self, question: Question[T]) -> T:
        response = self._http.request(
            question.method, question.path, content=question.content, headers=question.headers
        )
        answer: T = read(question, response.status_code, response.headers, response.content)
        return answer

    def _ask_ready(self, question: Question[T]) -> T | None:
        try:
            return self.ask(question)
        except HttpError as error:
            if error.status_code == r.NOT_READY:
                return None
            raise


@contextmanager
def create_sync_client(
    ingress: str,
    headers: Headers = None,
    *,
    token: str | None = None,
    timeout: timedelta | None = None,
    retries: Retries | None = None,
) -> Iterator[SyncClient]:
    """A client of the ingress at this URL. Without `timeout`, calls wait as long as it takes.

    `token` is the bearer token that the ingress asks for, if it does.
    """
    import httpx  # noqa: PLC0415 - optional

    limit = httpx.Timeout(timeout.total_seconds() if timeout else None, connect=10)
    with httpx.Client(
        base_url=ingress, headers=r.with_token(headers, token), timeout=limit
    ) as http:
        yield SyncClient(http, retries or Retries())
