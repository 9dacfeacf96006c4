"""Values to bytes and back: by annotation where there is one, as JSON where there is none.

    bytes                                   as they are
    str, int, list[dict[str, float]], …     plain JSON, laid out as the official SDK lays it out,
                                            so that either SDK can replay the other's journal
    pydantic models, or types made of them  pydantic
    dataclass, TypedDict, Enum, datetime,
    Decimal, UUID, tuple, unions, Struct …  msgspec

`None` is no bytes at all, both ways. What is plain JSON already is not validated against the
annotation: an `int` may arrive where `str` was written, as in the official SDK.
"""

from __future__ import annotations

import abc
import json
import sys
import typing
from collections.abc import Callable
from functools import lru_cache
from types import NoneType, UnionType
from typing import Any, Final, Generic, TypeVar, cast

import msgspec

T = TypeVar("T")

_PLAIN_LEAVES: Final = frozenset({str, int, float, bool, NoneType, dict, list, Any, object})


class Serde(abc.ABC, Generic[T]):
    """How values of one kind become bytes; subclass it for formats of your own."""

    @abc.abstractmethod
    def serialize(self, obj: T | None) -> bytes: ...

    @abc.abstractmethod
    def deserialize(self, buf: bytes) -> T | None: ...


class BytesSerde(Serde[bytes]):
    """Bytes as they are."""

    def serialize(self, obj: bytes | None) -> bytes:
        return b"" if obj is None else bytes(obj)

    def deserialize(self, buf: bytes) -> bytes | None:
        return buf


class JsonSerde(Serde[T]):
    """JSON of dicts, lists, strings and numbers; other values as far as msgspec knows them."""

    def serialize(self, obj: T | None) -> bytes:
        return b"" if obj is None else _dump(obj)

    def deserialize(self, buf: bytes) -> T | None:
        return cast("T", json.loads(buf)) if buf else None


class MsgspecJsonSerde(Serde[T]):
    """A msgspec Struct, or any type that msgspec can decode."""

    def __init__(self, type: Any) -> None:  # noqa: A002 - what msgspec calls it
        self._is_struct = _is_struct(type)
        self._decoder = msgspec.json.Decoder(type, dec_hook=_decode_foreign)

    def serialize(self, obj: T | None) -> bytes:
        if obj is None:
            return b""
        return msgspec.json.encode(obj, enc_hook=_encode_foreign) if self._is_struct else _dump(obj)

    def deserialize(self, buf: bytes) -> T | None:
        return cast("T", self._decoder.decode(buf)) if buf else None


class PydanticJsonSerde(Serde[T]):
    """A pydantic model, or a type made of models such as `list[Model]`."""

    def __init__(self, model: Any) -> None:
        from pydantic import TypeAdapter  # noqa: PLC0415 - pydantic is optional

        self._adapter: Any = TypeAdapter(model)

    def serialize(self, obj: T | None) -> bytes:
        if obj is None:
            return b""
        if _is_pydantic_type(type(obj)) and hasattr(obj, "model_dump_json"):
            return cast("str", obj.model_dump_json()).encode()
        return cast("bytes", self._adapter.dump_json(obj))

    def deserialize(self, buf: bytes) -> T | None:
        return cast("T", self._adapter.validate_json(buf)) if buf else None


class DefaultSerde(Serde[T]):
    """Chooses by the type hint; without one, by the value it is given."""

    def __init__(self, type_hint: Any = None) -> None:
        self.type_hint = type_hint

    def with_maybe_type(self, type_hint: Any = None) -> DefaultSerde[T]:
        """The same for another type; this one stays as it is."""
        return DefaultSerde(type_hint)

    def serialize(self, obj: T | None) -> bytes:
        if obj is None:
            return b""
        return serde_of(type(obj) if self.type_hint is None else self.type_hint).serialize(obj)

    def deserialize(self, buf: bytes) -> T | None:
        return cast("T | None", serde_of(self.type_hint).deserialize(buf))


_JSON: Final = JsonSerde[Any]()
_BYTES: Final = BytesSerde()


def serde_of(hint: Any) -> Serde[Any]:
    """The serde for an annotation; None is plain JSON."""
    if hint is None:
        return _JSON
    try:
        return _cached_serde_of(hint)
    except TypeError:  # an annotation that has no hash, such as Annotated[int, []]
        return _serde_of(hint)


def resolve(serde: Serde[Any] | None, hint: Any) -> Serde[Any]:
    """The serde an operation uses: the one it was given, typed by `hint` if it is the default."""
    if serde is None:
        return serde_of(hint)
    if isinstance(serde, DefaultSerde):
        return serde_of(serde.type_hint if hint is None else hint)
    return serde


def _serde_of(hint: Any) -> Serde[Any]:
    if hint in (bytes, bytearray) or without_none(hint) is bytes:
        return _BYTES
    if is_plain(hint):
        return _JSON
    if _holds_pydantic(hint):
        return PydanticJsonSerde(hint)
    try:
        return MsgspecJsonSerde(hint)
    except TypeError:  # a type that msgspec refuses, such as a union of two dataclasses
        return _with_pydantic(hint)


_cached_serde_of = lru_cache(maxsize=1024)(_serde_of)


def _with_pydantic(hint: Any) -> Serde[Any]:
    try:
        return PydanticJsonSerde(hint)
    except Exception:  # noqa: BLE001 - not installed, or it does not know the type either
        return _JSON


# --- kinds of types ----------------------------------------------------------------------------


def without_none(hint: Any) -> Any:
    """`T` of `T | None`; any other hint as it is."""
    if not is_union(hint):
        return hint
    members = [member for member in typing.get_args(hint) if member is not NoneType]
    return members[0] if len(members) == 1 else hint


def is_union(hint: Any) -> bool:
    return typing.get_origin(hint) in (typing.Union, UnionType)


def is_plain(hint: Any) -> bool:
    """Whether `json` alone reads and writes it as it is."""
    try:
        if hint in _PLAIN_LEAVES:
            return True
    except TypeError:
        return False
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Literal:
        return True
    if origin is dict:
        return arguments[0] in (str, Any) and is_plain(arguments[1])
    if origin is list or is_union(hint):
        return all(is_plain(argument) for argument in arguments)
    return typing.is_typeddict(hint) and all(map(is_plain, _fields_of(hint).values()))


def _fields_of(hint: Any) -> dict[str, Any]:
    try:
        return typing.get_type_hints(hint)
    except NameError:
        return {"": hint}


def _is_struct(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, msgspec.Struct)


def _is_pydantic_type(hint: Any) -> bool:
    return "pydantic" in sys.modules and hasattr(hint, "__pydantic_validator__")


def _holds_pydantic(hint: Any) -> bool:
    return _is_pydantic_type(hint) or any(map(_holds_pydantic, typing.get_args(hint)))


# --- JSON --------------------------------------------------------------------------------------


_encode: Final = json.JSONEncoder().encode


def _dump(value: Any) -> bytes:
    try:
        return _encode(value).encode()
    except TypeError:
        return _encode(_builtins(value)).encode()


def _builtins(value: Any) -> Any:
    return msgspec.to_builtins(value, str_keys=True, enc_hook=_encode_foreign)


def _encode_foreign(value: Any) -> Any:
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    raise TypeError(
        f"{type(value).__name__} cannot be serialized: use a dataclass, a pydantic model, "
        "a msgspec Struct, or pass a `serde`"
    )


def _decode_foreign(wanted: type, value: Any) -> Any:
    if _is_pydantic_type(wanted):
        from pydantic import TypeAdapter  # noqa: PLC0415 - pydantic is optional

        return TypeAdapter(wanted).validate_python(value)
    raise NotImplementedError(f"{wanted} cannot be deserialized: pass a `serde`")


# --- JSON schema -------------------------------------------------------------------------------


def json_schema(hint: Any, *, of_input: bool) -> Any:
    """What the manifest says about a type; True (anything) when there is nothing to say."""
    try:
        if _holds_pydantic(hint):
            return _pydantic_schema(hint, of_input=of_input)
        return msgspec.json.schema(hint, schema_hook=_foreign_schema)
    except Exception:  # noqa: BLE001 - a schema is documentation: never fail discovery for it
        return True


def _pydantic_schema(hint: Any, *, of_input: bool) -> Any:
    from pydantic import TypeAdapter  # noqa: PLC0415 - pydantic is optional

    return TypeAdapter(hint).json_schema(mode="validation" if of_input else "serialization")


def _foreign_schema(hint: type) -> Any:
    if _is_pydantic_type(hint):
        return _pydantic_schema(hint, of_input=True)
    raise NotImplementedError


# --- annotations of callables --------------------------------------------------------------------


def return_hint(function: Callable[..., Any]) -> Any:
    """The return annotation of what `ctx.run` is given; None when there is none to be found."""
    function = getattr(function, "func", function)  # functools.partial
    function = getattr(function, "__func__", function)  # bound methods
    annotations = getattr(function, "__annotations__", None)
    if annotations is None or not hasattr(function, "__code__"):
        function = type(function).__call__  # an object that is called
        annotations = getattr(function, "__annotations__", {})
    hint = annotations.get("return")
    return _evaluate(function, hint) if isinstance(hint, str) else hint


def _evaluate(function: Any, hint: str) -> Any:
    try:
        return _evaluated(function.__code__, hint, _Globals(function.__globals__))
    except Exception:  # noqa: BLE001 - names known to type checkers only
        return None


class _Globals:
    """A module's names as part of a cache key: the code object determines them."""

    def __init__(self, names: dict[str, Any]) -> None:
        self.names = names

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Globals) and self.names is other.names

    def __hash__(self) -> int:
        return id(self.names)


@lru_cache(maxsize=1024)
def _evaluated(_code: Any, hint: str, scope: _Globals) -> Any:
    return eval(hint, scope.names)  # noqa: S307 - an annotation of the user's own code
