"""What a deployment says of itself, any bytes; then its handlers are called and fail once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from rtour.errors import ManifestError
from rtour.protocol.discovery import encode_manifest, manifest_content_type, parse_manifest
from rtour.protocol.framing import encode
from rtour.protocol.manifest import ServiceType
from rtour.protocol.messages import Error, ErrorBehavior
from tests.fuzz.site import URI, Site, assert_answer, standing
from tests.fuzz.target import Check, Target
from tests.server.rooms import MANIFEST

TYPE = manifest_content_type(4)
KEPT_FOR = {"idempotencyRetention": 2**53, "journalRetention": 2**63 - 1, "abortTimeout": 2**64}
RETRY = {
    "retryPolicyInitialInterval": 10,
    "retryPolicyMaxInterval": 1000,
    "retryPolicyMaxAttempts": 3,
    "retryPolicyExponentiationFactor": 1e300,
    "retryPolicyOnMaxAttempts": "KILL",
}
SCHEMA = {"type": "object", "properties": {"a": {"$ref": "#/$defs/a"}}, "$defs": {"a": True}}


def _service(**options: object) -> bytes:
    handler = {"name": "h", "input": {"required": True, "jsonSchema": SCHEMA}, "output": {}}
    service = {"name": "S", "ty": "SERVICE", "handlers": [handler, {"name": "g"}], **options}
    versions = {"minProtocolVersion": 5, "maxProtocolVersion": 6}
    mode = {"protocolMode": "REQUEST_RESPONSE"}
    return msgspec.json.encode(mode | versions | {"services": [service]})


def seeds() -> list[bytes]:
    deep = b'{"not":' * 3000 + b"true" + b"}" * 3000
    return [
        msgspec.json.encode(MANIFEST),
        _service(),
        _service(documentation="what it is", metadata={"a": "b"}, enableLazyState=True),
        *(_service(**{name: value}) for name, value in (KEPT_FOR | RETRY).items()),
        _service(**RETRY),
        _service().replace(msgspec.json.encode(SCHEMA), deep),
    ]


def check_at(site: Site, data: bytes) -> None:
    site.deployment.manifest = data
    body = {"uri": URI, "force": True, "breaking": True}
    reply = site.run(site.ask(site.server.admin, "POST", "/deployments", body))
    assert isinstance(reply.body, bytes)
    assert_answer(reply.status, reply.body)
    try:
        manifest = parse_manifest(data, TYPE, highest=4)
    except ManifestError as error:
        assert reply.status >= 400, "what cannot be read was registered"
        assert error.message in msgspec.json.decode(reply.body)["message"]
        return
    assert parse_manifest(encode_manifest(manifest, 5), TYPE, highest=4) == manifest
    if reply.status >= 400:
        return
    for path in ("/services", "/deployments", "/services/S/openapi"):
        shown = site.run(site.ask(site.server.admin, "GET", path))
        assert isinstance(shown.body, bytes)
        assert_answer(shown.status, shown.body)
    for service in manifest.services:
        for handler in service.handlers[:3]:
            key = "" if service.ty is ServiceType.SERVICE else f"/{len(data)}"
            _called(site, f"/{service.name}{key}/{handler.name}")


def _called(site: Site, path: str) -> None:
    """A send and its one attempt, which fails: times of the manifest are computed with."""
    failing = Error(500, "no", behavior=ErrorBehavior.RETRY)
    site.deployment.says = encode(failing)

    async def called() -> None:
        reply = await site.ask(site.server.ingress, "POST", f"{path}/send", "x")
        assert isinstance(reply.body, bytes)
        assert_answer(reply.status, reply.body)
        if reply.status < 300:
            id_ = msgspec.json.decode(reply.body)["invocationId"]
            await site.server.processor.settled()
            killed = await site.ask(site.server.admin, "PATCH", f"/invocations/{id_}/kill")
            assert killed.status in {200, 202, 409, 404}, killed

    site.run(called())


@contextmanager
def opened() -> Iterator[Check]:
    with standing() as site:
        yield lambda data: check_at(site, data)


TARGET = Target(
    promise="A manifest is refused with a reason, or registered, shown, and its handlers called.",
    seeds=seeds,
    opened=opened,
    words=tuple(
        f'"{word}"'.encode()
        for word in (*KEPT_FOR, *RETRY, "ingressPrivate", "SHARED", "VIRTUAL_OBJECT", "$ref")
    ),
    json_from=0,
    examples=100,
)
