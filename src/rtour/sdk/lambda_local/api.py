"""Lambda's Invoke API over HTTP/1.1: what an AWS SDK with another endpoint URL talks to."""

from __future__ import annotations

import json
import re
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from rtour.sdk.lambda_local.pool import Pool, Unavailable

_INVOKE: Final = re.compile(r"/2015-03-31/functions/([^/]+)/invocations")
# Lambda's own limit for a synchronous event.
_EVENT_BYTES_MAX: Final = 6 * 1024 * 1024


class LambdaApi(ThreadingHTTPServer):
    """Serves one function, under whatever account, region and version it is asked for."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], pool: Pool) -> None:
        super().__init__(address, _Request)
        self.pool = pool

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_address[1]}"


class _RefusedError(Exception):
    """A request that reaches no function: status, Lambda's name for the error, words."""

    def __init__(self, status: int, kind: str, words: str) -> None:
        super().__init__(words)
        self.status = status
        self.kind = kind


class _Request(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: LambdaApi

    def do_POST(self) -> None:
        try:
            event = self._event()
        except _RefusedError as refused:
            self._refuse(refused.status, refused.kind, str(refused))
            return
        found = _INVOKE.fullmatch(urlsplit(self.path).path)
        name = None if found is None else _function_name(unquote(found[1]))
        if name != self.server.pool.function.name:
            self._refuse(404, "ResourceNotFoundException", f"Function not found: {name}")
            return
        try:
            outcome = self.server.pool.handle(event)
        except Unavailable:
            self._refuse(429, "TooManyRequestsException", "Rate Exceeded.")
            return
        if "error" in outcome:
            self._reply(200, outcome["error"], {"x-amz-function-error": "Unhandled"})
        else:
            self._reply(200, outcome["answer"], {})

    def _event(self) -> Any:
        """The decoded body."""
        length = int(self.headers.get("content-length") or 0)
        if length > _EVENT_BYTES_MAX:
            self.close_connection = True  # the body stays unread
            words = f"the event has {length} bytes, Lambda takes {_EVENT_BYTES_MAX}"
            raise _RefusedError(413, "RequestTooLargeException", words)
        try:
            return json.loads(self.rfile.read(length))
        except ValueError as error:
            words = f"Could not parse request body: {error}"
            raise _RefusedError(400, "InvalidRequestContentException", words) from error

    def do_GET(self) -> None:
        self._refuse(404, "UnknownOperationException", "only Invoke is served here")

    def _refuse(self, status: int, kind: str, message: str) -> None:
        self._reply(status, {"Type": "User", "Message": message}, {"x-amzn-errortype": kind})

    def _reply(self, status: int, body: Any, headers: dict[str, str]) -> None:
        raw = json.dumps(body).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("content-type", "application/json")
        self.send_header("connection", "close")  # between events nothing is held
        self.send_header("content-length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_: object) -> None:
        """Requests are the function's business, which logs what it likes."""


def _function_name(text: str) -> str:
    """The name in `name`, `name:version` or an ARN."""
    parts = text.split(":")
    return parts[6] if text.startswith("arn:") and len(parts) > 6 else parts[0]
