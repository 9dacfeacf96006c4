"""Values by annotation: what goes out comes back, and plain JSON has the official layout."""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import functools
import uuid
from decimal import Decimal
from typing import Any, Literal, NamedTuple, TypedDict

import msgspec
import pydantic
import pytest

from rtour.sdk import serde


class Colour(enum.Enum):
    RED = "red"


class Model(pydantic.BaseModel):
    name: str
    size: int = 1


class Struct(msgspec.Struct):
    name: str


@dataclasses.dataclass
class Item:
    name: str
    price: Decimal = Decimal("1.10")


@dataclasses.dataclass
class Basket:
    items: list[Item]
    owner: Model | None = None


class Order(TypedDict):
    user_id: str
    tickets: list[str]


class Dated(TypedDict):
    at: dt.datetime


class Point(NamedTuple):
    x: int
    y: int


NOON = dt.datetime(2026, 11, 24, 12, tzinfo=dt.UTC)
ID = uuid.UUID(int=7)

ROUND_TRIPS: list[tuple[Any, Any, bytes]] = [
    (None, {"a": [1, 2.5, None, "ä"]}, b'{"a": [1, 2.5, null, "\\u00e4"]}'),
    (str, "x", b'"x"'),
    (list[str], ["a"], b'["a"]'),
    (dict[str, list[int]], {"a": [1]}, b'{"a": [1]}'),
    (Order, {"user_id": "u", "tickets": ["t"]}, b'{"user_id": "u", "tickets": ["t"]}'),
    (Literal["a", "b"], "a", b'"a"'),
    (bytes, b"\x00\xff", b"\x00\xff"),
    (Struct, Struct("n"), b'{"name":"n"}'),
    (Model, Model(name="n"), b'{"name":"n","size":1}'),
    (list[Model], [Model(name="n")], b'[{"name":"n","size":1}]'),
    (dict[str, Model], {"k": Model(name="n")}, b'{"k":{"name":"n","size":1}}'),
    (Model | None, Model(name="n"), b'{"name":"n","size":1}'),
    (Item, Item("i"), b'{"name": "i", "price": "1.10"}'),
    (list[Item], [Item("i")], b'[{"name": "i", "price": "1.10"}]'),
    (Item | None, Item("i"), b'{"name": "i", "price": "1.10"}'),
    (
        Basket,
        Basket([Item("i")], Model(name="n")),
        b'{"items": [{"name": "i", "price": "1.10"}], "owner": {"name": "n", "size": 1}}',
    ),
    (Dated, {"at": NOON}, b'{"at": "2026-11-24T12:00:00Z"}'),
    (dt.datetime, NOON, b'"2026-11-24T12:00:00Z"'),
    (dt.timedelta, dt.timedelta(minutes=1), b'"PT60S"'),
    (Decimal, Decimal("0.1"), b'"0.1"'),
    (uuid.UUID, ID, b'"00000000-0000-0000-0000-000000000007"'),
    (Colour, Colour.RED, b'"red"'),
    (tuple[int, str], (1, "a"), b'[1, "a"]'),
    (set[int], {1}, b"[1]"),
    (Point, Point(1, 2), b"[1, 2]"),
    (int | str | None, 5, b"5"),
    (dt.datetime | int, 5, b"5"),
]


@pytest.mark.parametrize(("hint", "value", "encoded"), ROUND_TRIPS, ids=str)
def test_round_trip(hint: Any, value: Any, encoded: bytes) -> None:
    """What goes out comes back, with the same bytes in every process."""
    chosen = serde.serde_of(hint)
    assert chosen.serialize(value) == encoded
    assert chosen.deserialize(encoded) == value


@pytest.mark.parametrize("hint", [None, str, Model, Item, Struct, Model | None])
def test_none_is_no_bytes(hint: Any) -> None:
    """Both ways, whatever the type."""
    assert serde.serde_of(hint).serialize(None) == b""
    assert serde.serde_of(hint).deserialize(b"") is None


@pytest.mark.parametrize(
    ("value", "encoded"),
    [
        (Item("i"), b'{"name": "i", "price": "1.10"}'),
        ({"k": Model(name="n")}, b'{"k": {"name": "n", "size": 1}}'),
        ([NOON, ID], b'["2026-11-24T12:00:00Z", "00000000-0000-0000-0000-000000000007"]'),
    ],
    ids=str,
)
def test_values_without_annotation(value: Any, encoded: bytes) -> None:
    """An unannotated result still becomes JSON, where there is a way."""
    assert serde.DefaultSerde[Any]().serialize(value) == encoded


def test_what_cannot_be_serialized_says_so() -> None:
    """The error names the type and the way out."""
    with pytest.raises(TypeError, match="object cannot be serialized: use a dataclass"):
        serde.JsonSerde[Any]().serialize(object())


def test_default_serde_is_not_changed_by_a_hint() -> None:
    """`with_maybe_type` gives a new one."""
    default = serde.DefaultSerde[Any]()
    typed = default.with_maybe_type(Item)
    assert typed is not default
    assert typed.deserialize(b'{"name": "i"}') == Item("i")
    assert default.deserialize(b'{"name": "i"}') == {"name": "i"}


def test_an_explicit_serde_wins() -> None:
    """Only the default one looks at hints."""
    mine = serde.BytesSerde()
    assert serde.resolve(mine, Item) is mine
    assert serde.resolve(serde.DefaultSerde(), Model).deserialize(b'{"name":"n"}') == Model(
        name="n"
    )


# --- return annotations of what ctx.run is given ---------------------------------------------


def annotated() -> Item:
    return Item("i")


class Service:
    def method(self) -> list[Model]:
        return []

    def __call__(self) -> Colour:
        return Colour.RED


@pytest.mark.parametrize(
    ("function", "hint"),
    [
        (annotated, Item),
        (functools.partial(annotated), Item),
        (Service().method, list[Model]),
        (Service(), Colour),
        (lambda: 1, None),
        (len, None),
    ],
)
def test_return_hint(function: Any, hint: Any) -> None:
    """String annotations are evaluated where the function was written; none is None."""
    assert serde.return_hint(function) == hint


def test_return_hint_that_only_type_checkers_know() -> None:
    """An annotation that cannot be evaluated at run time is no annotation."""

    def hidden() -> Unknown: ...  # type: ignore[name-defined,empty-body] # noqa: F821

    assert serde.return_hint(hidden) is None


# --- schemas ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hint", "schema"),
    [
        (str, {"type": "string"}),
        (list[int], {"type": "array", "items": {"type": "integer"}}),
        (Any, {}),
        (complex, True),
    ],
)
def test_schema(hint: Any, schema: Any) -> None:
    """The manifest tells what it can; what has no schema accepts anything."""
    assert serde.json_schema(hint, of_input=True) == schema


def test_schema_of_models() -> None:
    """Pydantic models and dataclasses describe themselves, nested ones under $defs."""
    assert serde.json_schema(Model, of_input=True)["required"] == ["name"]
    assert serde.json_schema(list[Model], of_input=False)["type"] == "array"
    assert "Item" in serde.json_schema(Basket, of_input=True)["$defs"]
