"""JSON patch (RFC 6902) over plain values."""

from __future__ import annotations

import copy
from typing import Any

from rtour.cli.diagnostics import CliError, ExitCode, Misuse


def patched(document: Any, operations: Any) -> Any:
    """The document after all operations; the one given stays as it is."""
    if not isinstance(operations, list):
        raise Misuse("the patch is no list", expected='[{"op": …, "path": …}]')
    result = copy.deepcopy(document)
    for operation in operations:
        result = _apply(result, operation)
    return result


def _apply(document: Any, operation: Any) -> Any:
    if not isinstance(operation, dict) or "op" not in operation or "path" not in operation:
        raise Misuse(f"no patch operation: {operation}", expected='{"op": …, "path": …}')
    name, path = operation["op"], _pointer(operation["path"])
    if name == "test":
        if _read(document, path) != operation.get("value"):
            raise CliError(
                f"the test of {operation['path']} failed; nothing was changed",
                expected=str(operation.get("value")),
                exit_code=ExitCode.CONFLICT,
            )
        return document
    if name in ("add", "replace"):
        if "value" not in operation:
            raise Misuse(f"'{name}' needs a value")
        if name == "replace":
            document = _remove(document, path)
        return _add(document, path, operation["value"])
    if name == "remove":
        return _remove(document, path)
    if name in ("move", "copy"):
        origin = _pointer(operation.get("from", ""))
        value = copy.deepcopy(_read(document, origin))
        document = _remove(document, origin) if name == "move" else document
        return _add(document, path, value)
    raise Misuse(f"no patch operation '{name}'", expected="add, remove, replace, move, copy, test")


def _pointer(text: Any) -> list[str]:
    if not isinstance(text, str) or (text and not text.startswith("/")):
        raise Misuse(f"'{text}' is no JSON pointer", expected="such as /tickets/0")
    return [part.replace("~1", "/").replace("~0", "~") for part in text.split("/")[1:]]


def _read(document: Any, path: list[str]) -> Any:
    for part in path:
        document = document[_place(document, part)]
    return document


def _add(document: Any, path: list[str], value: Any) -> Any:
    if not path:
        return value
    parent = _read(document, path[:-1])
    if isinstance(parent, list):
        place = len(parent) if path[-1] == "-" else _index(parent, path[-1], len(parent))
        parent.insert(place, value)
    elif isinstance(parent, dict):
        parent[path[-1]] = value
    else:
        raise _nothing_at(path[-1])
    return document


def _remove(document: Any, path: list[str]) -> Any:
    if not path:
        return None
    parent = _read(document, path[:-1])
    del parent[_place(parent, path[-1])]
    return document


def _place(container: Any, part: str) -> Any:
    if isinstance(container, list):
        return _index(container, part, len(container) - 1)
    if isinstance(container, dict) and part in container:
        return part
    raise _nothing_at(part)


def _index(container: list[Any], part: str, highest: int) -> int:
    if not part.isdigit() or int(part) > highest:
        raise Misuse(f"no index '{part}' in a list of {len(container)}")
    return int(part)


def _nothing_at(part: str) -> Misuse:
    return Misuse(f"there is no '{part}' to patch", hint="rtour kv get shows what is there")
