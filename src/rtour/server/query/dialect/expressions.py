"""Expressions of DataFusion as expressions of SQLite, each with its kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlglot import exp

from rtour.server.query import failures
from rtour.server.query.dialect import arithmetic, typed
from rtour.server.query.dialect.calling import Calls
from rtour.server.query.dialect.kinds import (
    ARROW_TYPES,
    NUMBERS,
    SQL_TYPES,
    Kind,
    Output,
    combined,
    item_of,
    list_of,
)
from rtour.server.query.dialect.parsing import DataFusion
from rtour.server.query.dialect.scopes import Scope
from rtour.server.query.dialect.texts import Texts
from rtour.server.query.dialect.typed import Typed, as_kind, call, comparable

SubQuery = Callable[[Any, Scope | None], list[Output]]

_LOGIC = (exp.Not, exp.And, exp.Or)
_COMPARE = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.NullSafeEQ, exp.NullSafeNEQ)
_ARITHMETIC = (exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Mod)
_BITS = (exp.BitwiseAnd, exp.BitwiseOr, exp.BitwiseLeftShift, exp.BitwiseRightShift)


class Expressions:
    """Translates one node by its type; sub-queries go back to whoever translates queries."""

    def __init__(self, subquery: SubQuery, parameter: Callable[[int, Kind], Kind]) -> None:
        self._subquery = subquery
        self._parameter = parameter
        self._calls = Calls(self)
        self._handlers: dict[type, Callable[[Any, Scope], Typed]] = {
            exp.Column: _column,
            exp.Literal: lambda node, _: _literal(node),
            exp.HexString: lambda node, _: Typed(node, "binary", nullable=False),
            exp.ByteString: lambda node, _: Typed(
                exp.Literal.string(node.this), "text", nullable=False
            ),
            exp.Null: lambda node, _: Typed(node, "null"),
            exp.Boolean: lambda node, _: Typed(node, "bool", nullable=False),
            exp.Paren: self._paren,
            exp.Neg: self._neg,
            **dict.fromkeys(_LOGIC, self._logic),
            **dict.fromkeys(_COMPARE, self._compare),
            exp.Is: self._is,
            exp.In: self._in,
            exp.Between: self._between,
            **dict.fromkeys(_ARITHMETIC, self._arithmetic),
            **dict.fromkeys(_BITS, self._bits),
            exp.Case: self._case,
            exp.Cast: self._cast,
            exp.TryCast: self._cast,
            exp.Interval: lambda node, _: _interval(node),
            exp.Extract: self._extract,
            exp.AtTimeZone: lambda node, scope: as_kind(self.value(node.this, scope), "timestamp"),
            exp.Collate: lambda node, scope: self.value(node.this, scope),
            exp.Subquery: self._scalar,
            exp.Select: self._scalar,
            exp.Exists: self._exists,
            exp.Tuple: self._tuple,
            exp.Array: self._array,
            exp.Bracket: self._bracket,
            exp.JSONExtract: self._json,
            exp.JSONExtractScalar: self._json,
            exp.Parameter: self._bound,
            exp.CurrentTimestamp: lambda _node, _: NOW,
            exp.CurrentDate: lambda _node, _: Typed(call("midnight", NOW.node), "date"),
            **self._calls.handlers,
            **Texts(self).handlers,
        }

    def value(self, node: Any, scope: Scope) -> Typed:
        """The expression for SQLite. Raises QueryFailed."""
        handler = self._handlers.get(type(node))
        if handler is None:
            raise failures.unsupported(
                f"{type(node).__name__}: {node.sql(dialect=DataFusion)[:80]}"
            )
        return handler(node, scope)

    def values(self, nodes: list[Any], scope: Scope) -> list[Typed]:
        return [self.value(node, scope) for node in nodes]

    # --- logic -----------------------------------------------------------------------------------

    def _paren(self, node: Any, scope: Scope) -> Typed:
        inner = self.value(node.this, scope)
        if isinstance(inner.node, exp.Literal | exp.Column | exp.Subquery):
            return inner
        return Typed(exp.Paren(this=inner.node), inner.kind, inner.nullable, months=inner.months)

    def _logic(self, node: Any, scope: Scope) -> Typed:
        sides = {
            side: as_kind(self.value(node.args[side], scope), "bool").node
            for side in ("this", "expression")
            if node.args.get(side) is not None
        }
        return Typed(type(node)(**sides), "bool")

    def _compare(self, node: Any, scope: Scope) -> Typed:
        if isinstance(node.expression, exp.Any):
            return self._any(node, scope)
        left, right = comparable(self.value(node.this, scope), self.value(node.expression, scope))
        left, right = self.bound_like(left, right)
        arithmetic.check_ids(left, right)
        return Typed(type(node)(this=left.node, expression=right.node), "bool")

    def _any(self, node: Any, scope: Scope) -> Typed:
        """`x = ANY(list)`."""
        if not isinstance(node, exp.EQ):
            raise failures.unsupported("ANY with another operator than =")
        inner = node.expression.this
        inner = inner.this if isinstance(inner, exp.Paren) else inner
        if isinstance(inner, exp.Subquery | exp.Select):
            return self._in(exp.In(this=node.this, query=inner), scope)
        left, items = self.value(node.this, scope), self.value(inner, scope)
        query = exp.select("value").from_(exp.Table(this=typed.native("json_each", items.node)))
        return Typed(exp.In(this=left.node, query=exp.Subquery(this=query)), "bool")

    def _is(self, node: Any, scope: Scope) -> Typed:
        left = self.value(node.this, scope)
        right = self.value(node.expression, scope)
        negate = bool(node.args.get("negate"))
        made: exp.Expression = exp.Is(this=left.node, expression=right.node)
        return Typed(exp.Not(this=made) if negate else made, "bool", nullable=False)

    def bound_like(self, left: Typed, right: Typed) -> tuple[Typed, Typed]:
        """A parameter is of the kind it is compared with."""
        for bound, other in ((left, right), (right, left)):
            if isinstance(bound.node, exp.Placeholder) and bound.node.name.startswith("p"):
                self._parameter(int(bound.node.name[1:]), other.kind)
        return left, right

    def _in(self, node: Any, scope: Scope) -> Typed:
        left = self.value(node.this, scope)
        query = node.args.get("query")
        if query is not None:
            select = query.this if isinstance(query, exp.Subquery) else query
            self._subquery(select, scope)
            return Typed(exp.In(this=left.node, query=exp.Subquery(this=select)), "bool")
        items = []
        for item in node.expressions:
            value = comparable(left, self.value(item, scope))[1]
            self.bound_like(left, value)
            arithmetic.check_ids(left, value)
            items.append(value.node)
        return Typed(exp.In(this=left.node, expressions=items), "bool")

    def _between(self, node: Any, scope: Scope) -> Typed:
        left = self.value(node.this, scope)
        ends = {}
        for end in ("low", "high"):
            value = comparable(left, self.value(node.args[end], scope))[1]
            self.bound_like(left, value)
            ends[end] = value.node
        return Typed(exp.Between(this=left.node, **ends), "bool")

    # --- numbers and times -----------------------------------------------------------------------

    def _neg(self, node: Any, scope: Scope) -> Typed:
        inner = self.value(node.this, scope)
        if inner.kind not in NUMBERS | {"duration", "null"}:
            raise failures.planning(f"Negation does not support {inner.kind}")
        kind: Kind = "i64" if inner.kind in {"u32", "u64"} else inner.kind
        return Typed(exp.Neg(this=inner.node), kind, inner.nullable, months=-inner.months)

    def _arithmetic(self, node: Any, scope: Scope) -> Typed:
        left, right = self.values([node.this, node.expression], scope)
        return arithmetic.combine(type(node), left, right)

    def _bits(self, node: Any, scope: Scope) -> Typed:
        left, right = self.values([node.this, node.expression], scope)
        return Typed(type(node)(this=left.node, expression=right.node), left.kind)

    def _extract(self, node: Any, scope: Scope) -> Typed:
        value = self.value(node.expression, scope)
        unit = exp.Literal.string(node.this.name)
        if value.kind == "duration":
            return Typed(call("duration_part", unit, value.node), "f64")
        return Typed(call("date_part", unit, as_kind(value, "timestamp").node), "f64")

    # --- choices, casts --------------------------------------------------------------------------

    def _case(self, node: Any, scope: Scope) -> Typed:
        subject = self.value(node.this, scope) if node.this is not None else None
        results = [self.value(branch.args["true"], scope) for branch in node.args["ifs"]]
        default = node.args.get("default")
        last = self.value(default, scope) if default is not None else Typed(exp.Null(), "null")
        kind = combined([value.kind for value in (*results, last)])
        branches = []
        for branch, result in zip(node.args["ifs"], results, strict=True):
            condition = self.value(branch.this, scope)
            if subject is not None:
                condition = comparable(subject, condition)[1]
            branches.append(exp.If(this=condition.node, true=as_kind(result, kind).node))
        made = exp.Case(
            this=None if subject is None else subject.node,
            ifs=branches,
            default=as_kind(last, kind).node,
        )
        return Typed(made, kind)

    def _cast(self, node: Any, scope: Scope) -> Typed:
        value = self.value(node.this, scope)
        strict = not isinstance(node, exp.TryCast)
        return self.cast_to(value, node.args["to"], strict=strict)

    def cast_to(self, value: Typed, to: exp.DataType, *, strict: bool) -> Typed:
        name = to.this.value if isinstance(to.this, exp.DType) else str(to.this)
        if name == "ARRAY":
            if value.kind == "text":
                raise failures.unsupported("a text as a list; write [1, 2]")
            (item,) = to.expressions or [exp.DataType.build("text")]
            listed = list_of(SQL_TYPES.get(item.this.value, "text"))
            self.bound_like(value, Typed(exp.Null(), listed))
            return Typed(value.node, listed)
        kind = SQL_TYPES.get(name)
        if kind is None:
            return self._calls.cast_to_catalog(value, to.sql(dialect=DataFusion))
        self.bound_like(value, Typed(exp.Null(), kind))
        return typed.cast(value, kind, strict=strict)

    def cast_to_arrow(self, value: Typed, name: str) -> Typed:
        kind = ARROW_TYPES.get(name.lower().split("(")[0])
        if kind is None:
            raise failures.execution(f"Unsupported type '{name}'")
        return typed.cast(value, kind, strict=True)

    # --- lists, JSON, sub-queries, parameters ----------------------------------------------------

    def _tuple(self, node: Any, scope: Scope) -> Typed:
        values = self.values(node.expressions, scope)
        return Typed(exp.Tuple(expressions=[value.node for value in values]), "null")

    def _array(self, node: Any, scope: Scope) -> Typed:
        if len(node.expressions) == 1 and isinstance(node.expressions[0], exp.Query):
            return self.list_of_rows(node.expressions[0], scope)
        return self._calls.function("make_array", node.expressions, scope)

    def list_of_rows(self, query: Any, scope: Scope) -> Typed:
        """`ARRAY(SELECT …)`."""
        (output, *_) = self._subquery(query, scope)
        items = typed.native("json_group_array", typed.column("", output.name))
        made = exp.select(items).from_(exp.Subquery(this=query))
        return Typed(exp.Subquery(this=made), list_of(output.kind))

    def _bracket(self, node: Any, scope: Scope) -> Typed:
        items = self.value(node.this, scope)
        if len(node.expressions) != 1:
            raise failures.unsupported("an element by more than one index")
        (index,) = node.expressions
        if isinstance(index, exp.Slice):
            ends = [index.this or exp.Literal.number(1), index.expression or typed.integer(2**31)]
            values = self.values(ends, scope)
            made = call("array_slice", items.node, *(value.node for value in values))
            return Typed(made, items.kind)
        position = self.value(index, scope)  # the parser has made it count from 0
        made = exp.Add(this=position.node, expression=exp.Literal.number(1))
        return Typed(call("array_element", items.node, made), item_of(items.kind))

    def _json(self, node: Any, scope: Scope) -> Typed:
        text = self.value(node.this, scope)
        name = "json_as_text" if isinstance(node, exp.JSONExtractScalar) else "json_get"
        return Typed(call(name, text.node, *self._path(node.expression, scope)), "text")

    def _path(self, path: Any, scope: Scope) -> list[Any]:
        if not isinstance(path, exp.JSONPath):
            return [self.value(path, scope).node]
        steps: list[Any] = []
        for part in path.expressions:
            if isinstance(part, exp.JSONPathKey):
                steps.append(exp.Literal.string(str(part.this)))
            elif isinstance(part, exp.JSONPathSubscript):
                steps.append(typed.integer(int(part.this)))
            elif not isinstance(part, exp.JSONPathRoot):
                raise failures.unsupported("a JSON path of this shape")
        return steps

    def _scalar(self, node: Any, scope: Scope) -> Typed:
        select = node.this if isinstance(node, exp.Subquery) else node
        outputs = self._subquery(select, scope)
        return Typed(exp.Subquery(this=select), outputs[0].kind)

    def _exists(self, node: Any, scope: Scope) -> Typed:
        select = node.this.this if isinstance(node.this, exp.Subquery) else node.this
        self._subquery(select, scope)
        return Typed(exp.Exists(this=select), "bool", nullable=False)

    def _bound(self, node: Any, _: Scope) -> Typed:
        number = int(node.this.name) if node.this.name.isdigit() else 0
        if number == 0:
            raise failures.planning(f"Invalid placeholder ${node.this.name}")
        return Typed(exp.Placeholder(this=f"p{number}"), self._parameter(number, "null"))


NOW = Typed(exp.Placeholder(this="now"), "timestamp", nullable=False)


def _column(node: Any, scope: Scope) -> Typed:
    source, output = scope.resolve(node)
    return Typed(
        typed.column(source, output.name), output.kind, output.nullable, origin=output.origin
    )


def _literal(node: Any) -> Typed:
    if node.is_string:
        return Typed(node, "text", nullable=False)
    try:
        number = int(node.this)
    except ValueError:
        return Typed(node, "f64", nullable=False)
    if number >= 1 << 64:
        return Typed(exp.Literal.number(f"{number}.0"), "f64", nullable=False)
    kind: Kind = "u64" if number >= 1 << 63 else "i64"
    return Typed(typed.integer(number), kind, nullable=False)


def _interval(node: Any) -> Typed:
    unit = node.args.get("unit")
    text = node.this.name
    try:
        months, ms = arithmetic.read_interval(text, unit.name if unit is not None else "second")
    except ValueError as error:
        raise failures.execution(str(error)) from error
    return Typed(typed.integer(ms), "duration", nullable=False, months=months)
