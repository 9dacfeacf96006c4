"""Expressions of text: LIKE and its kind, joining, cutting."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from rtour.server.query import failures
from rtour.server.query.dialect import typed
from rtour.server.query.dialect.scopes import Scope
from rtour.server.query.dialect.typed import Typed, as_text, call

if TYPE_CHECKING:
    from rtour.server.query.dialect.expressions import Expressions

_ESCAPE = "\\"


class Texts:
    """Translates what yields or examines a text."""

    def __init__(self, expressions: Expressions) -> None:
        self._expressions = expressions
        self.handlers: dict[type, Callable[[Any, Scope], Typed]] = {
            exp.Like: self._like,
            exp.ILike: self._like,
            exp.Escape: self._escape,
            exp.RegexpLike: self._regexp,
            exp.RegexpILike: self._regexp,
            exp.Operator: self._operator,
            exp.DPipe: self._join_texts,
            exp.Substring: self._substring,
            exp.StrPosition: self._position,
            exp.Trim: self._trim,
        }

    def _like(self, node: Any, scope: Scope, escape: str | None = None) -> Typed:
        left = as_text(self._expressions.value(node.this, scope))
        pattern = self._expressions.bound_like(
            left, as_text(self._expressions.value(node.expression, scope))
        )[1]
        made = _matches(isinstance(node, exp.ILike), left, pattern, escape)
        return Typed(exp.Not(this=made) if node.args.get("negate") else made, "bool")

    def _escape(self, node: Any, scope: Scope) -> Typed:
        return self._like(node.this, scope, node.expression.name)

    def _regexp(self, node: Any, scope: Scope) -> Typed:
        text, pattern = self._expressions.values([node.this, node.expression], scope)
        flags = [exp.Literal.string("i")] if isinstance(node, exp.RegexpILike) else []
        return Typed(call("regexp_like", as_text(text).node, pattern.node, *flags), "bool")

    def _operator(self, node: Any, scope: Scope) -> Typed:
        """`a OPERATOR(pg_catalog.~) b`, as psql writes it."""
        symbol = str(node.args["operator"]).rpartition(".")[2]
        text, pattern = self._expressions.values([node.this, node.expression], scope)
        if symbol == "=":
            return Typed(exp.EQ(this=text.node, expression=pattern.node), "bool")
        if symbol not in {"~", "!~", "~*", "!~*"}:
            raise failures.unsupported(f"OPERATOR({symbol})")
        flags = [exp.Literal.string("i")] if symbol.endswith("*") else []
        made = call("regexp_like", as_text(text).node, pattern.node, *flags)
        return Typed(exp.Not(this=made) if symbol.startswith("!") else made, "bool")

    def _join_texts(self, node: Any, scope: Scope) -> Typed:
        left, right = self._expressions.values([node.this, node.expression], scope)
        if left.kind.startswith("list") or right.kind.startswith("list"):
            return Typed(call("array_concat", left.node, right.node), left.kind)
        made = exp.DPipe(this=as_text(left).node, expression=as_text(right).node)
        return Typed(made, "text", left.nullable or right.nullable)

    def _substring(self, node: Any, scope: Scope) -> Typed:
        parts = [node.this, node.args.get("start"), node.args.get("length")]
        values = self._expressions.values([part for part in parts if part is not None], scope)
        return Typed(call("substr", *(value.node for value in values)), "text")

    def _position(self, node: Any, scope: Scope) -> Typed:
        values = self._expressions.values([node.this, node.args["substr"]], scope)
        return Typed(call("strpos", *(value.node for value in values)), "i64")

    def _trim(self, node: Any, scope: Scope) -> Typed:
        name = {"LEADING": "ltrim", "TRAILING": "rtrim"}.get(node.args.get("position"), "trim")
        parts = [node.this, *([node.expression] if node.args.get("expression") else [])]
        return Typed(
            call(name, *(value.node for value in self._expressions.values(parts, scope))), "text"
        )


def _matches(any_case: bool, text: Typed, pattern: Typed, escape: str | None) -> Any:
    """LIKE or ILIKE."""
    escaping = exp.Literal.string(escape or _ESCAPE)
    if any_case:
        return call("ilike", text.node, pattern.node, escaping)
    made = exp.Like(this=text.node, expression=pattern.node)
    written = typed.literal_text(pattern)
    # Without an ESCAPE clause, SQLite finds the rows of a constant prefix by an index.
    if escape is not None or written is None or _ESCAPE in written:
        return exp.Escape(this=made, expression=escaping)
    return made
