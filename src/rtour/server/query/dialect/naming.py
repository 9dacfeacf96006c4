"""What a column without an alias is called, as DataFusion would: `count(Int64(1))`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlglot import exp

from rtour.server.query.dialect.parsing import DataFusion
from rtour.server.query.dialect.scopes import Scope, text
from rtour.server.query.failures import QueryFailed

_OPERATORS: dict[type, str] = {
    exp.EQ: "=",
    exp.NEQ: "!=",
    exp.GT: ">",
    exp.GTE: ">=",
    exp.LT: "<",
    exp.LTE: "<=",
    exp.Add: "+",
    exp.Sub: "-",
    exp.Mul: "*",
    exp.Div: "/",
    exp.Mod: "%",
    exp.DPipe: "||",
    exp.And: "AND",
    exp.Or: "OR",
}


def shown(node: Any, scope: Scope) -> str:
    """The name of a column of the result."""
    return text(node.this) if isinstance(node, exp.Column) else _inner(node, scope)


def _inner(node: Any, scope: Scope) -> str:
    if type(node) in _OPERATORS:
        left, right = _inner(node.this, scope), _inner(node.expression, scope)
        return f"{left} {_OPERATORS[type(node)]} {right}"
    name = _NAMES.get(type(node))
    return name(node, scope) if name else node.sql(dialect=DataFusion)


def _all(nodes: list[Any], scope: Scope) -> str:
    return ",".join(_inner(node, scope) for node in nodes)


def _this(node: Any, scope: Scope) -> str:
    return _inner(node.this, scope)


def _negative(node: Any, scope: Scope) -> str:
    kind, bracket, rest = _inner(node.this, scope).partition("(")
    return f"{kind}(-{rest}" if bracket and rest[:1].isdigit() else f"(- {kind}{bracket}{rest})"


def _is(node: Any, scope: Scope) -> str:
    not_ = "NOT " if node.args.get("negate") else ""
    return f"{_inner(node.this, scope)} IS {not_}{_inner(node.expression, scope)}"


def _qualified(node: Any, scope: Scope) -> str:
    try:
        source, output = scope.resolve(node)
    except QueryFailed:
        return text(node.this)
    return f"{source}.{output.name}" if source and not source.startswith("_") else output.name


def _literal(node: Any, _: Scope) -> str:
    if node.is_string:
        return f'Utf8("{node.this}")'
    if not node.this.isdigit():
        return f"Float64({float(node.this):g})"
    return f"{'UInt64' if int(node.this) >= 1 << 63 else 'Int64'}({node.this})"


_NAMES: dict[type, Callable[[Any, Scope], str]] = {
    exp.Column: _qualified,
    exp.Literal: _literal,
    exp.Boolean: lambda node, _: f"Boolean({str(node.this).lower()})",
    exp.Null: lambda _node, _: "NULL",
    exp.Neg: _negative,
    exp.Paren: _this,
    exp.Cast: _this,
    exp.Collate: _this,
    exp.Not: lambda node, scope: f"NOT {_inner(node.this, scope)}",
    exp.Is: _is,
    exp.Anonymous: lambda node, scope: f"{node.name.lower()}({_all(node.expressions, scope)})",
    exp.Distinct: lambda node, scope: f"DISTINCT {_all(node.expressions, scope)}",
    exp.Array: lambda node, scope: f"make_array({_all(node.expressions, scope)})",
    exp.Dot: lambda node, scope: shown(node.expression, scope),
    exp.CurrentTimestamp: lambda _node, _: "now()",
}
