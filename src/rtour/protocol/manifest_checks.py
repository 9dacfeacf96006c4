"""What the fields of a manifest must say together (service-protocol §1.3).

Each check raises the ManifestError that Restate's admin API answers with. Checks that need the
registry (a service that changes its type) or the connection (BIDI_STREAM over HTTP/1.0) are theirs.
"""

from __future__ import annotations

from typing import Any, Final

from rtour.errors import ManifestError
from rtour.protocol.manifest import Handler, HandlerType, Manifest, Service, resolve_handler_type
from rtour.protocol.payload_rules import InputRules, OutputRules

MIN_PROTOCOL_VERSION: Final = 5
MAX_PROTOCOL_VERSION: Final = 7
_MAX_VERSION_NUMBER: Final = 2**31 - 1
_UNSOUND_SDKS: Final = tuple(f"restate-sdk-typescript/1.{minor}." for minor in range(3))
"""Restate takes whatever these announce as protocol version 1: they lose their journals."""


def check_protocol(manifest: Manifest, sdk: str | None) -> None:
    """The mode is there and some version is common to both sides; `sdk` is x-restate-server."""
    low, high = manifest.min_protocol_version, manifest.max_protocol_version
    if manifest.protocol_mode is None:
        raise ManifestError("bad manifest: missing protocol mode", "META0013")
    if low > high or high > _MAX_VERSION_NUMBER:
        raise ManifestError(
            f"bad manifest: the protocol versions [{low}, {high}] are no range", "META0013"
        )
    if sdk is not None and sdk.startswith(_UNSOUND_SDKS):
        high = 1
    if low > MAX_PROTOCOL_VERSION or high < MIN_PROTOCOL_VERSION:
        raise ManifestError(
            f"the deployment speaks protocol versions [{low}, {high}], this server "
            f"[{MIN_PROTOCOL_VERSION}, {MAX_PROTOCOL_VERSION}]; use an SDK of a matching version",
            "META0012",
        )


def check_service(service: Service) -> None:
    name = service.name
    if name.lower().startswith("restate") or name == "openapi":
        raise ManifestError(
            f"the service name '{name}' is reserved: it must not start with 'restate' "
            "or be 'openapi'",
            "META0005",
            status=400,
        )
    for handler in service.handlers:
        _check_handler(service, handler)


def _check_handler(service: Service, handler: Handler) -> None:
    where = f"handler '{service.name}/{handler.name}'"
    is_main = resolve_handler_type(service.ty, handler.ty) is HandlerType.WORKFLOW
    if handler.workflow_completion_retention_ms is not None and not is_main:
        raise _refused(f"{where} is no workflow handler, yet sets workflowCompletionRetention")
    if handler.idempotency_retention_ms is not None and is_main:
        raise _refused(
            f"{where} is a workflow handler: set workflowCompletionRetention, "
            "not idempotencyRetention"
        )
    if service.ingress_private and handler.ingress_private is False:
        raise _refused(f"{where} is public, but its service is private")
    InputRules.of(handler.input)
    OutputRules.of(handler.output)
    for payload in (handler.input, handler.output):
        problem = payload and schema_problem(payload.json_schema)
        if problem:
            raise _refused(f"{where} has a bad JSON schema: {problem}")


def _refused(message: str) -> ManifestError:
    return ManifestError(message, status=400)


# --- JSON schema -------------------------------------------------------------------------------

_TYPES: Final = {"array", "boolean", "integer", "null", "number", "object", "string"}
_NAMED_SCHEMAS: Final = (
    "properties",
    "patternProperties",
    "dependentSchemas",
    "$defs",
    "definitions",
)
_DEPTH_MAX: Final = 200
"""Far from where reading or writing JSON would end: what is stored must be readable for ever."""
_SCHEMA_LISTS: Final = ("allOf", "anyOf", "oneOf", "prefixItems")
_SCHEMAS: Final = (
    "additionalProperties",
    "contains",
    "else",
    "if",
    "items",
    "not",
    "propertyNames",
    "then",
)


def schema_problem(schema: Any) -> str | None:
    """Why this is no JSON schema that could be published, or None."""
    if _is_deeper(schema, _DEPTH_MAX):
        return f"it is nested deeper than {_DEPTH_MAX} levels"
    todo = [True if schema is None else schema]  # null means absent
    while todo:
        part = todo.pop()
        if isinstance(part, bool):
            continue
        if not isinstance(part, dict):
            return f"a schema is an object or a boolean, not {part!r}"
        problem = _type_problem(part) or _reference_problem(part)
        if problem:
            return problem
        todo += _subschemas(part)
    return None


def _is_deeper(value: Any, levels: int) -> bool:
    """Whether lists and objects stand in each other more often than that."""
    layer = [value]
    for _ in range(levels):
        layer = [
            inner
            for each in layer
            for inner in (
                each.values() if isinstance(each, dict) else each if isinstance(each, list) else ()
            )
        ]
        if not layer:
            return False
    return True


def _type_problem(schema: dict[str, Any]) -> str | None:
    kinds = schema.get("type", [])
    for kind in kinds if isinstance(kinds, list) else [kinds]:
        if not isinstance(kind, str) or kind not in _TYPES:
            return f"unknown type {kind!r}"
    return None


def _reference_problem(schema: dict[str, Any]) -> str | None:
    reference = schema.get("$ref", "#")
    if not isinstance(reference, str) or not reference.startswith("#"):
        return f"external reference {reference!r}: only references within the schema are followed"
    return None


def _subschemas(schema: dict[str, Any]) -> list[Any]:
    found: list[Any] = []
    for name in _NAMED_SCHEMAS:
        named = schema.get(name, {})
        found += named.values() if isinstance(named, dict) else [named]
    for name in _SCHEMA_LISTS:
        several = schema.get(name, [])
        found += several if isinstance(several, list) else [several]
    for name in _SCHEMAS:
        if name in schema:
            one = schema[name]
            found += one if isinstance(one, list) else [one]
    return found
