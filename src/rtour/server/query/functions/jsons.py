"""Functions of JSON text and of lists, which are JSON arrays too."""

from __future__ import annotations

from typing import Any

import msgspec

from rtour.server.query.dialect.calls import Function, KindRule, strict
from rtour.server.query.dialect.kinds import Kind, combined, item_of, list_of
from rtour.unreadable import UNREADABLE

_MISSING = object()
_SERIES_MAX = 1_000_000


def _decoded(text: str | bytes) -> Any:
    try:
        return msgspec.json.decode(text)
    except UNREADABLE:
        return _MISSING


def _at(text: str | bytes, *path: str | int) -> Any:
    """The value at a path of keys and indexes; missing if anything on the way is."""
    value = _decoded(text)
    for step in path:
        if isinstance(value, dict):
            value = value.get(str(step), _MISSING)
        elif isinstance(value, list) and isinstance(step, int) and -len(value) <= step < len(value):
            value = value[step]
        else:
            return _MISSING
    return value


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def as_text(text: str | bytes, *path: str | int) -> str | None:
    """A text as itself, all else as JSON; null and missing are NULL."""
    value = _at(text, *path)
    if value is _MISSING or value is None:
        return None
    return value if isinstance(value, str) else _json(value)


def _get(text: str | bytes, *path: str | int) -> str | None:
    value = _at(text, *path)
    return None if value is _MISSING else _json(value)


def _of_type(*types: type) -> Any:
    def get(text: str | bytes, *path: str | int) -> Any:
        value = _at(text, *path)
        if isinstance(value, bool) and bool not in types:
            return None
        return value if isinstance(value, types) else None

    return get


def _contains(text: str | bytes, *path: str | int) -> bool:
    return _at(text, *path) is not _MISSING


def _length(text: str | bytes, *path: str | int) -> int | None:
    value = _at(text, *path)
    return len(value) if isinstance(value, dict | list) else None


def _object_keys(text: str | bytes, *path: str | int) -> str | None:
    value = _at(text, *path)
    return _json(list(value)) if isinstance(value, dict) else None


def _items(text: str | bytes, *path: str | int) -> str | None:
    value = _at(text, *path)
    return _json([_json(item) for item in value]) if isinstance(value, list) else None


# --- lists ---------------------------------------------------------------------------------------


def _list(text: str) -> list[Any]:
    value = _decoded(text)
    return value if isinstance(value, list) else []


def _element(text: str, position: int) -> Any:
    """From 1; from the end if negative."""
    items = _list(text)
    index = position - 1 if position > 0 else position
    return items[index] if position and -len(items) <= index < len(items) else None


def _slice(text: str, first: int, last: int) -> str:
    return _json(_list(text)[max(first - 1, 0) : max(last, 0)])


def _position(text: str, wanted: Any) -> int | None:
    items = _list(text)
    return items.index(wanted) + 1 if wanted in items else None


def _concatenated(*texts: str | None) -> str:
    return _json([item for text in texts if text is not None for item in _list(text)])


def _joined(text: str, separator: str, null: str | None = None) -> str:
    parts = [null if item is None else str(item) for item in _list(text)]
    return separator.join(part for part in parts if part is not None)


def _series(first: int, last: int | None = None, step: int = 1) -> str:
    """From the first to the last; up to the first if it is alone."""
    if last is None:
        first, last = 0, first
    numbers = range(first, last + (1 if step > 0 else -1), step)
    if len(numbers) > _SERIES_MAX:
        raise ValueError(f"a series of {len(numbers)} numbers is too long")
    return _json(list(numbers))


def _range(first: int, last: int | None = None, step: int = 1) -> str:
    if last is None:
        first, last = 0, first
    return _series(first, last - (1 if step > 0 else -1), step)


def _listed(kinds: list[Kind]) -> Kind:
    return "list<text>" if "text" in kinds else list_of(combined(kinds))


def _item(kinds: list[Kind]) -> Kind:
    return item_of(kinds[0])


def same(kinds: list[Kind]) -> Kind:
    return kinds[0]


def _call(kind: Kind | KindRule, function: Any, least: int = 1, most: int = 16) -> Function:
    return Function(kind, strict(function), least=least, most=most)


_LENGTH = _call("u64", lambda text: len(_list(text)), 1, 1)
_HAS = _call("bool", lambda text, item: item in _list(text), 2, 2)
_ELEMENT = _call(_item, _element, 2, 2)
_JOINED = _call("text", _joined, 2, 3)
_MAKE = Function(_listed, lambda *items: _json(list(items)))

FUNCTIONS: dict[str, Function] = {
    "json_get": _call("text", _get),
    "json_get_json": _call("text", _get),
    "json_get_str": _call("text", _of_type(str)),
    "json_get_int": _call("i64", _of_type(int)),
    "json_get_float": _call("f64", _of_type(float, int)),
    "json_get_bool": _call("bool", _of_type(bool)),
    "json_get_array": _call("list<text>", _items),
    "json_as_text": _call("text", as_text),
    "json_contains": _call("bool", _contains),
    "json_length": _call("u64", _length),
    "json_object_keys": _call("list<text>", _object_keys),
    "make_array": _MAKE,
    "make_list": _MAKE,
    "array_length": _LENGTH,
    "list_length": _LENGTH,
    "cardinality": _LENGTH,
    "array_has": _HAS,
    "array_contains": _HAS,
    "list_has": _HAS,
    "list_contains": _HAS,
    "array_element": _ELEMENT,
    "list_element": _ELEMENT,
    "array_slice": _call(same, _slice, 3, 3),
    "array_position": _call("u64", _position, 2, 2),
    "generate_series": _call("list<i64>", _series, 1, 3),
    "range": _call("list<i64>", _range, 1, 3),
    "array_concat": Function(same, _concatenated, least=1),
    "array_to_string": _JOINED,
    "list_to_string": _JOINED,
    "array_join": _JOINED,
    "empty": _call("bool", lambda text: not _list(text), 1, 1),
}
