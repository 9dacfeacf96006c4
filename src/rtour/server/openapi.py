"""A service's OpenAPI document: how its public handlers are called over the ingress."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from rtour.engine.model import HandlerType, ServiceType
from rtour.protocol import discovery
from rtour.protocol.payload_rules import JSON
from rtour.server.catalog import ServiceRevision
from rtour.server.service_config import handler_type

Json = dict[str, Any]

_PARAMETERS: Final[Json] = {
    "key": {"name": "key", "in": "path", "required": True, "schema": {"type": "string"}},
    "delay": {
        "name": "delay",
        "in": "query",
        "required": False,
        "description": "How long to wait before the handler runs, such as `10s` or `PT10S`",
        "example": "10s",
        "schema": {"type": "string"},
    },
    "idempotencyKeyHeader": {
        "name": "idempotency-key",
        "in": "header",
        "required": False,
        "description": "Requests with the same key run once and share the result",
        "schema": {"type": "string"},
    },
    "idempotencyKeyPath": {
        "name": "idempotencyKey",
        "in": "path",
        "required": True,
        "description": "The idempotency key of the request that is asked about",
        "schema": {"type": "string"},
    },
}
_ERROR_SCHEMA: Final[Json] = {
    "title": "RestateError",
    "type": "object",
    "description": "`source` is `invocation` if the handler failed for good, `ingress` if the "
    "request was refused or could not be answered",
    "properties": {
        "code": {"type": "number", "title": "error code"},
        "message": {"type": "string", "title": "Error message"},
        "metadata": {"type": "object", "additionalProperties": {"type": "string"}},
        "source": {"type": "string", "enum": ["ingress", "invocation"]},
    },
    "required": ["message", "source"],
}
_SEND_SCHEMA: Final[Json] = {
    "title": "RestateSendResponse",
    "type": "object",
    "properties": {
        "invocationId": {"type": "string"},
        "status": {"type": "string", "enum": ["Accepted", "PreviouslyAccepted"]},
        "executionTime": {
            "type": "string",
            "format": "date-time",
            "description": "When it will run, if it was delayed",
        },
    },
    "required": ["invocationId", "status"],
    "additionalProperties": False,
}


class Operation(msgspec.Struct, frozen=True):
    """One of the ways to reach a handler."""

    method: str
    path: str
    suffix: str
    description: str
    parameters: tuple[str, ...]
    responses: Json
    tag: str | None = None
    body: Json | None = None


def service_openapi(service: ServiceRevision, ingress_url: str) -> Json:
    """OpenAPI 3.1; private handlers are left out."""
    schemas: Json = {"RestateError": _ERROR_SCHEMA}
    paths: Json = {}
    for handler in service.manifest.handlers:
        if not service.public or handler.ingress_private:
            continue
        for operation in _operations(service, handler, schemas):
            paths[operation.path] = {operation.method: _rendered(handler, operation)}
    return {
        "openapi": "3.1.0",
        "info": _info(service),
        "servers": [{"url": ingress_url.rstrip("/")}],
        "paths": paths,
        "components": {
            "parameters": _PARAMETERS,
            "responses": _shared_responses(),
            "schemas": schemas,
        },
    }


def _info(service: ServiceRevision) -> Json:
    info: Json = {"title": service.name, "version": str(service.revision)}
    if service.manifest.documentation:
        info["description"] = service.manifest.documentation
    return info


def _shared_responses() -> Json:
    def error(description: str) -> Json:
        content = {JSON: {"schema": {"$ref": "#/components/schemas/RestateError"}}}
        return {"description": description, "content": content}

    return {
        "GenericError": error("Error response"),
        "InvocationNotFoundError": error("There is no such invocation"),
        "InvocationNotReadyError": error("The invocation has not completed yet"),
        "Send": {"description": "Send response", "content": {JSON: {"schema": _SEND_SCHEMA}}},
    }


def _response(name: str) -> Json:
    return {"$ref": f"#/components/responses/{name}"}


def _operations(
    service: ServiceRevision, handler: discovery.Handler, schemas: Json
) -> list[Operation]:
    keyed = service.service_type is not ServiceType.SERVICE
    is_workflow = service.service_type is ServiceType.WORKFLOW
    place = f"{service.name}/{{key}}/{handler.name}" if keyed else f"{service.name}/{handler.name}"
    key = ("key",) if keyed else ()
    idempotent = key if is_workflow else (*key, "idempotencyKeyHeader")
    body = _request_body(handler, schemas)
    result = {"200": _result(handler, schemas)}
    title = f"{service.name}/{handler.name}"
    operations = [
        Operation(
            "post",
            f"/restate/call/{place}",
            "",
            f"Call {title} and wait for its result",
            idempotent,
            result,
            body=body,
        ),
        Operation(
            "post",
            f"/restate/send/{place}",
            "Send",
            f"Start {title} and do not wait",
            (*idempotent, "delay"),
            {"200": _response("Send"), "202": _response("Send")},
            tag="Send",
            body=body,
        ),
    ]
    if handler_type(service, handler) is HandlerType.WORKFLOW:
        base = f"/restate/workflow/{service.name}/{{key}}"
        operations += _result_operations(base, title, key, result)
    elif not is_workflow:
        base = f"/restate/invocation/{place}/{{idempotencyKey}}"
        operations += _result_operations(base, title, (*key, "idempotencyKeyPath"), result)
    return operations


def _result_operations(
    base: str, title: str, parameters: tuple[str, ...], result: Json
) -> list[Operation]:
    missing = {"404": _response("InvocationNotFoundError")}
    return [
        Operation(
            "get",
            f"{base}/attach",
            "Attach",
            f"Wait for the result of {title}",
            parameters,
            result | missing,
            tag="Attach",
        ),
        Operation(
            "get",
            f"{base}/output",
            "Output",
            f"The result of {title}, if it has one yet",
            parameters,
            result | missing | {"470": _response("InvocationNotReadyError")},
            tag="Get Output",
        ),
    ]


def _rendered(handler: discovery.Handler, operation: Operation) -> Json:
    rendered: Json = {
        "operationId": f"{handler.name}{operation.suffix}",
        "summary": handler.name,
        "description": handler.documentation or operation.description,
        "parameters": [
            {"$ref": f"#/components/parameters/{name}"} for name in operation.parameters
        ],
        "responses": operation.responses | {"default": _response("GenericError")},
    }
    if operation.tag is not None:
        rendered["tags"] = [operation.tag]
    if operation.body is not None:
        rendered["requestBody"] = operation.body
    return rendered


def _request_body(handler: discovery.Handler, schemas: Json) -> Json | None:
    payload = handler.input
    if payload is not None and payload.content_type is None:
        return None
    content_type = (
        "*/*" if payload is None or payload.content_type is None else payload.content_type
    )
    required = bool(payload and payload.required)
    schema = None if payload is None else payload.json_schema
    content = _content(content_type, f"{handler.name}Request", schema, schemas)
    return {"required": required, "content": content}


def _result(handler: discovery.Handler, schemas: Json) -> Json:
    payload = handler.output
    if payload is None:
        return {"description": "", "content": {JSON: {}}}
    if payload.content_type is None:
        return {"description": "Empty"}
    name = f"{handler.name}Response"
    content = _content(payload.content_type, name, payload.json_schema, schemas)
    return {"description": "", "content": content}


def _content(content_type: str, name: str, schema: Any, schemas: Json) -> Json:
    if schema is None:
        return {content_type: {}}
    schemas[name] = _rebased(schema, f"#/components/schemas/{name}")
    return {content_type: {"schema": {"$ref": f"#/components/schemas/{name}"}}}


def _rebased(schema: Any, base: str) -> Any:
    """A schema whose references to its own parts hold inside the document, too."""
    if isinstance(schema, list):
        return [_rebased(item, base) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        name: base + value[1:]
        if name == "$ref" and isinstance(value, str) and value.startswith("#")
        else _rebased(value, base)
        for name, value in schema.items()
    }
