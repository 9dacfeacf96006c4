"""Manifests are read as strictly as Restate reads them (spec §1.2 and §1.3)."""

from __future__ import annotations

import json
from typing import Any

import pytest
import restate
from restate.discovery import compute_discovery_json

from rtour.errors import ManifestError
from rtour.protocol import discovery as d

V4 = d.manifest_content_type(4)
HANDLER = {"name": "greet"}
SERVICE = {"name": "Greeter", "ty": "SERVICE", "handlers": [HANDLER]}
MANIFEST = {
    "protocolMode": "BIDI_STREAM",
    "minProtocolVersion": 5,
    "maxProtocolVersion": 7,
    "services": [SERVICE],
}


def parse(content_type: str | None = V4, sdk: str | None = None, **fields: Any) -> d.Manifest:
    body = {name: value for name, value in {**MANIFEST, **fields}.items() if value != "absent"}
    return d.parse_manifest(json.dumps(body).encode(), content_type, sdk)


def service(**fields: Any) -> list[dict[str, Any]]:
    return [{**SERVICE, **fields}]


def handler(service_type: str = "SERVICE", **fields: Any) -> list[dict[str, Any]]:
    return [{**SERVICE, "ty": service_type, "handlers": [{**HANDLER, **fields}]}]


def refusal(content_type: str | None = V4, sdk: str | None = None, **fields: Any) -> ManifestError:
    with pytest.raises(ManifestError) as raised:
        parse(content_type, sdk, **fields)
    return raised.value


def test_a_manifest_with_everything() -> None:
    """Every field of every version arrives in its struct."""
    options = {
        "documentation": "doc",
        "metadata": {"a": "b"},
        "inactivityTimeout": 1,
        "abortTimeout": 2,
        "journalRetention": 3,
        "idempotencyRetention": 4,
        "enableLazyState": True,
        "ingressPrivate": True,
        "retryPolicyInitialInterval": 5,
        "retryPolicyMaxInterval": 6,
        "retryPolicyMaxAttempts": 7,
        "retryPolicyExponentiationFactor": 1.5,
        "retryPolicyOnMaxAttempts": "KILL",
        "eagerStateKeysWhitelist": ["k"],
    }
    shared = {
        "name": "status",
        "ty": "SHARED",
        "input": {"required": True, "contentType": "text/*", "jsonSchema": True},
        "output": {"contentType": "a/b", "setContentTypeIfEmpty": True, "jsonSchema": {}},
        **options,
    }
    main = {"name": "run", "ty": "WORKFLOW", "workflowCompletionRetention": 8}
    body = {
        **MANIFEST,
        "lambdaCompression": "zstd",
        "services": [{"name": "W", "ty": "WORKFLOW", "handlers": [shared, main], **options}],
    }
    manifest = d.parse_manifest(json.dumps(body).encode(), d.manifest_content_type(5))
    assert json.loads(d.encode_manifest(manifest, 5)) == body
    (workflow,) = manifest.services
    assert workflow.handlers[0].retry_policy_on_max_attempts is d.OnMaxAttempts.KILL
    assert workflow.handlers[1].workflow_completion_retention_ms == 8


def official_endpoint() -> restate.endpoint.Endpoint:
    greeter = restate.Service("Greeter", description="greets", metadata={"team": "a"})
    counter = restate.VirtualObject("Counter", ingress_private=True)
    flow = restate.Workflow("Flow")

    @greeter.handler()
    async def greet(ctx: restate.Context, name: str) -> str:
        return name

    @greeter.handler(accept="*/*", content_type="application/octet-stream")
    async def nothing(ctx: restate.Context) -> None: ...

    @counter.handler(kind="shared")
    async def get(ctx: restate.ObjectSharedContext) -> int:
        return 1

    @counter.handler()
    async def add(ctx: restate.ObjectContext, by: int) -> int:
        return by

    @flow.main()
    async def run(ctx: restate.WorkflowContext, order: dict[str, str]) -> None: ...

    @flow.handler()
    async def status(ctx: restate.WorkflowSharedContext) -> list[str]:
        return []

    return restate.endpoint.Endpoint().bind(greeter, counter, flow)


@pytest.mark.parametrize("version", [3, 4, 5])
def test_the_official_sdks_manifest_passes_and_comes_back(version: int) -> None:
    """What restate-sdk 1.3 says of itself is valid, and encodes to the same JSON."""
    body = compute_discovery_json(official_endpoint(), version, "bidi")
    manifest = d.parse_manifest(body.encode(), d.manifest_content_type(version))
    assert json.loads(d.encode_manifest(manifest, version)) == json.loads(body)
    described = {
        f"{s.name}/{h.name}": (d.input_description(h), d.output_description(h))
        for s in manifest.services
        for h in s.handlers
    }
    assert described == {
        "Greeter/greet": ("JSON string", "JSON string"),
        "Greeter/nothing": ("none", "none"),
        "Counter/get": ("none", "JSON integer"),
        "Counter/add": ("JSON integer", "JSON integer"),
        "Flow/run": ("JSON object", "none"),
        "Flow/status": ("none", "JSON array"),
    }


def test_null_is_absent() -> None:
    """A null says as little as a missing field."""
    assert parse(services=service(documentation=None, metadata=None)) == parse()
    assert parse(services=handler(input=None, ty=None)) == parse()


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"surprise": 1}, "unknown field `surprise`"),
        ({"services": service(surprise=1)}, "unknown field `surprise` - at `$.services[0]`"),
        ({"services": handler(surprise=1)}, "at `$.services[0].handlers[0]`"),
        ({"services": handler(input={"surprise": 1})}, "unknown field"),
        ({"minProtocolVersion": 0}, ">= 1"),
        ({"minProtocolVersion": "absent"}, "missing required field `minProtocolVersion`"),
        ({"services": "absent"}, "missing required field `services`"),
        ({"services": service(ty="OTHER")}, "Invalid enum value 'OTHER'"),
        ({"services": service(name="1abc")}, "matching regex"),
        ({"services": service(name="_")}, "matching regex"),
        ({"services": service(name="a b")}, "matching regex"),
        ({"services": service(name="a\n")}, "matching regex"),
        ({"services": handler(name="a.b")}, "matching regex"),
        ({"services": handler(name="a-b")}, "matching regex"),
        ({"services": handler(inactivityTimeout=-1)}, ">= 0"),
        ({"lambdaCompression": "gzip"}, "Invalid enum value"),
    ],
)
def test_what_does_not_decode(fields: dict[str, Any], said: str) -> None:
    """A broken shape is a 500 that says where; Restate has no code for it."""
    error = refusal(**fields)
    assert said in error.message
    assert (error.status, error.restate_code) == (500, None)


def test_a_body_that_is_not_json() -> None:
    """Anything but a JSON object is a decode error, too."""
    with pytest.raises(ManifestError, match="cannot decode the manifest"):
        d.parse_manifest(b"<html>", V4)


@pytest.mark.parametrize("name", ["Greeter", "_a", "a.b-c_d", "A", "_1.x"])
def test_service_names_that_pass(name: str) -> None:
    """Dots and dashes are fine in services."""
    assert parse(services=service(name=name)).services[0].name == name


@pytest.mark.parametrize(
    "content_type", [None, "application/json", V4 + "; charset=utf-8", d.manifest_content_type(6)]
)
def test_content_types_that_were_not_offered(content_type: str | None) -> None:
    """Only the offered types, to the letter."""
    assert refusal(content_type).restate_code == "META0013"


def test_a_version_that_was_not_offered() -> None:
    """A server that offered up to 4 does not take 5."""
    with pytest.raises(ManifestError) as raised:
        d.parse_manifest(json.dumps(MANIFEST).encode(), d.manifest_content_type(5), highest=4)
    assert raised.value.restate_code == "META0013"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"protocolMode": "absent"}, "META0013"),
        ({"minProtocolVersion": 7, "maxProtocolVersion": 5}, "META0013"),
        ({"maxProtocolVersion": 2**31}, "META0013"),
        ({"minProtocolVersion": 1, "maxProtocolVersion": 4}, "META0012"),
        ({"minProtocolVersion": 8, "maxProtocolVersion": 9}, "META0012"),
    ],
)
def test_protocol_versions_that_do_not_work(fields: dict[str, Any], code: str) -> None:
    """No mode or no range is a bad manifest; no version in common has a code of its own."""
    error = refusal(**fields)
    assert (error.status, error.restate_code) == (500, code)


@pytest.mark.parametrize("versions", [(1, 5), (5, 99), (7, 2**31 - 1), (6, 6)])
def test_protocol_versions_that_work(versions: tuple[int, int]) -> None:
    """One version in common is enough."""
    low, high = versions
    assert parse(minProtocolVersion=low, maxProtocolVersion=high).max_protocol_version == high


@pytest.mark.parametrize("minor", [0, 1, 2])
def test_unsound_typescript_sdks_are_kept_out(minor: int) -> None:
    """TypeScript SDKs 1.0 to 1.2 are read as version 1, whatever they say."""
    sdk = f"restate-sdk-typescript/1.{minor}.1"
    assert refusal(sdk=sdk).restate_code == "META0012"
    assert parse(sdk="restate-sdk-typescript/1.3.0")


@pytest.mark.parametrize("name", ["restate", "Restate.Ingress", "RESTATEful", "openapi"])
def test_reserved_service_names(name: str) -> None:
    """Restate keeps its own names to itself."""
    error = refusal(services=service(name=name))
    assert (error.status, error.restate_code) == (400, "META0005")


@pytest.mark.parametrize("name", ["OpenAPI", "openapi2", "arestate"])
def test_names_that_only_look_reserved(name: str) -> None:
    """`openapi` is reserved in this spelling only, `restate` at the start only."""
    assert parse(services=service(name=name))


REF = {"properties": {"x": {"items": [{"$ref": "http://x/y"}]}}}


@pytest.mark.parametrize(
    ("services", "said"),
    [
        (handler(ty="EXCLUSIVE"), "a SERVICE cannot have a handler of EXCLUSIVE"),
        (handler("VIRTUAL_OBJECT", ty="WORKFLOW"), "a VIRTUAL_OBJECT cannot have a handler of"),
        (handler("WORKFLOW", ty="EXCLUSIVE"), "a WORKFLOW cannot have a handler of EXCLUSIVE"),
        (handler(workflowCompletionRetention=1), "is no workflow handler"),
        (handler("WORKFLOW", workflowCompletionRetention=1), "is no workflow handler"),
        (handler("WORKFLOW", ty="WORKFLOW", idempotencyRetention=1), "workflowCompletionRetention"),
        (
            [
                {
                    **SERVICE,
                    "ingressPrivate": True,
                    "handlers": [{**HANDLER, "ingressPrivate": False}],
                }
            ],
            "is public, but its service is private",
        ),
        (handler(input={"contentType": "json"}), "must contain one /"),
        (handler(input={"contentType": "*/json"}), "*/subType is not supported"),
        (handler(output={"contentType": "a\nb"}), "bad output content type"),
        (handler(input={"contentType": "a/b", "jsonSchema": 1}), "object or a boolean, not 1"),
        (handler(output={"contentType": "a/b", "jsonSchema": {"type": "text"}}), "type 'text'"),
        (handler(output={"contentType": "a/b", "jsonSchema": {"type": [1]}}), "unknown type 1"),
        (handler(input={"contentType": "a/b", "jsonSchema": REF}), "external reference"),
        (handler(input={"contentType": "a/b", "jsonSchema": {"$ref": 1}}), "external reference 1"),
        (handler(input={"contentType": "a/b", "jsonSchema": {"not": 1}}), "not 1"),
        (handler(input={"contentType": "a/b", "jsonSchema": {"anyOf": 1}}), "not 1"),
        (handler(input={"contentType": "a/b", "jsonSchema": {"$defs": 1}}), "not 1"),
    ],
)
def test_what_does_not_fit_together(services: list[Any], said: str) -> None:
    """Fields that contradict each other are a 400 without a code, naming the place."""
    error = refusal(services=services)
    assert said in error.message
    assert (error.status, error.restate_code) == (400, None)


@pytest.mark.parametrize(
    "schema",
    [
        True,
        False,
        {},
        {"type": ["string", "null"]},
        {"$ref": "#/$defs/A", "$defs": {"A": {"type": "object"}}},
        {"items": {"type": "string"}, "anyOf": [True, {"not": {}}], "const": {"$ref": "http://x"}},
    ],
)
def test_schemas_that_pass(schema: Any) -> None:
    """Legal schemas pass; what is data in them is not looked at."""
    assert parse(services=handler(input={"contentType": "a/b", "jsonSchema": schema}))


@pytest.mark.parametrize(
    ("kind", "given", "resolved"),
    [
        ("SERVICE", None, None),
        ("SERVICE", "SHARED", None),
        ("VIRTUAL_OBJECT", None, "EXCLUSIVE"),
        ("VIRTUAL_OBJECT", "EXCLUSIVE", "EXCLUSIVE"),
        ("VIRTUAL_OBJECT", "SHARED", "SHARED"),
        ("WORKFLOW", None, "SHARED"),
        ("WORKFLOW", "SHARED", "SHARED"),
        ("WORKFLOW", "WORKFLOW", "WORKFLOW"),
    ],
)
def test_handler_types(kind: str, given: str | None, resolved: str | None) -> None:
    """What a handler is follows from its service's kind; see the table of §1.2."""
    found = d.resolve_handler_type(d.ServiceType(kind), d.HandlerType(given) if given else None)
    assert (found and found.value) == resolved


def test_of_equal_names_the_last_wins() -> None:
    """Two services or handlers of one name are no error."""
    twice = [{**HANDLER, "documentation": "one"}, {**HANDLER, "documentation": "two"}]
    manifest = parse(services=[SERVICE, {**SERVICE, "handlers": twice}])
    (found,) = manifest.services
    assert [h.documentation for h in found.handlers] == ["two"]


def test_no_attempts_are_read_as_one() -> None:
    """The first attempt counts, for services as for handlers."""
    (found,) = parse(
        services=[
            {
                **SERVICE,
                "retryPolicyMaxAttempts": 0,
                "handlers": [{**HANDLER, "retryPolicyMaxAttempts": 0}],
            }
        ]
    ).services
    assert (found.retry_policy_max_attempts, found.handlers[0].retry_policy_max_attempts) == (1, 1)


def test_no_services_and_no_handlers_are_fine() -> None:
    """An empty deployment registers."""
    assert parse(services=[]).services == ()
    assert parse(services=service(handlers=[])).services[0].handlers == ()
