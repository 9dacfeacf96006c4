"""Text to syntax tree, in the grammar of DataFusion; what only reads gets through.

The refusals here are for the words of the answer. What keeps the data safe is the connection,
which can only read (`rtour.storage.introspection`).
"""

from __future__ import annotations

import re
import string
from typing import Any, ClassVar, Literal

import msgspec
import sqlglot
from sqlglot import exp
from sqlglot.dialects.postgres import Postgres
from sqlglot.errors import ParseError, SqlglotError
from sqlglot.parsers.postgres import PostgresParser
from sqlglot.tokenizer_core import TokenType

from rtour.server.query import failures

Form = Literal["rows", "explain"]


class DataFusion(Postgres):
    """PostgreSQL's grammar, but functions stay calls by name: `functions` says what they mean."""

    class Tokenizer(Postgres.Tokenizer):
        # A type like any other, so that there are lists of it: asyncpg casts to `oid[]`.
        KEYWORDS: ClassVar[dict[str, TokenType]] = {
            **Postgres.Tokenizer.KEYWORDS,
            "OID": TokenType.UINT,
        }

    class Parser(PostgresParser):
        FUNCTIONS: ClassVar[dict[str, Any]] = {}
        FUNCTION_PARSERS: ClassVar[dict[str, Any]] = {
            name: parser
            for name, parser in PostgresParser.FUNCTION_PARSERS.items()
            if name in {"CAST", "TRY_CAST", "EXTRACT", "SUBSTRING", "POSITION", "TRIM"}
        }


class Parsed(msgspec.Struct, frozen=True):
    """A query, and whether its rows or its plan are wanted."""

    query: Any
    form: Form = "rows"


_COMMENTS = re.compile(r"\A(?:\s+|--[^\n]*(?:\n|\Z)|/\*.*?\*/)*", re.DOTALL)
_ENDS = string.whitespace + ";"
_EXPLAIN = re.compile(r"explain\s+(?:(?:analyze|verbose|format\s+\w+)\s+)*", re.IGNORECASE)
_VERBS = frozenset({"select", "with", "values", "from", "(select"})
_NAME = r"(?:[\w$]+|\"[^\"]+\")"
_SHOW_TABLES = re.compile(r"show\s+tables", re.IGNORECASE)
_SHOW_ALL = re.compile(r"show\s+all", re.IGNORECASE)
_SHOW_COLUMNS = re.compile(
    rf"show\s+columns\s+(?:from|in)\s+(?:{_NAME}\.)*(?P<table>{_NAME})", re.IGNORECASE
)
_DESCRIBE = re.compile(
    rf"desc(?:ribe)?\s+(?:table\s+)?(?:{_NAME}\.)*(?P<table>{_NAME})", re.IGNORECASE
)
_DDL = {
    "TABLE": {"Create": "CreateMemoryTable", "Drop": "DropTable"},
    "VIEW": {"Create": "CreateView", "Drop": "DropView"},
    "SCHEMA": {"Create": "CreateCatalogSchema", "Drop": "DropCatalogSchema"},
    "DATABASE": {"Create": "CreateCatalog"},
    "INDEX": {"Create": "CreateIndex"},
    "FUNCTION": {"Create": "CreateFunction", "Drop": "DropFunction"},
}
_DML = {"Insert": "Insert Into", "Update": "Update", "Delete": "Delete", "Copy": "Copy"}


def parse(text: str) -> Parsed:
    """The one statement in `text`. Raises QueryFailed."""
    body = _COMMENTS.sub("", text, count=1).rstrip(_ENDS)
    form: Form = "rows"
    explain = _EXPLAIN.match(body)
    if explain:
        form, body = "explain", body[explain.end() :]
    return Parsed(_query(_spelled_out(body)), form)


def _spelled_out(text: str) -> str:
    """SHOW and DESCRIBE as the queries they stand for."""
    if _SHOW_TABLES.fullmatch(text):
        return "SELECT * FROM information_schema.tables"
    if _SHOW_ALL.fullmatch(text):
        return "SELECT * FROM information_schema.df_settings"
    if found := _SHOW_COLUMNS.fullmatch(text):
        shown = "table_catalog, table_schema, table_name, column_name, data_type, is_nullable"
        return _columns_of(shown, found["table"])
    if found := _DESCRIBE.fullmatch(text):
        return _columns_of("column_name, data_type, is_nullable", found["table"])
    return text


def _columns_of(shown: str, table: str) -> str:
    name = table[1:-1] if table.startswith('"') else table.lower()
    quoted = name.replace("'", "''")
    return (
        f"SELECT {shown} FROM information_schema.columns "  # noqa: S608 - quoted
        f"WHERE table_name = '{quoted}' ORDER BY ordinal_position"
    )


def _query(text: str) -> Any:
    try:
        statements = [each for each in sqlglot.parse(text, dialect=DataFusion) if each is not None]
    except ParseError as error:
        raise failures.syntax(_where(error, text)) from error
    except SqlglotError as error:  # the tokenizer
        raise failures.syntax(str(error).splitlines()[0].replace('"', "'")) from error
    except RecursionError as error:
        raise failures.syntax("the statement is nested too deeply") from error
    if not statements:
        raise failures.empty()
    if len(statements) > 1:
        raise failures.several_statements()
    (statement,) = statements
    if isinstance(statement, exp.Query | exp.Values):
        if isinstance(statement, exp.Select) and statement.args.get("into"):
            raise failures.read_only("DDL", "CreateMemoryTable")
        return statement
    raise _refusal(statement, text)


def _where(error: ParseError, text: str) -> str:
    """What was found where something else was expected."""
    if not error.errors:
        return str(error)
    verb = text.split(maxsplit=1)[0]
    if verb.lower() not in _VERBS:
        return f"Expected: an SQL statement, found: {verb} at Line: 1, Column: 1".replace('"', "'")
    first = error.errors[0]
    found = first.get("highlight") or "end of input"
    expected = str(first.get("description") or "").rstrip(".") or "Invalid expression"
    line, column = first.get("line"), first.get("col")
    return f"{expected}, found: {found} at Line: {line}, Column: {column}".replace('"', "'")


def _refusal(statement: Any, text: str) -> failures.QueryFailed:
    name = type(statement).__name__
    if name in _DML:
        return failures.read_only("DML", _DML[name])
    if name in {"Create", "Drop"}:
        kind = str(statement.args.get("kind") or "TABLE").upper()
        return failures.read_only("DDL", _DDL.get(kind, {}).get(name, f"{name} {kind}"))
    if isinstance(statement, exp.Alter | exp.TruncateTable):
        return failures.read_only("DDL", name)
    if isinstance(statement, exp.Command | exp.Pragma | exp.Attach | exp.Detach | exp.Set):
        return failures.unsupported(f"Unsupported SQL statement: {text[:200]}")
    first = text.split(maxsplit=1)[0] if text.split() else ""
    return failures.syntax(
        f"Expected: an SQL statement, found: {first} at Line: 1, Column: 1".replace('"', "'")
    )
