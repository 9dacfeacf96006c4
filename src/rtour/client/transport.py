"""One HTTP origin: requests out, bytes or a `ClientError` back.

Knows HTTP and how failures are told; knows no route and no struct. The httpx transport is
injectable, so that tests put an ASGI app or a `MockTransport` where the network was.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from rtour.client.failures import (
    ClientError,
    Rejected,
    TimedOut,
    TooLarge,
    Unreachable,
    by_status,
)
from rtour.client.lean import absent
from rtour.redaction import redact
from rtour.unreadable import UNREADABLE

with absent("httpx._main"):
    import httpx

MAX_RESPONSE_BYTES = 256 * 1024 * 1024
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
LOOPBACK = {"localhost", "127.0.0.1", "::1"}


class Connection(msgspec.Struct, frozen=True, kw_only=True):
    """Where a server is and how to talk to it."""

    admin_url: str = "http://127.0.0.1:9070"
    ingress_url: str = "http://127.0.0.1:8080"
    token: str | None = None
    ingress_token: str | None = None
    ca_file: str | None = None
    certificate: str | None = None
    """PEM file of the server's very own certificate: it is believed whatever its name and issuer,
    and no other one is.
    """
    connect_timeout_s: float = 3.0
    request_timeout_s: float = 13.0
    verify_tls: bool = True
    max_response_bytes: int = MAX_RESPONSE_BYTES


class Answer(msgspec.Struct, frozen=True):
    """What came back: any status, the whole body."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def ok(self) -> bool:
        """Whether it is a 2xx."""
        return 200 <= self.status < 300


class Origin:
    """Requests to one base URL."""

    def __init__(
        self,
        base_url: str,
        connection: Connection,
        *,
        role: str,
        token: str | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self.role = role
        self._connection = connection
        self._token = token
        self._transport = transport
        self._made: httpx.AsyncClient | None = None

    @property
    def _shown(self) -> str:
        """The URL as errors may show it."""
        return redact(self.base_url)

    @property
    def _http(self) -> httpx.AsyncClient:
        """Made when first needed: most commands talk to one of two origins only."""
        if self._made is None:
            self._made = self._client()
        return self._made

    def _client(self) -> httpx.AsyncClient:
        headers = {"user-agent": "rtour"}
        if self._token:
            headers["authorization"] = f"Bearer {self._token}"
        url, transport = _socket(self.base_url)
        return httpx.AsyncClient(
            base_url=url,
            headers=headers,
            transport=self._transport or transport,
            verify=_verify(url, self._connection),
            trust_env=httpx.URL(url).host not in LOOPBACK,
            timeout=httpx.Timeout(
                self._connection.request_timeout_s, connect=self._connection.connect_timeout_s
            ),
        )

    async def send(
        self,
        method: str,
        path: str,
        *,
        content: bytes | None = None,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        timeout_s: float | None = -1.0,
    ) -> Answer:
        """Sends and reads to the end; any HTTP status is an answer. `timeout_s=None` waits."""
        timeout = self._timeout(timeout_s)
        try:
            async with self._http.stream(
                method, path, content=content, params=params, headers=headers, timeout=timeout
            ) as response:
                body = await self._read(response)
        except httpx.InvalidURL as error:
            raise Rejected(f"not a URL: {error}") from error
        except httpx.ConnectTimeout as error:
            raise self._unreachable("no connection in time") from error
        except httpx.TimeoutException as error:
            raise TimedOut(
                f"no answer from {self._shown} in time ({method} {path})",
                hint="raise --request-timeout, or look at the server's log",
            ) from error
        except httpx.UnsupportedProtocol as error:
            raise Unreachable(
                f"'{self._shown}' is not an http:// or https:// URL",
                expected="a URL such as http://localhost:9070",
            ) from error
        except (httpx.HTTPError, ssl.SSLError) as error:
            raise self._unreachable(str(error) or type(error).__name__) from error
        return Answer(response.status_code, response.headers, body)

    async def json(
        self,
        method: str,
        path: str,
        *,
        body: Any = msgspec.UNSET,
        params: Mapping[str, str] | None = None,
    ) -> Answer:
        """Sends JSON (if any); a status outside 2xx raises."""
        content, headers = None, {"accept": "application/json"}
        if body is not msgspec.UNSET:
            content = msgspec.json.encode(body)
            headers["content-type"] = "application/json"
        answer = await self.send(method, path, content=content, params=params, headers=headers)
        if not answer.ok:
            raise self.failure(answer)
        return answer

    def failure(self, answer: Answer) -> ClientError:
        """The error that an answer outside 2xx tells of."""
        message, code = _message(answer)
        kind = by_status(answer.status)
        hint = ""
        if answer.status == 401:
            variable = "RESTATE_AUTH_TOKEN" if self.role == "admin" else "RTOUR_INGRESS_TOKEN"
            hint = f"set {variable}, or the token of the environment in use"
        return kind(message, code=code, status=answer.status, hint=hint)

    async def close(self) -> None:
        """Closes the connections."""
        if self._made is not None:
            await self._made.aclose()

    def _timeout(self, timeout_s: float | None) -> httpx.Timeout | None:
        if timeout_s == -1.0:
            return self._http.timeout
        return httpx.Timeout(timeout_s, connect=self._connection.connect_timeout_s)

    async def _read(self, response: httpx.Response) -> bytes:
        parts, size = [], 0
        async for part in response.aiter_bytes():
            parts.append(part)
            size += len(part)
            if size > self._connection.max_response_bytes:
                raise TooLarge(
                    f"the answer exceeds {self._connection.max_response_bytes // 2**20} MiB",
                    hint="ask for less: fewer columns, a WHERE, a LIMIT",
                )
        return b"".join(parts)

    def _unreachable(self, reason: str) -> Unreachable:
        start = "start one with `rtour up`" if self.role == "admin" else "is the server running?"
        return Unreachable(
            f"cannot reach the {self.role} at {self._shown}: {reason}",
            expected="a running Restate or rtour server",
            hint=f"{start}; `rtour info` shows where the address comes from",
        )


def _socket(url: str) -> tuple[str, httpx.AsyncBaseTransport | None]:
    """The URL to put in requests, and what to send them through unless httpx is to choose."""
    if url.startswith("unix:"):
        path = "/" + url.removeprefix("unix:").lstrip("/")
        return "http://localhost", httpx.AsyncHTTPTransport(uds=path)
    if url.startswith("http:") and httpx.URL(url).host in LOOPBACK:
        from rtour.client.loopback import LoopbackTransport  # noqa: PLC0415 - imports httpx

        return url, LoopbackTransport()
    return url, None


def _verify(url: str, connection: Connection) -> ssl.SSLContext | bool:
    # Loading the CA bundle costs 15 ms, and plain HTTP has no use for it.
    if not connection.verify_tls or not url.startswith("https:"):
        return False
    if connection.certificate is not None:
        return _only(Path(connection.certificate))
    if connection.ca_file is None:
        return True
    try:
        return ssl.create_default_context(cafile=connection.ca_file)
    except OSError as error:
        raise Unreachable(
            f"cannot use the authorities in {connection.ca_file}: {error}",
            expected="a PEM file of certificates",
            hint="rtour info shows where the setting comes from",
        ) from error


def _only(file: Path) -> ssl.SSLContext:
    """Trust in the first certificate of a file, which is a server's own, and in no other."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    try:
        own = _CERTIFICATE.search(file.read_text("ascii", "replace"))
        context.load_verify_locations(cadata=own[0] if own else "none")
    except OSError as error:
        raise Unreachable(
            f"cannot use the certificate in {file}: {error}", expected="a PEM file"
        ) from error
    return context


def _message(answer: Answer) -> tuple[str, str | None]:
    """Restate has four shapes of error bodies; some are plain text, some are empty."""
    text = answer.body[:10_000].decode("utf-8", "replace").strip()
    try:
        body = msgspec.json.decode(answer.body)
    except UNREADABLE:
        body = None
    if isinstance(body, dict) and isinstance(body.get("message"), str):
        code = body.get("restate_code")
        return body["message"], code if isinstance(code, str) else None
    if "<html" in text.lower():
        text = ""
    return text or f"HTTP status {answer.status}", None
