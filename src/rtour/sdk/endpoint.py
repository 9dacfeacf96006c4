"""Services behind HTTP, whatever serves it: which request gets which answer.

    …/health                      200
    …/discover                    the manifest
    …/invoke/{service}/{handler}  an attempt: bytes both ways, at the same time

Only the end of the path counts, so that the endpoint may be mounted anywhere. `asgi.py`, the
built-in server and the Lambda adapter bring the bytes.
"""

from __future__ import annotations

import functools
import json
import logging
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

import msgspec

from rtour.sdk import manifest
from rtour.sdk.attempt import Attempt
from rtour.sdk.manifest import MAX_PROTOCOL, MIN_PROTOCOL, Mode
from rtour.sdk.services import AnyService

if TYPE_CHECKING:
    from rtour.sdk.codec import CodecSource, JournalValueCodec, JournalValueCodecProvider
    from rtour.sdk.identity import Verifier

_LOG: Final = logging.getLogger("rtour.sdk")
_INVOCATION: Final = re.compile(r"application/vnd\.restate\.invocation\.v(\d+)")


@functools.cache
def _server_header() -> tuple[str, str]:
    from importlib import metadata  # noqa: PLC0415 - slow to import, wanted at the first answer

    try:
        version = metadata.version("rtour")
    except metadata.PackageNotFoundError:  # run from its sources
        version = "dev"
    return "x-restate-server", f"rtour-sdk/{version}"


class Response(msgspec.Struct, frozen=True):
    """A whole answer."""

    status: int
    content_type: str | None = None
    body: bytes = b""

    @property
    def headers(self) -> list[tuple[str, str]]:
        headers = [_server_header()]
        if self.content_type is not None:
            headers.append(("content-type", self.content_type))
        return headers


class Accepted(msgspec.Struct, frozen=True):
    """An attempt may begin: answer 200 with this content type, then call `begin`."""

    content_type: str
    begin: Callable[[Callable[[bytes], None], Callable[[], None]], Attempt]
    """(write, on_finished) to a running attempt."""

    status: int = 200

    @property
    def headers(self) -> list[tuple[str, str]]:
        return [_server_header(), ("content-type", self.content_type)]


def _refusal(status: int, message: str) -> Response:
    return Response(status, "application/json", json.dumps({"message": message}).encode())


class Endpoint:
    """Services under their names; also the builder that the official SDK has."""

    def __init__(self) -> None:
        self.services: dict[str, AnyService] = {}
        self.mode: Mode | None = None
        self._codec: CodecSource | None = None
        self._verifier: Verifier | None = None

    # --- building ----------------------------------------------------------------------------

    def bind(self, *services: AnyService) -> Endpoint:
        """Serve these, too."""
        for service in services:
            if service.name in self.services:
                raise ValueError(f"There are two services named {service.name!r}.")
            self.services[service.name] = service
        return self

    def streaming_protocol(self) -> Endpoint:
        """Announce bidirectional streams, whatever the discovery request came over."""
        self.mode = "bidi"
        return self

    def request_response_protocol(self) -> Endpoint:
        """Announce request and response, for hosts that cannot stream both ways."""
        self.mode = "request_response"
        return self

    def identity_key(self, *keys: str) -> Endpoint:
        """Answer only requests signed with one of these keys (`publickeyv1_…`)."""
        from rtour.sdk.identity import Verifier  # noqa: PLC0415 - needs cryptography

        earlier = self._verifier.keys if self._verifier is not None else ()
        self._verifier = Verifier((*earlier, *keys)) if keys else self._verifier
        return self

    def set_journal_value_codec(
        self, codec: JournalValueCodec | JournalValueCodecProvider
    ) -> Endpoint:
        """Encode all values of the journal; a provider is asked by the first invocation."""
        from rtour.sdk.codec import CodecSource  # noqa: PLC0415 - rarely used

        self._codec = CodecSource(codec)
        return self

    def app(self) -> Any:
        """What an ASGI server, or AWS Lambda, calls."""
        from rtour.sdk.asgi import app_for  # noqa: PLC0415 - imports this module

        return app_for(self)

    # --- answering ---------------------------------------------------------------------------

    def answer(
        self, path: str, headers: Mapping[str, str], *, can_stream: bool
    ) -> Response | Accepted:
        """The answer to a request; header names are lower case, `path` is still encoded."""
        segments, target = _parsed(path)
        if target is None and segments[-1] == "health":
            return Response(200, "application/json", b'{"status":"ok"}')
        if target is None and segments[-1] != "discover":
            return _refusal(404, f"Nothing is served at {path}")
        if self._verifier is not None and not self._verifier.accepts(segments, headers):
            return _refusal(401, "The request is not signed with a key that this endpoint trusts")
        if target is None:
            return self._discover(headers.get("accept"), can_stream=can_stream)
        return self._invoke(*target, headers)

    def _discover(self, accept: str | None, *, can_stream: bool) -> Response:
        version = manifest.negotiate(accept)
        if version is None:
            known = ", ".join(f"v{version}" for version in manifest.VERSIONS)
            return _refusal(415, f"No manifest version in common: this endpoint speaks {known}")
        mode: Mode = self.mode or ("bidi" if can_stream else "request_response")
        try:
            body = manifest.build(self.services.values(), version, mode)
        except manifest.UnsupportedOptionError as error:
            return Response(500, "text/plain", str(error).encode())
        except (TypeError, ValueError) as error:  # what JSON cannot hold
            _LOG.exception("the services cannot be described")
            return Response(500, "text/plain", f"Cannot describe the services: {error}".encode())
        return Response(200, manifest.content_type(version), body)

    def _invoke(self, service: str, name: str, headers: Mapping[str, str]) -> Response | Accepted:
        handlers = self.services[service].handlers if service in self.services else {}
        handler = handlers.get(name)
        if handler is None:
            return _refusal(404, f"There is no handler {service}/{name} here")
        content_type = headers.get("content-type", "")
        version = _version(content_type)
        if version is None:
            return _refusal(
                415,
                f"Cannot speak {content_type or 'without a content type'!r}: this endpoint "
                f"speaks invocation protocol v{MIN_PROTOCOL} to v{MAX_PROTOCOL}",
            )

        def begin(write: Callable[[bytes], None], on_finished: Callable[[], None]) -> Attempt:
            return Attempt(
                handler,
                version,
                headers=headers,
                write=write,
                on_finished=on_finished,
                codec=self._codec,
            )

        return Accepted(content_type, begin)


# Each request names one of a few handlers, in one of a few versions.


@functools.lru_cache(maxsize=128)
def _parsed(path: str) -> tuple[tuple[str, ...], tuple[str, str] | None]:
    """The segments of a path, and the service and handler that it names."""
    segments = tuple(path.partition("?")[0].rstrip("/").split("/"))
    if len(segments) < 3 or segments[-3] != "invoke":
        return segments, None
    return segments, (unquote(segments[-2]), unquote(segments[-1]))


@functools.lru_cache(maxsize=64)
def _version(content_type: str) -> int | None:
    """The version of the invocation protocol, None if we do not speak it."""
    match = _INVOCATION.fullmatch(content_type)
    if match is None or not MIN_PROTOCOL <= int(match[1]) <= MAX_PROTOCOL:
        return None
    return int(match[1])


def app(
    services: Iterable[AnyService],
    protocol: Mode | None = None,
    identity_keys: Iterable[str] | None = None,
    journal_value_codec: JournalValueCodec | JournalValueCodecProvider | None = None,
) -> Any:
    """An ASGI app that serves these services (on AWS Lambda: a Lambda handler)."""
    endpoint = Endpoint().bind(*services)
    endpoint.mode = protocol
    endpoint.identity_key(*(identity_keys or ()))
    if journal_value_codec is not None:
        endpoint.set_journal_value_codec(journal_value_codec)
    if "hypercorn" in sys.modules:
        # Published examples `import hypercorn` and use `hypercorn.asyncio`, which the official SDK
        # happens to import; they shall run here, too.
        import_module("hypercorn.asyncio")
    return endpoint.app()
