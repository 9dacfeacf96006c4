"""A form from a JSON schema, and JSON from a form: what a playground needs.

Objects of scalars become one field per property; a scalar becomes one field; anything deeper is a
field that takes JSON. What cannot be understood has no form, and is typed as JSON.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

SCALARS = ("string", "integer", "number", "boolean")
WHOLE = ""


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to fill in; the field named `WHOLE` is the input itself."""

    name: str
    kind: str
    required: bool = True
    description: str = ""
    default: str = ""
    choices: tuple[str, ...] = ()


class MisfilledError(ValueError):
    """A field that holds what it cannot."""


def fields(schema: Any) -> list[Field] | None:
    """The fields of a schema; None where there is no form."""
    if not isinstance(schema, dict):
        return None
    root = _resolved(schema, schema)
    if root.get("type") in SCALARS:
        return [_field(WHOLE, root, required=True)]
    properties = root.get("properties")
    if not isinstance(properties, dict) or not properties:
        return None
    required = root.get("required", ())
    return [
        _field(name, _resolved(inner, schema), required=name in required)
        for name, inner in properties.items()
    ]


def filled(form: Sequence[Field], texts: Mapping[str, str]) -> Any:
    """The value that the texts stand for; fields that are optional and empty are left out."""
    whole = next((field for field in form if field.name == WHOLE), None)
    if whole is not None:
        return _value(whole, texts.get(WHOLE, ""))
    return {
        field.name: _value(field, texts.get(field.name, ""))
        for field in form
        if texts.get(field.name, "") or field.required
    }


def example(schema: Any) -> Any:
    """A value to start from: defaults, else the emptiest value of each type."""
    if not isinstance(schema, dict):
        return None
    return _example(schema, schema, 0)


def _example(schema: Any, root: dict[str, Any], depth: int) -> Any:
    inner = _resolved(schema, root)
    for key in ("default", "const"):
        if key in inner:
            return inner[key]
    if isinstance(inner.get("examples"), list) and inner["examples"]:
        return inner["examples"][0]
    if inner.get("enum"):
        return inner["enum"][0]
    empty = {"string": "", "integer": 0, "number": 0, "boolean": False, "array": [], "null": None}
    kind = inner.get("type")
    if kind in empty:
        return empty[kind]
    properties = inner.get("properties")
    # A schema may contain itself.
    if isinstance(properties, dict) and depth < 5:
        return {name: _example(each, root, depth + 1) for name, each in properties.items()}
    return {} if kind == "object" else None


def _resolved(schema: Any, root: dict[str, Any]) -> dict[str, Any]:
    """Follows `$ref` and takes the part of `anyOf` that is not null."""
    for _ in range(10):
        if not isinstance(schema, dict):
            return {}
        if isinstance(schema.get("$ref"), str):
            schema = _pointed(root, schema["$ref"])
        elif isinstance(schema.get("anyOf"), list):
            parts = [each for each in schema["anyOf"] if each != {"type": "null"}]
            if len(parts) != 1:
                return {key: value for key, value in schema.items() if key != "anyOf"}
            schema = {**{k: v for k, v in schema.items() if k != "anyOf"}, **parts[0]}
        else:
            return schema
    return {}


def _pointed(root: dict[str, Any], reference: str) -> Any:
    """What a `$ref` within the schema points at; `#` is the schema itself."""
    found: Any = root
    for part in reference.removeprefix("#").split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        found = found.get(name, {}) if isinstance(found, dict) else {}
    return found


def _field(name: str, schema: dict[str, Any], *, required: bool) -> Field:
    kind = schema.get("type")
    choices = schema.get("enum")
    default = schema.get("default")
    return Field(
        name=name,
        kind=kind if kind in SCALARS else "json",
        required=required,
        description=str(schema.get("description", schema.get("title", ""))),
        default="" if default is None else _text(default),
        choices=tuple(_text(each) for each in choices) if isinstance(choices, list) else (),
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _value(field: Field, text: str) -> Any:
    if field.kind == "string":
        return text
    label = field.name or "the input"
    try:
        value = json.loads(text)
    except ValueError as error:
        raise MisfilledError(f"{label}: '{text}' is no {field.kind}") from error
    wanted: dict[str, type | tuple[type, ...]] = {
        "integer": int,
        "number": (int, float),
        "boolean": bool,
    }
    kind = wanted.get(field.kind)
    if kind is not None and (
        not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool)
    ):
        raise MisfilledError(f"{label}: '{text}' is no {field.kind}")
    return value
