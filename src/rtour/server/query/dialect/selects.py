"""Queries: SELECT, UNION, VALUES and WITH, scope by scope, from the inside out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace
from sqlglot import exp

from rtour.server.query import failures
from rtour.server.query.dialect import firsts, joins, naming, typed
from rtour.server.query.dialect.expressions import Expressions
from rtour.server.query.dialect.kinds import Kind, Output, combined, item_of
from rtour.server.query.dialect.scopes import Scope, Source, Tables, text

_LIST_TABLES = frozenset({"unnest", "generate_series", "range"})

# What pgAdmin calls is a table under another name.
_TABLE_FUNCTIONS = {"pg_show_all_settings": "pg_catalog.pg_settings"}

Named = Mapping[str, tuple[Output, ...]]


class Selects:
    """Rewrites a query in place into SQLite's, and says what columns it has."""

    def __init__(self, tables: Tables) -> None:
        self.tables = tables
        self.used: set[str] = set()
        """The tables that the statement reads."""
        self.parameters: dict[int, Kind] = {}
        self._expressions = Expressions(self._nested, self._bind)
        self._unnamed = 0

    def _bind(self, number: int, kind: Kind) -> Kind:
        known = self.parameters.get(number, "null")
        if known == "null":
            self.parameters[number] = kind
        return self.parameters[number]

    def _nested(self, query: Any, outer: Scope | None) -> list[Output]:
        return self.query(query, {} if outer is None else outer.named, outer)

    def query(self, query: Any, named: Named, outer: Scope | None = None) -> list[Output]:
        """The columns of a query, which is SQLite's afterwards. Raises QueryFailed."""
        named = self._with(query, named, outer)
        if isinstance(query, exp.SetOperation):
            return self._set_operation(query, named, outer)
        if isinstance(query, exp.Subquery):
            return self.query(query.this, named, outer)
        if isinstance(query, exp.Values):
            return self._values(query, named, outer)
        if isinstance(query, exp.Select):
            return self._select(query, named, outer)
        raise failures.unsupported(type(query).__name__)

    # --- WITH, UNION, VALUES ---------------------------------------------------------------------

    def _with(self, query: Any, named: Named, outer: Scope | None) -> Named:
        clause = query.args.get("with_")
        if clause is None:
            return named
        known = dict(named)
        for item in clause.expressions:
            name = text(item.args["alias"].this)
            columns = [text(column) for column in item.args["alias"].args.get("columns") or []]
            if clause.args.get("recursive") and isinstance(item.this, exp.SetOperation):
                known[name] = _renamed(self.query(item.this.this.copy(), known, outer), columns)
            known[name] = _renamed(self.query(item.this, known, outer), columns)
        return known

    def _set_operation(self, query: Any, named: Named, outer: Scope | None) -> list[Output]:
        sides = []
        for side in ("this", "expression"):
            inner = query.args[side]
            outputs = self.query(inner, named, outer)
            sides.append(outputs)
            query.set(side, _bare(inner))
        left, right = sides
        if len(left) != len(right):
            raise failures.planning(
                f"{type(query).__name__.upper()} queries have different number of columns: "
                f"left has {len(left)} columns whereas right has {len(right)} columns"
            )
        outputs = [
            Output(one.name, combined([one.kind, other.kind]))
            for one, other in zip(left, right, strict=True)
        ]
        scope = Scope(self.tables, named, outer)
        scope.projections = {output.name: output for output in outputs}
        scope.aliases_first = True
        self._order_and_limit(query, scope)
        return outputs

    def _values(self, query: Any, named: Named, outer: Scope | None) -> list[Output]:
        scope = Scope(self.tables, named, outer)
        rows: list[list[Kind]] = []
        for row in query.expressions:
            values = self._expressions.values(row.expressions, scope)
            row.set("expressions", [value.node for value in values])
            rows.append([value.kind for value in values])
        if any(len(row) != len(rows[0]) for row in rows):
            raise failures.planning("Inconsistent data length across values list")
        columns = zip(*rows, strict=True)
        return [
            Output(f"column{place}", combined(list(kinds)))
            for place, kinds in enumerate(columns, start=1)
        ]

    # --- SELECT ----------------------------------------------------------------------------------

    def _select(self, select: Any, named: Named, outer: Scope | None) -> list[Output]:
        if any(select.args.get(key) for key in ("qualify", "connect", "laterals", "pivots")):
            raise failures.unsupported("this clause of a SELECT")
        select.set("locks", None)
        scope = Scope(self.tables, named, outer)
        self._sources(select, scope)
        distinct = select.args.get("distinct")
        if distinct is not None and distinct.args.get("on") is not None:
            raise failures.unsupported("DISTINCT ON")
        firsts.bare(select)
        outputs = self._projections(select, scope)
        where = select.args.get("where")
        if where is not None:
            where.set("this", self._expressions.value(where.this, scope).node)
        scope.projections = {output.name: output for output in outputs}
        self._group(select, scope)
        self._named_windows(select, scope)
        scope.aliases_first = True
        self._order_and_limit(select, scope)
        return outputs

    def _sources(self, select: Any, scope: Scope) -> None:
        from_ = select.args.get("from_")
        if from_ is None and select.args.get("joins"):
            raise failures.syntax("Expected: FROM, found: JOIN")
        if from_ is not None:
            from_.set("this", self._source(from_.this, scope))
        for join in select.args.get("joins") or []:
            before = list(scope.sources)
            join.set("this", self._source(join.this, scope))
            joins.merge(join, scope, before)
            on = join.args.get("on")
            if on is not None:
                join.set("on", self._expressions.value(on, scope).node)

    def _source(self, node: Any, scope: Scope) -> Any:
        """One item of a FROM clause, for SQLite; the scope learns its columns."""
        if isinstance(node, exp.Lateral):
            raise failures.unsupported("LATERAL")
        if isinstance(node, exp.Table) and node.this.name.lower() in _TABLE_FUNCTIONS:
            node = exp.to_table(_TABLE_FUNCTIONS[node.this.name.lower()])
        if isinstance(node, exp.Table) and isinstance(node.this, exp.Identifier):
            made, source = self._table(node, scope)
        elif isinstance(node, exp.Unnest) or (
            isinstance(node, exp.Table) and node.this.name.lower() in _LIST_TABLES
        ):
            made, source = self._unnest(node, scope)
        elif isinstance(node, exp.Subquery | exp.Values):
            made, source = self._derived(node, scope)
        else:
            raise failures.unsupported(f"{type(node).__name__} in FROM")
        if any(other.name == source.name for other in scope.sources):
            raise failures.schema(f"duplicate table name {source.name}")
        scope.sources.append(source)
        for join in node.args.get("joins") or []:  # `(a JOIN b)` and `a, b`
            before = list(scope.sources)
            join.set("this", self._source(join.this, scope))
            joins.merge(join, scope, before)
            if join.args.get("on") is not None:
                join.set("on", self._expressions.value(join.args["on"], scope).node)
            made.append("joins", join)
        return made

    def _table(self, node: Any, scope: Scope) -> tuple[Any, Source]:
        name = text(node.this)
        alias = node.args.get("alias")
        shown = text(alias.this) if alias is not None and alias.this is not None else name
        if not node.args.get("db") and name in scope.named:
            known, columns = name, scope.named[name]
        else:
            known = self.tables.find(node)
            self.used.add(known)
            columns = tuple(replace(c, alias=shown) for c in self.tables.columns[known])
        renamed = [text(column) for column in alias.args.get("columns") or []] if alias else []
        made = exp.Table(this=exp.to_identifier(known, quoted=True))
        if renamed:
            query = exp.select(
                *(
                    exp.alias_(typed.column("", c.name), new, quoted=True)
                    for c, new in zip(columns, renamed, strict=False)
                )
            ).from_(made)
            return _aliased(exp.Subquery(this=query), shown), Source(
                shown, _renamed(columns[: len(renamed)], renamed)
            )
        return _aliased(made, shown), Source(shown, columns)

    def _unnest(self, node: Any, scope: Scope) -> tuple[Any, Source]:
        """The items of a list as rows of one column, which is called as the table is."""
        listed = node if isinstance(node, exp.Unnest) else node.this
        called = node.this.name.lower() if isinstance(node, exp.Table) else "unnest"
        listed = listed.expressions[0] if called == "unnest" else listed
        items = self._expressions.value(listed, scope)
        alias = node.args.get("alias")
        name = text(alias.this) if alias is not None and alias.this is not None else "value"
        columns = [text(column) for column in alias.args.get("columns") or []] if alias else []
        shown = columns[0] if columns else name
        query = exp.select(exp.alias_(typed.column("", "value"), shown, quoted=True)).from_(
            exp.Table(this=typed.native("json_each", items.node))
        )
        made = _aliased(exp.Subquery(this=query), name)
        return made, Source(name, (Output(shown, item_of(items.kind)),))

    def _derived(self, node: Any, scope: Scope) -> tuple[Any, Source]:
        query = node.this if isinstance(node, exp.Subquery) else node
        if isinstance(query, exp.Table):  # `(a JOIN b)`
            inner = self._source(query, scope)
            source = scope.sources.pop()
            return exp.Paren(this=inner) if inner.args.get("joins") else inner, source
        alias = node.args.get("alias")
        if isinstance(node, exp.Values):
            node = exp.Subquery(this=exp.Values(expressions=node.expressions))
            query = node.this
        outputs = self.query(query, scope.named)
        if alias is not None and alias.this is not None:
            name = text(alias.this)
            outputs = [replace(output, alias=None) for output in outputs]
        else:
            self._unnamed += 1
            name = f"_{self._unnamed}"
        renamed = [text(column) for column in alias.args.get("columns") or []] if alias else []
        if renamed:
            columns = [
                exp.alias_(typed.column("", output.name), new, quoted=True)
                for output, new in zip(outputs, renamed, strict=False)
            ]
            query = exp.select(*columns).from_(_aliased(exp.Subquery(this=query), "_inner"))
        made = _aliased(exp.Subquery(this=query), name)
        return made, Source(name, _renamed(outputs, renamed))

    def _projections(self, select: Any, scope: Scope) -> list[Output]:
        made: list[Any] = []
        outputs: list[Output] = []
        for item in select.expressions:
            if isinstance(item, exp.Star) or (
                isinstance(item, exp.Column) and isinstance(item.this, exp.Star)
            ):
                self._star(item, scope, made, outputs)
                continue
            expression = item.this if isinstance(item, exp.Alias) else item
            named = item.args.get("alias") if isinstance(item, exp.Alias) else None
            name = text(named) if named is not None else naming.shown(expression, scope)
            value = self._expressions.value(expression, scope)
            made.append(exp.alias_(value.node, name, quoted=True))
            alias = self._alias_of(expression, scope) if named is None else None
            outputs.append(Output(name, value.kind, value.nullable, value.origin, alias))
        if not made:
            raise failures.syntax("Expected: an expression, found: EOF")
        select.set("expressions", made)
        return outputs

    def _alias_of(self, expression: Any, scope: Scope) -> str | None:
        return scope.resolve(expression)[0] if isinstance(expression, exp.Column) else None

    def _star(self, item: Any, scope: Scope, made: list[Any], outputs: list[Output]) -> None:
        star = item if isinstance(item, exp.Star) else item.this
        left_out = {text(c.this if isinstance(c, exp.Column) else c) for c in _except(star)}
        qualifier = text(item.args.get("table")) if isinstance(item, exp.Column) else ""
        for source, output in scope.all_columns(qualifier):
            if output.name in left_out:
                continue
            made.append(
                exp.alias_(typed.column(source.name, output.name), output.name, quoted=True)
            )
            outputs.append(replace(output, alias=source.name))

    def _group(self, select: Any, scope: Scope) -> None:
        group = select.args.get("group")
        if group is not None:
            if any(group.args.get(key) for key in ("rollup", "cube", "grouping_sets", "all")):
                raise failures.unsupported("GROUP BY of this kind")
            group.set("expressions", [self._ordinal_or(e, scope) for e in group.expressions])
        having = select.args.get("having")
        if having is not None:
            having.set("this", self._expressions.value(having.this, scope).node)

    def _ordinal_or(self, node: Any, scope: Scope) -> Any:
        """A place in the SELECT list stays a number."""
        if isinstance(node, exp.Literal) and not node.is_string:
            return node
        return self._expressions.value(node, scope).node

    def _named_windows(self, select: Any, scope: Scope) -> None:
        windows = select.args.get("windows")
        if windows:
            select.set("windows", [self._expressions.value(w, scope).node for w in windows])

    def _order_and_limit(self, query: Any, scope: Scope) -> None:
        order = query.args.get("order")
        if order is not None:
            for ordered in order.expressions:
                ordered.set("this", self._ordinal_or(ordered.this, scope))
        joins.limit(query, lambda node: self._limit(node, scope))

    def _limit(self, node: Any, scope: Scope) -> Any:
        value = self._expressions.value(node, scope)
        if isinstance(value.node, exp.Placeholder):
            self._bind(int(value.node.name[1:]), "i64")
        return value.node


def _except(star: Any) -> list[Any]:
    return star.args.get("except_") or []


def _renamed(outputs: Any, names: list[str]) -> tuple[Output, ...]:
    if not names:
        return tuple(outputs)
    return tuple(
        replace(output, name=name, alias=None) for output, name in zip(outputs, names, strict=False)
    )


def _aliased(node: Any, name: str) -> Any:
    node.set("alias", exp.TableAlias(this=exp.to_identifier(name, quoted=True)))
    return node


def _bare(side: Any) -> Any:
    """A side of a UNION without parentheses, which SQLite does not take."""
    if not isinstance(side, exp.Subquery):
        return side
    inner = side.this
    if any(inner.args.get(key) is not None for key in ("limit", "offset", "order", "with_")):
        return exp.select("*").from_(_aliased(exp.Subquery(this=inner), "_side"))
    return _bare(inner)
