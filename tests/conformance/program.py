"""How scenarios write programs for the interpreter services."""

from __future__ import annotations

from typing import Any

Step = dict[str, Any]


def op(name: str, /, **fields: Any) -> Step:
    """One step; `into` keeps its value or future under a name."""
    if "into" in fields:
        fields["as"] = fields.pop("into")
    return {"op": name, **fields}


def ref(name: str) -> Step:
    """The value kept under a name."""
    return {"$": name}
