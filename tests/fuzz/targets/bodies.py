"""Bodies of the admin API: any bytes, where JSON of some shape is expected."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from rtour.server.web import Request
from tests.fuzz.site import URI, Site, assert_answer, standing
from tests.fuzz.target import Check, Target

INVOCATION = "inv_1a1mlWikgvPI1rXixtTrp3NMDUb0000000"
PLACES: tuple[tuple[str, str], ...] = (
    ("POST", "/deployments"),
    ("PATCH", "/deployments/{deployment}"),
    ("PUT", "/v2/deployments/{deployment}"),
    ("PATCH", "/services/Greeter"),
    ("POST", "/services/Counter/state"),
    ("POST", "/internal/invocations_batch_operations/kill"),
    ("POST", "/internal/invocations_batch_operations/restart-as-new"),
    ("POST", "/query"),
    ("POST", "/rtour/time"),
    ("POST", "/subscriptions"),
    ("POST", "/kafka-clusters"),
    ("PATCH", "/kafka-clusters/k"),
    ("PUT", "/limits/rules"),
    ("POST", "/limits/rules/bulk-delete"),
)
GOOD: dict[str, list[dict[str, Any]]] = {
    "/deployments": [
        {"uri": URI, "additional_headers": {"a": "b"}, "metadata": {"a": "b"}, "force": True},
        {"arn": "arn:aws:lambda:eu-central-1:123456789012:function:f:1", "dry_run": True},
        {"uri": "http://[::1]:1/a%20b?c#d", "use_http_11": True, "breaking": True},
    ],
    "/deployments/{deployment}": [{"uri": URI, "overwrite": True}, {"dry_run": True}],
    "/v2/deployments/{deployment}": [{"uri": URI}],
    "/services/Greeter": [
        {"public": True, "journal_retention": "1d 2h", "abort_timeout": "PT9007199254740S"},
        {"idempotency_retention": None, "inactivity_timeout": "1:00:00.5"},
    ],
    "/services/Counter/state": [
        {"object_key": "k", "new_state": {"a": [1, 2, 255], "b": "text"}, "version": "0"}
    ],
    "/internal/invocations_batch_operations/kill": [{"invocation_ids": [INVOCATION, "x"]}],
    "/internal/invocations_batch_operations/restart-as-new": [
        {"invocation_ids": [INVOCATION], "deployment": "latest"}
    ],
    "/query": [{"query": "SELECT * FROM sys_service"}],
    "/rtour/time": [
        {"action": "skip", "by": "1h"},
        {"action": "skip", "by": "250000000 days"},
        {"action": "skip", "to": "2030-01-01T00:00:00Z"},
        {"action": "skip", "to": "next"},
        {"action": "freeze"},
        {"action": "resume"},
    ],
    "/subscriptions": [
        {"source": "kafka://k/topic", "sink": "service://Greeter/greet", "options": {"a": "b"}}
    ],
    "/kafka-clusters": [{"name": "k", "properties": {"bootstrap.servers": "127.0.0.1:1"}}],
    "/kafka-clusters/k": [{"properties": {"bootstrap.servers": "127.0.0.1:2"}}],
    "/limits/rules": [{"rules": []}],
    "/limits/rules/bulk-delete": [{}],
}


def seeds() -> list[bytes]:
    """A byte for the place, then the body."""
    good = [
        bytes([place]) + msgspec.json.encode(body)
        for place, (_, path) in enumerate(PLACES)
        for body in GOOD[path]
    ]
    deep = [bytes([place]) + b"[" * 5000 + b"]" * 5000 for place in range(len(PLACES))]
    return good + deep


def check_at(site: Site, data: bytes) -> None:
    method, path = PLACES[(data[:1] or b"\x00")[0] % len(PLACES)]
    deployment = site.server.registry.at_address(URI)
    path = path.format(deployment="dp_1" if deployment is None else deployment.id)
    request = Request(method, path, "", [(b"content-type", b"application/json")], data[1:])

    async def asked() -> None:
        reply = await site.server.admin.shared.app(request)
        body = reply.body
        if not isinstance(body, bytes):
            body = b"".join([piece async for piece in body])
        assert_answer(reply.status, body)
        for shown in ("/deployments", "/services", "/rtour/time", "/version", "/kafka-clusters"):
            reply = await site.ask(site.server.admin, "GET", shown)
            assert reply.status == 200, (shown, reply)
        assert (await site.ask(site.server.ingress, "GET", "/restate/health")).status == 200

    site.run(asked())


@contextmanager
def opened() -> Iterator[Check]:
    with standing() as site:
        yield lambda data: check_at(site, data)


TARGET = Target(
    promise="A body is taken or refused with a reason as JSON, and what is stored can be shown.",
    seeds=seeds,
    opened=opened,
    words=(b'"uri"', b'"arn"', b"null", b"true", b"\\u0000", b"\\ud800", b"1e999", b"next"),
    json_from=1,
    examples=60,
)
