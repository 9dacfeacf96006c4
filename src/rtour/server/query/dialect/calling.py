"""Calls of functions: scalar ones, aggregates, windows, and what PostgreSQL's clients call."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from rtour.server.query import failures
from rtour.server.query.dialect import typed
from rtour.server.query.dialect.kinds import ARROW_NAMES, Kind, list_of
from rtour.server.query.dialect.scopes import Scope
from rtour.server.query.dialect.typed import Typed, as_kind, as_text, call
from rtour.server.query.functions import FUNCTIONS

if TYPE_CHECKING:
    from rtour.server.query.dialect.expressions import Expressions

_WINDOWS: dict[str, Kind | None] = {
    "row_number": "i64",
    "rank": "i64",
    "dense_rank": "i64",
    "percent_rank": "f64",
    "cume_dist": "f64",
    "ntile": "i64",
    "lag": None,
    "lead": None,
    "first_value": None,
    "last_value": None,
    "nth_value": None,
}
_SPREADS = {
    "stddev": (1, 1),
    "stddev_samp": (1, 1),
    "stddev_pop": (0, 1),
    "var": (1, 0),
    "var_samp": (1, 0),
    "variance": (1, 0),
    "var_pop": (0, 0),
}


class Calls:
    """Translates calls, with the arguments' kinds for the kind of the result."""

    def __init__(self, expressions: Expressions) -> None:
        self._expressions = expressions
        self.handlers: dict[type, Callable[[Any, Scope], Typed]] = {
            exp.Anonymous: lambda node, scope: self.function(
                node.name, node.expressions, scope, node
            ),
            exp.Dot: self._in_schema,
            exp.Window: self._window,
            exp.Filter: self._filter,
            exp.GroupConcat: self._string_agg,
            exp.CurrentUser: lambda _node, _: Typed(exp.Literal.string("rtour"), "text"),
            exp.SessionUser: lambda _node, _: Typed(exp.Literal.string("rtour"), "text"),
            exp.CurrentCatalog: lambda _node, _: Typed(exp.Literal.string("restate"), "text"),
            exp.CurrentSchema: lambda _node, _: Typed(exp.Literal.string("public"), "text"),
        }
        self._aggregates: dict[str, Callable[[list[Any], Scope], Typed]] = {
            "count": self._count,
            "approx_distinct": lambda args, scope: self._count(
                [exp.Distinct(expressions=args)], scope
            ),
            "sum": self._sum,
            "min": self._extreme("min"),
            "max": self._extreme("max"),
            "avg": self._avg,
            "mean": self._avg,
            "first_value": self._ordered("first"),
            "last_value": self._ordered("last"),
            "array_agg": self._ordered("array"),
            "string_agg": self._joined,
            "bool_and": self._extreme("min"),
            "bool_or": self._extreme("max"),
            "median": self._percentile,
            "approx_median": self._percentile,
            "approx_percentile_cont": self._percentile,
            **dict.fromkeys(_SPREADS, self._unreachable),
        }

    def function(self, name: str, args: list[Any], scope: Scope, node: Any = None) -> Typed:
        """A call by name."""
        del node
        name = name.lower()
        if name == "array" and len(args) == 1 and isinstance(args[0], exp.Query):
            return self._expressions.list_of_rows(args[0], scope)
        if name in _SPREADS:
            return self._spread(name, args, scope)
        if name in self._aggregates:
            return self._aggregates[name](args, scope)
        special = _SPECIAL.get(name)
        if special is not None:
            if len(args) != _SPECIAL_ARGUMENTS.get(name, 0):
                raise failures.planning(f"'{name}' does not support {len(args)} arguments")
            return special(self._expressions, args, scope)
        function = FUNCTIONS.get(name)
        if function is None:
            raise failures.unknown_function(name)
        if not function.least <= len(args) <= function.most:
            raise failures.planning(f"'{name}' does not support {len(args)} arguments")
        values = self._expressions.values(args, scope)
        for place, kind in enumerate(function.takes[: len(values)]):
            values[place] = as_kind(values[place], kind)
        kind = function.result([value.kind for value in values])
        if function.result is not None and callable(function.kind):
            values = [as_kind(value, kind) for value in values]
        if kind == "list<text>" and name.startswith("make_"):
            values = [as_text(value) for value in values]
        nodes = [value.node for value in values]
        made = typed.native(function.native, *nodes) if function.native else call(name, *nodes)
        return Typed(made, kind)

    def _in_schema(self, node: Any, scope: Scope) -> Typed:
        """`pg_catalog.format_type(…)`."""
        last = node.expression
        if isinstance(last, exp.Anonymous):
            return self.function(last.name, last.expressions, scope)
        return self._expressions.value(last, scope)

    def cast_to_catalog(self, value: Typed, to: str) -> Typed:
        """`::regclass` and its like, of PostgreSQL's clients."""
        name = to.lower().rpartition(".")[2].strip('"')
        if name in {"regclass", "regtype", "regproc", "regnamespace"}:
            if value.kind == "text":
                return Typed(call(f"oid_of_{name}", value.node), "i64")
            return Typed(call(f"name_of_{name}", value.node), "text")
        if name in {"oid", "int2vector", "xid", "cid"}:
            return Typed(value.node, "i64")
        if name in {"text", "name", "char", "unknown", "cstring"}:
            return as_text(value)
        raise failures.unsupported(f"Unsupported SQL type {to}")

    # --- aggregates ------------------------------------------------------------------------------

    def _unreachable(self, _args: list[Any], _scope: Scope) -> Typed:
        raise AssertionError("spreads are told apart by name")

    def _count(self, args: list[Any], scope: Scope) -> Typed:
        if not args or isinstance(args[0], exp.Star):
            made = typed.native("count", exp.Star())
        elif isinstance(args[0], exp.Distinct):
            if len(args[0].expressions) != 1:
                raise failures.unsupported("COUNT DISTINCT with multiple arguments")
            value = self._expressions.value(args[0].expressions[0], scope)
            made = typed.native("count", exp.Distinct(expressions=[value.node]))
        else:
            made = typed.native("count", self._expressions.value(args[0], scope).node)
        return Typed(made, "i64", nullable=False)

    def _single(self, args: list[Any], scope: Scope) -> tuple[Typed, Any]:
        """The argument, and it as SQL with its DISTINCT."""
        if len(args) != 1:
            raise failures.planning(f"an aggregate takes one argument, not {len(args)}")
        if isinstance(args[0], exp.Distinct):
            value = self._expressions.value(args[0].expressions[0], scope)
            return value, exp.Distinct(expressions=[value.node])
        value = self._expressions.value(args[0], scope)
        return value, value.node

    def _sum(self, args: list[Any], scope: Scope) -> Typed:
        value, node = self._single(args, scope)
        kinds: dict[str, Kind] = {"u32": "u64", "u64": "u64", "f64": "f64", "duration": "duration"}
        return Typed(typed.native("sum", node), kinds.get(value.kind, "i64"))

    def _avg(self, args: list[Any], scope: Scope) -> Typed:
        value, node = self._single(args, scope)
        kind: Kind = value.kind if value.kind in {"duration", "timestamp"} else "f64"
        made = typed.native("avg", node)
        if kind != "f64":
            made = exp.Cast(this=made, to=exp.DataType.build("int"))
        return Typed(made, kind)

    def _extreme(self, name: str) -> Callable[[list[Any], Scope], Typed]:
        def translate(args: list[Any], scope: Scope) -> Typed:
            value, node = self._single(args, scope)
            return Typed(typed.native(name, node), value.kind)

        return translate

    def _ordered(self, name: str) -> Callable[[list[Any], Scope], Typed]:
        def translate(args: list[Any], scope: Scope) -> Typed:
            if len(args) != 1:
                raise failures.planning(f"an aggregate takes one argument, not {len(args)}")
            (argument,) = args
            directions, keys = "", []
            if isinstance(argument, exp.Order):
                for ordered in argument.expressions:
                    directions += "d" if ordered.args.get("desc") else "a"
                    keys.append(self._expressions.value(ordered.this, scope).node)
                argument = argument.this
            value = self._expressions.value(argument, scope)
            made = call(name, exp.Literal.string(directions), value.node, *keys)
            if name != "array":
                return Typed(made, value.kind)
            return Typed(made, list_of(value.kind))

        return translate

    def _joined(self, args: list[Any], scope: Scope) -> Typed:
        if len(args) not in {1, 2}:
            raise failures.planning(f"'string_agg' does not support {len(args)} arguments")
        values = self._expressions.values(args, scope)
        nodes = [as_text(values[0]).node, *(value.node for value in values[1:])]
        return Typed(typed.native("group_concat", *nodes), "text")

    def _string_agg(self, node: Any, scope: Scope) -> Typed:
        separator = node.args.get("separator")
        return self._joined([node.this, *([separator] if separator is not None else [])], scope)

    def _percentile(self, args: list[Any], scope: Scope) -> Typed:
        if not args:
            raise failures.planning("a percentile takes arguments")
        values = self._expressions.values(args[:2], scope)
        half = Typed(exp.Literal.number("0.5"), "f64")
        fraction = values[1] if len(values) > 1 else half
        made = call("percentile", values[0].node, fraction.node)
        kind: Kind = values[0].kind if values[0].kind in {"duration", "timestamp"} else "f64"
        return Typed(
            exp.Cast(this=made, to=exp.DataType.build("int")) if kind != "f64" else made, kind
        )

    def _spread(self, name: str, args: list[Any], scope: Scope) -> Typed:
        value, node = self._single(args, scope)
        del value
        flags = [exp.Literal.number(flag) for flag in _SPREADS[name]]
        return Typed(call("spread", node, *flags), "f64")

    # --- windows ---------------------------------------------------------------------------------

    def _filter(self, node: Any, scope: Scope) -> Typed:
        value = self._expressions.value(node.this, scope)
        condition = self._expressions.value(node.expression.this, scope)
        made = exp.Filter(this=value.node, expression=exp.Where(this=condition.node))
        return Typed(made, value.kind, value.nullable)

    def _window(self, node: Any, scope: Scope) -> Typed:
        value = self._windowed(node.this, scope)
        partition = [
            self._expressions.value(part, scope).node
            for part in node.args.get("partition_by") or []
        ]
        order = node.args.get("order")
        if order is not None:
            for ordered in order.expressions:
                ordered.set("this", self._expressions.value(ordered.this, scope).node)
        made = exp.Window(
            this=value.node,
            partition_by=partition,
            order=order,
            spec=node.args.get("spec"),
            over=node.args.get("over"),
            alias=node.args.get("alias"),
        )
        return Typed(made, value.kind, value.nullable)

    def _windowed(self, node: Any, scope: Scope) -> Typed:
        name = node.name.lower() if isinstance(node, exp.Anonymous) else ""
        if name not in _WINDOWS:
            return self._expressions.value(node, scope)
        values = self._expressions.values(node.expressions, scope)
        kind = _WINDOWS[name] or (values[0].kind if values else "null")
        return Typed(typed.native(name, *(value.node for value in values)), kind)


def _now(_: Expressions, _args: list[Any], _scope: Scope) -> Typed:
    return Typed(exp.Placeholder(this="now"), "timestamp", nullable=False)


def _today(_: Expressions, _args: list[Any], _scope: Scope) -> Typed:
    return Typed(call("midnight", exp.Placeholder(this="now")), "date", nullable=False)


def _typeof(expressions: Expressions, args: list[Any], scope: Scope) -> Typed:
    (value,) = expressions.values(args, scope)
    return Typed(exp.Literal.string(ARROW_NAMES[value.kind]), "text", nullable=False)


def _arrow_cast(expressions: Expressions, args: list[Any], scope: Scope) -> Typed:
    value = expressions.value(args[0], scope)
    return expressions.cast_to_arrow(value, args[1].name)


def _known(node: exp.Expression, kind: Kind) -> Callable[[Expressions, list[Any], Scope], Typed]:
    return lambda _expressions, _args, _scope: Typed(node.copy(), kind)


_SPECIAL: dict[str, Callable[[Expressions, list[Any], Scope], Typed]] = {
    "now": _now,
    "current_timestamp": _now,
    "current_date": _today,
    "today": _today,
    "arrow_typeof": _typeof,
    "arrow_cast": _arrow_cast,
}
_SPECIAL_ARGUMENTS = {"arrow_typeof": 1, "arrow_cast": 2}
