"""How a statement fails, in the words and with the status of the official server."""

from __future__ import annotations

from rtour.errors import RtourError

_PREFIX = "Datafusion error: "


class QueryFailed(RtourError):  # noqa: N818 - it is an answer more than an error
    """A statement that gets no rows: the HTTP status, what was wrong, and PostgreSQL's code."""

    def __init__(self, status: int, message: str, sqlstate: str = "XX000") -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.sqlstate = sqlstate


def syntax(detail: str) -> QueryFailed:
    return QueryFailed(400, f'{_PREFIX}SQL error: ParserError("{detail}")', "42601")


def empty() -> QueryFailed:
    words = "Error during planning: No SQL statements were provided in the query string"
    return QueryFailed(400, _PREFIX + words, "42601")


def read_only(kind: str, what: str) -> QueryFailed:
    """`kind` is DDL or DML."""
    return QueryFailed(
        400, f"{_PREFIX}Error during planning: {kind} not supported: {what}", "25006"
    )


def several_statements() -> QueryFailed:
    return unsupported("The context currently only supports a single SQL statement")


def unsupported(what: str) -> QueryFailed:
    return QueryFailed(500, f"{_PREFIX}This feature is not implemented: {what}", "0A000")


def planning(what: str, sqlstate: str = "42000") -> QueryFailed:
    return QueryFailed(500, f"{_PREFIX}Error during planning: {what}", sqlstate)


def schema(what: str) -> QueryFailed:
    return QueryFailed(500, f"{_PREFIX}Schema error: {what}", "42703")


def unknown_table(name: str) -> QueryFailed:
    return planning(f"table '{name}' not found", "42P01")


def unknown_function(name: str) -> QueryFailed:
    return planning(f"Invalid function '{name}'.", "42883")


def invalid_id() -> QueryFailed:
    return QueryFailed(500, f"{_PREFIX}External error: non valid invocation id", "22023")


def execution(what: str) -> QueryFailed:
    return QueryFailed(500, f"{_PREFIX}Execution error: {what}", "22000")


def too_long(limit_bytes: int) -> QueryFailed:
    return QueryFailed(400, f"the query text is longer than {limit_bytes} bytes; split it", "54000")


def too_slow(limit_ms: int) -> QueryFailed:
    return QueryFailed(
        500,
        f"the query took longer than {limit_ms / 1000:g} s and was stopped; narrow it, "
        "or raise the setting query_timeout",
        "57014",
    )


def too_many_rows(limit: int) -> QueryFailed:
    return QueryFailed(
        500,
        f"the query has more than {limit} rows; add a LIMIT, or raise the setting query_rows_max",
        "54000",
    )


def too_busy() -> QueryFailed:
    return QueryFailed(429, "too many queries wait for their turn; retry later", "53300")


def cancelled() -> QueryFailed:
    return QueryFailed(500, "canceling statement due to user request", "57014")


def internal(error: Exception) -> QueryFailed:
    return QueryFailed(
        500, f"{_PREFIX}Internal error: {error}. This is a bug of rtour; please report the query"
    )


def broken() -> QueryFailed:
    return QueryFailed(500, "the query process ended; retry", "57P02")
