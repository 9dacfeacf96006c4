"""The shape of JSON: which keys, which types. `docs/reference/cli-json.json` documents them all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

DOCUMENTED = Path(__file__).parents[2] / "docs" / "reference" / "cli-json.json"
# Keys of these are the user's, not ours.
FREE = {
    "additional_headers",
    "metadata",
    "options",
    "properties",
    "retry_policy",
    "headers",
    "input_json_schema",
    "output_json_schema",
}


def shape(value: Any) -> Any:
    """A value's type; an object's by key, a list's by its items together."""
    if isinstance(value, dict):
        return {key: "object" if key in FREE else shape(each) for key, each in value.items()}
    if isinstance(value, list):
        merged: Any = "nothing"
        for each in value:
            merged = merge(merged, shape(each))
        return [merged]
    names = {str: "string", bool: "boolean", int: "integer", float: "number", type(None): "null"}
    return names[type(value)]


def merge(one: Any, other: Any) -> Any:
    """The shape of either."""
    if other in (one, "nothing"):
        return one
    if one == "nothing":
        return other
    if isinstance(one, dict) and isinstance(other, dict):
        keys = [*one, *(key for key in other if key not in one)]
        return {key: merge(one.get(key, "absent"), other.get(key, "absent")) for key in keys}
    if isinstance(one, list) and isinstance(other, list):
        return [merge(one[0], other[0])]
    if isinstance(one, (dict, list)) or isinstance(other, (dict, list)):
        structured, scalar = (one, other) if isinstance(one, (dict, list)) else (other, one)
        return structured if scalar in ("null", "absent") else "any"
    return "|".join(sorted({*one.split("|"), *other.split("|")}))


def documented() -> dict[str, Any]:
    """All documented shapes, by command."""
    return dict(json.loads(DOCUMENTED.read_text())) if DOCUMENTED.is_file() else {}


def document(name: str, found: Any) -> None:
    """Writes one shape down."""
    known = {**documented(), name: found}
    DOCUMENTED.parent.mkdir(parents=True, exist_ok=True)
    DOCUMENTED.write_text(json.dumps(dict(sorted(known.items())), indent=1) + "\n", "utf-8")
