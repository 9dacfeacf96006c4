"""What a function is, as a row of the function tables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from rtour.server.query.dialect.kinds import Kind, combined

KindRule = Callable[[list[Kind]], Kind]


class Function(msgspec.Struct, frozen=True):
    """A scalar function: what runs it, and the kind of what it returns.

    `native` names a function of SQLite that means the same; else `python` does the work.
    """

    kind: Kind | KindRule
    python: Callable[..., Any] | None = None
    native: str | None = None
    least: int = 0
    most: int = 64
    pure: bool = True
    takes: tuple[Kind, ...] = ()
    """Kinds that the first arguments are turned into, where they are literals or text."""

    def result(self, kinds: list[Kind]) -> Kind:
        return self.kind(kinds) if callable(self.kind) else self.kind


def same_as_first(kinds: list[Kind]) -> Kind:
    return kinds[0] if kinds else "null"


def same_as_all(kinds: list[Kind]) -> Kind:
    return combined(kinds)


def number_like_first(kinds: list[Kind]) -> Kind:
    return kinds[0] if kinds and kinds[0] in {"i64", "u32", "u64", "duration"} else "f64"


def strict(function: Callable[..., Any]) -> Callable[..., Any]:
    """NULL in, NULL out."""

    def call(*arguments: Any) -> Any:
        return None if None in arguments else function(*arguments)

    return call
