"""What a column without an alias is called, as DataFusion would: `count(Int64(1))`."""

from __future__ import annotations

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
    if isinstance(node, exp.Column):
        return _qualified(node, scope)
    if isinstance(node, exp.Literal):
        return _literal(node)
    if isinstance(node, exp.Boolean):
        return f"Boolean({'true' if node.this else 'false'})"
    if isinstance(node, exp.Null):
        return "NULL"
    if isinstance(node, exp.Neg) and isinstance(node.this, exp.Literal):
        kind, _, rest = _literal(node.this).partition("(")
        return f"{kind}(-{rest}"
    if isinstance(node, exp.Paren | exp.Cast | exp.Collate):
        return _inner(node.this, scope)
    if isinstance(node, exp.Anonymous):
        return f"{node.name.lower()}({','.join(_inner(arg, scope) for arg in node.expressions)})"
    if isinstance(node, exp.Dot):
        return shown(node.expression, scope)
    if type(node) in _OPERATORS:
        left, right = _inner(node.this, scope), _inner(node.expression, scope)
        return f"{left} {_OPERATORS[type(node)]} {right}"
    if isinstance(node, exp.Is):
        return f"{_inner(node.this, scope)} IS {_not(node)}{_inner(node.expression, scope)}"
    if isinstance(node, exp.CurrentTimestamp):
        return "now()"
    return node.sql(dialect=DataFusion)  # type: ignore[no-any-return]


def _not(node: Any) -> str:
    return "NOT " if node.args.get("negate") else ""


def _qualified(node: Any, scope: Scope) -> str:
    try:
        source, output = scope.resolve(node)
    except QueryFailed:
        return text(node.this)
    return f"{source}.{output.name}" if source and not source.startswith("_") else output.name


def _literal(node: Any) -> str:
    if node.is_string:
        return f'Utf8("{node.this}")'
    if not node.this.isdigit():
        return f"Float64({float(node.this):g})"
    return f"{'UInt64' if int(node.this) >= 1 << 63 else 'Int64'}({node.this})"
