"""The ingress: calls, one-way calls, results, awakeables."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

import msgspec

from rtour.client.failures import (
    ClientError,
    InvocationFailed,
    NotFound,
    Rejected,
    ServerFailed,
)
from rtour.client.model import Reply, Sent
from rtour.client.transport import Answer, Origin


class Target(msgspec.Struct, frozen=True):
    """A handler, and the key for virtual objects and workflows."""

    service: str
    handler: str
    key: str | None = None

    def __str__(self) -> str:
        key = "" if self.key is None else f"{self.key}/"
        return f"{self.service}/{key}{self.handler}"

    @property
    def path(self) -> str:
        """The path at the ingress; only the key is percent-decoded there."""
        key = "" if self.key is None else f"{quote(self.key, safe='')}/"
        return f"/{self.service}/{key}{self.handler}"


class Ingress:
    """Typed calls of the ingress."""

    def __init__(self, origin: Origin) -> None:
        self.origin = origin

    async def call(
        self,
        target: Target,
        body: bytes | None,
        *,
        headers: Mapping[str, str],
        timeout_s: float | None = None,
    ) -> Reply:
        """Calls and waits for the result, as long as it takes unless `timeout_s` is given."""
        answer = await self.origin.send(
            "POST", target.path, content=body, headers=headers, timeout_s=timeout_s
        )
        return self._reply(answer)

    async def send(
        self,
        target: Target,
        body: bytes | None,
        *,
        headers: Mapping[str, str],
        delay: str | None = None,
    ) -> Sent:
        """Hands the call over and returns once the server has it."""
        params = {"delay": delay} if delay else None
        answer = await self.origin.send(
            "POST", f"{target.path}/send", content=body, headers=headers, params=params
        )
        if not answer.ok:
            raise self._failure(answer)
        return msgspec.json.decode(answer.body, type=_Sent).public()

    async def attach(self, invocation_id: str, *, timeout_s: float | None = None) -> Reply:
        """Waits for the result of an invocation."""
        path = f"/restate/invocation/{invocation_id}/attach"
        return self._reply(await self.origin.send("GET", path, timeout_s=timeout_s))

    async def output(self, invocation_id: str) -> Reply:
        """The result of an invocation if it has one; `NotReady` if not."""
        path = f"/restate/invocation/{invocation_id}/output"
        return self._reply(await self.origin.send("GET", path))

    async def resolve_awakeable(
        self, awakeable_id: str, body: bytes, content_type: str = "application/json"
    ) -> None:
        """Completes an awakeable with a value."""
        await self._complete(awakeable_id, "resolve", body, content_type)

    async def reject_awakeable(self, awakeable_id: str, reason: str) -> None:
        """Completes an awakeable with a failure."""
        await self._complete(awakeable_id, "reject", reason.encode(), "text/plain")

    async def _complete(self, awakeable_id: str, verb: str, body: bytes, content_type: str) -> None:
        answer = await self.origin.send(
            "POST",
            f"/restate/awakeables/{quote(awakeable_id, safe='')}/{verb}",
            content=body,
            headers={"content-type": content_type},
        )
        if not answer.ok:
            raise self._failure(answer)

    def _reply(self, answer: Answer) -> Reply:
        # A handler may end in a terminal error with code 200: the header tells, not the status.
        failed = answer.headers.get("x-restate-error-source") is not None
        if not answer.ok or failed:
            raise self._failure(answer)
        return Reply(
            body=answer.body,
            content_type=answer.headers.get("content-type"),
            invocation_id=answer.headers.get("x-restate-id"),
        )

    def _failure(self, answer: Answer) -> ClientError:
        try:
            error = msgspec.json.decode(answer.body, type=_Error)
        except msgspec.DecodeError:
            return self.origin.failure(answer)
        source = answer.headers.get("x-restate-error-source") or error.source
        invocation_id = answer.headers.get("x-restate-id")
        if source == "invocation" and answer.status == 404 and error.message == "not found":
            return NotFound(
                f"no result for {invocation_id or 'this invocation'}",
                expected="an invocation that runs, or whose result is still kept",
                status=404,
            )
        if source == "ingress" and error.message == "the invoked service is not public":
            hint = "handlers and Kafka may invoke it; rtour services config patch makes it public"
            return Rejected(error.message, hint=hint, status=answer.status)
        # Servers before 1.7.4 do not name the source; a concrete id means the handler spoke.
        if source == "invocation" or (source is None and invocation_id):
            return InvocationFailed(
                error.message,
                status=error.code,
                invocation_id=invocation_id,
                metadata=error.metadata,
            )
        return self.origin.failure(answer)


class _Error(msgspec.Struct):
    code: int
    message: str
    source: str | None = None
    metadata: dict[str, str] = {}


class _Sent(msgspec.Struct, rename="camel"):
    invocation_id: str
    status: str
    execution_time: str | None = None

    def public(self) -> Sent:
        try:
            return msgspec.convert(msgspec.structs.asdict(self), Sent)
        except msgspec.ValidationError as error:
            raise ServerFailed(f"the ingress answered an unknown time: {error}") from error
