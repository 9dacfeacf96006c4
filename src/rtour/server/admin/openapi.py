"""The admin API's OpenAPI document, written from the table of routes and the types of bodies."""

from __future__ import annotations

import functools
import re
from http import HTTPStatus
from typing import Any, Final

import msgspec

from rtour.server.admin.models import ErrorDescription
from rtour.server.admin.routes import ROUTES, Route

_PARAMETER: Final = re.compile(r"\{(\w+)\}")
_JSON: Final = "application/json"
_REFERENCE: Final = "#/components/schemas/{name}"


@functools.cache
def admin_openapi(version: str) -> dict[str, Any]:
    """OpenAPI 3.1 for all that `ROUTES` serves."""
    types = [ErrorDescription]
    for route in ROUTES:
        types += [one for one in (route.takes, route.gives) if one is not None]
    _, schemas = msgspec.json.schema_components(types, ref_template=_REFERENCE)
    paths: dict[str, dict[str, Any]] = {}
    for route in ROUTES:
        paths.setdefault(route.pattern, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Admin API",
            "description": "Register deployments, look at and control invocations, edit state.",
            "version": version,
        },
        "paths": paths,
        "components": {"schemas": schemas},
        "tags": [{"name": tag} for tag in sorted({route.tag for route in ROUTES})],
    }


def _operation(route: Route) -> dict[str, Any]:
    responses: dict[str, Any] = {}
    for status in route.statuses:
        responses[str(status)] = _response(status, route.gives)
    for status in route.errors:
        responses[str(status)] = _response(status, ErrorDescription)
    operation: dict[str, Any] = {
        "operationId": route.name,
        "summary": route.summary,
        "tags": [route.tag],
        "parameters": _parameters(route),
        "responses": responses,
    }
    if route.takes is not None:
        operation["requestBody"] = {"required": True, "content": _content(route.takes)}
    if route.summary.startswith("Deprecated"):
        operation["deprecated"] = True
    return operation


def _parameters(route: Route) -> list[dict[str, Any]]:
    in_path = [("path", name) for name in _PARAMETER.findall(route.pattern)]
    in_query = [("query", name) for name in route.query]
    return [
        {"name": name, "in": where, "required": where == "path", "schema": {"type": "string"}}
        for where, name in in_path + in_query
    ]


def _response(status: int, body: Any) -> dict[str, Any]:
    response: dict[str, Any] = {"description": HTTPStatus(status).phrase}
    if body is not None:
        response["content"] = _content(body)
    return response


def _content(body: Any) -> dict[str, Any]:
    return {_JSON: {"schema": {"$ref": _REFERENCE.format(name=body.__name__)}}}
