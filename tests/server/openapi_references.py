"""What an OpenAPI document refers to."""

from __future__ import annotations

from typing import Any


def references(document: Any) -> set[str]:
    if isinstance(document, list):
        return set().union(*(references(item) for item in document))
    if not isinstance(document, dict):
        return set()
    own = {document["$ref"]} if isinstance(document.get("$ref"), str) else set()
    return own.union(*(references(value) for value in document.values()))
