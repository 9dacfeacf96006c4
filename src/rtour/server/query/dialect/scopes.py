"""What names mean at a place of a statement: tables, aliases, columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec
from sqlglot import exp

from rtour.server.query import failures
from rtour.server.query.dialect.kinds import Output


class Source(msgspec.Struct, frozen=True):
    """Something in a FROM clause."""

    name: str
    columns: tuple[Output, ...]

    def find(self, name: str) -> Output | None:
        return next((column for column in self.columns if column.name == name), None)


class Tables(msgspec.Struct, frozen=True):
    """The tables there are: name in SQLite → columns. Those of a schema are `schema.name`."""

    columns: Mapping[str, tuple[Output, ...]]
    searched: tuple[str, ...] = ()
    """Schemas whose tables are found without their name."""

    def find(self, table: exp.Table) -> str:
        """The table's name in SQLite."""
        schema, name = text(table.args.get("db")), text(table.this)
        wanted = [name] if schema in {"", "public"} else [f"{schema}.{name}"]
        if not schema:
            wanted += [f"{searched}.{name}" for searched in self.searched]
        for known in wanted:
            if known in self.columns:
                return known
        catalog = text(table.args.get("catalog")) or "restate"
        raise failures.unknown_table(f"{catalog}.{schema or 'public'}.{name}")


class Scope:
    """The names of one SELECT, and those of the one around it."""

    def __init__(
        self,
        tables: Tables,
        named: Mapping[str, tuple[Output, ...]],
        outer: Scope | None = None,
    ) -> None:
        self.tables = tables
        self.named = dict(named)
        """What WITH clauses have defined."""
        self.outer = outer
        self.sources: list[Source] = []
        self.projections: dict[str, Output] = {}
        self.aliases_first = False
        self.merged: set[str] = set()
        """Columns that a join USING or NATURAL made one of two."""

    def resolve(self, column: exp.Column) -> tuple[str, Output]:
        """The source's name ("" for a projection) and the column. Raises QueryFailed."""
        found = self._find(text(column.args.get("table")), text(column.this))
        if found is None:
            raise failures.schema(f"No field named {_shown(column)}. {self._valid()}")
        return found

    def _find(self, qualifier: str, name: str) -> tuple[str, Output] | None:
        if qualifier:
            found = self._qualified(qualifier, name)
        elif self.aliases_first:
            found = self._projection(name) or self._unqualified(name)
        else:
            found = self._unqualified(name) or self._projection(name)
        if found is None and self.outer is not None:
            return self.outer._find(qualifier, name)  # noqa: SLF001 - its own kind
        return found

    def _projection(self, name: str) -> tuple[str, Output] | None:
        output = self.projections.get(name)
        return None if output is None else ("", output)

    def _qualified(self, qualifier: str, name: str) -> tuple[str, Output] | None:
        for source in self.sources:
            if source.name == qualifier:
                found = source.find(name)
                return None if found is None else (source.name, found)
        for source in self.sources:  # the table's own alias, from inside an unnamed sub-select
            for column in source.columns:
                if column.name == name and column.alias == qualifier:
                    return source.name, column
        return None

    def _unqualified(self, name: str) -> tuple[str, Output] | None:
        found = [
            (source.name, column)
            for source in self.sources
            if (column := source.find(name)) is not None
        ]
        if len(found) > 1 and name not in self.merged:
            raise failures.schema(f"Ambiguous reference to unqualified field {name}")
        return found[0] if found else None

    def _valid(self) -> str:
        fields = [
            f"{source.name}.{column.name}" if not source.name.startswith("_") else column.name
            for source in self.sources
            for column in source.columns
        ]
        return f"Valid fields are {', '.join(fields)}." if fields else ""

    def all_columns(self, qualifier: str = "") -> Iterable[tuple[Source, Output]]:
        """What `*` or `qualifier.*` stands for."""
        chosen = [s for s in self.sources if not qualifier or s.name == qualifier]
        if not chosen:
            if qualifier:
                raise failures.planning(f"Invalid qualifier {qualifier}")
            raise failures.planning("SELECT * with no tables specified is not valid")
        seen: set[str] = set()
        for source in chosen:
            for column in source.columns:
                if column.name in self.merged and column.name in seen:
                    continue
                seen.add(column.name)
                yield source, column


def text(identifier: exp.Expression | None) -> str:
    """A name as it counts: lower case unless quoted."""
    if identifier is None:
        return ""
    if isinstance(identifier, exp.Identifier) and not identifier.args.get("quoted"):
        return identifier.name.lower()
    return identifier.name


def _shown(column: exp.Column) -> str:
    parts = [text(column.args.get("table")), text(column.this)]
    return ".".join(part for part in parts if part)
