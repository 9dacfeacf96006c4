"""One client of PostgreSQL's protocol: start-up, simple and extended queries, transactions.

Everything is read-only, so a transaction is a formality: it is begun, it fails, it ends, and each
statement sees what is durable when it runs. A portal that is asked for a few rows at a time runs
its statement anew for each helping, so that an idle client holds nothing.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Final

import msgspec

from rtour.server.query import frames
from rtour.server.query.engine import Queries
from rtour.server.query.failures import QueryFailed
from rtour.server.query.frames import Bound
from rtour.server.query.postgres import wire
from rtour.server.query.postgres.oids import TEXT
from rtour.server.query.postgres.wire import Bind, Fields, MalformedError, Parse

SETTINGS: Final = {
    "server_version": "15.0",
    "server_encoding": "UTF8",
    "client_encoding": "UTF8",
    "DateStyle": "ISO, MDY",
    "IntervalStyle": "postgres",
    "TimeZone": "UTC",
    "integer_datetimes": "on",
    "standard_conforming_strings": "on",
    "is_superuser": "off",
    "in_hot_standby": "on",
    "default_transaction_read_only": "on",
}
_MORE_SETTINGS: Final = {
    "transaction_isolation": "read committed",
    "transaction isolation level": "read committed",
    "transaction_read_only": "on",
    "search_path": "public",
    "server_version_num": "150000",
    "max_identifier_length": "63",
    "jit": "off",
    "bytea_output": "hex",
}
_KNOWN: Final = {name.lower(): value for name, value in (SETTINGS | _MORE_SETTINGS).items()}
# These read text of any length in the server itself: no part may give back what it took.
_SHOW = re.compile(r"show\s++(?!tables|columns|all\b)([\w.][\w. ]*+)", re.IGNORECASE)
_FORMAL = re.compile(
    r"(begin|start\s++transaction|commit|end|rollback|abort|set|reset|discard|deallocate|"
    r"listen|unlisten|close|savepoint|release)\b[^;]*+",
    re.IGNORECASE,
)
_TAGS: Final = {"start transaction": "BEGIN", "end": "COMMIT", "abort": "ROLLBACK"}
_AFTER: Final = {"BEGIN": b"T", "COMMIT": b"I", "ROLLBACK": b"I"}
_STATEMENTS_MAX: Final = 1000

Send = Callable[[bytes], Awaitable[None]]


class Statement(msgspec.Struct, frozen=True):
    """A prepared statement, and its shape once somebody asked."""

    sql: str
    types: list[int]


class Portal:
    """A bound statement; how many rows of it the client has had."""

    def __init__(self, statement: Statement, bind: Bind, types: list[int]) -> None:
        self.statement = statement
        self.bind = bind
        self.types = types
        self.sent = 0


class Session:
    """Answers the messages of one client, in order. `send` waits while the client reads slowly."""

    def __init__(self, queries: Queries, send: Send) -> None:
        self._queries = queries
        self._send = send
        self._status = b"I"
        self._skipping = False
        self._simple_runs = False
        self._statements: dict[str, Statement] = {}
        self._portals: dict[str, Portal] = {}
        self._shapes: dict[str, frames.Shape] = {}
        self._handlers: dict[bytes, Callable[[Fields], Awaitable[None]]] = {
            b"P": self._parse,
            b"B": self._bind,
            b"D": self._describe,
            b"E": self._execute,
            b"C": self._close,
            b"H": self._nothing,
        }

    async def handle(self, kind: bytes, payload: bytes) -> None:
        """One message. Raises MalformedError."""
        if kind == b"Q":
            await self._simple(Fields(payload).string())
        elif kind == b"S":
            self._skipping = False
            if self._status == b"I":
                self._portals.clear()
            await self._send(wire.ready(self._status))
        elif kind in self._handlers:
            if not self._skipping:
                await self._extended(kind, Fields(payload))
        elif kind in {b"d", b"c", b"f"}:  # of a COPY that was refused
            return
        else:
            raise MalformedError(f"a message of an unknown kind {kind!r}")

    async def _extended(self, kind: bytes, fields: Fields) -> None:
        """After a failure everything up to the next Sync is passed over."""
        try:
            await self._handlers[kind](fields)
        except QueryFailed as error:
            self._skipping = True
            await self._fail(error)

    async def interrupted(self, error: QueryFailed) -> None:
        """The message that was being handled came to nothing."""
        await self._fail(error)
        if self._simple_runs:
            await self._send(wire.ready(self._status))
        self._skipping = not self._simple_runs
        self._simple_runs = False

    async def _fail(self, error: QueryFailed) -> None:
        if self._status == b"T":
            self._status = b"E"
        await self._send(wire.error(error.sqlstate, error.message))

    # --- simple ----------------------------------------------------------------------------------

    async def _simple(self, sql: str) -> None:
        self._simple_runs = True
        try:
            if not sql.strip(" \t\r\n;"):
                await self._send(wire.EMPTY_QUERY)
            elif not await self._formality(sql, described=True):
                await self._run(sql, Bound(described=True))
        except QueryFailed as error:
            await self._fail(error)
        self._simple_runs = False
        await self._send(wire.ready(self._status))

    async def _run(self, sql: str, bound: Bound) -> bytes:
        """Pass all pieces on; the last tells how it ended."""
        self._refuse_after_failure()
        last = b""
        async with aclosing(self._queries.ask(sql, "postgres", bound)) as pieces:
            async for piece in pieces:
                last = piece
                await self._send(piece)
        return last

    def _refuse_after_failure(self) -> None:
        if self._status == b"E":
            raise QueryFailed(
                500,
                "current transaction is aborted, commands ignored until end of transaction block",
                "25P02",
            )

    async def _formality(self, sql: str, *, described: bool) -> bool:
        """Answer what needs no table: transactions, settings."""
        sql = _alone(sql)
        if shown := _SHOW.fullmatch(sql):
            await self._show(shown[1], described=described)
            return True
        formal = _FORMAL.fullmatch(sql)
        if formal is None:
            return False
        word = " ".join(formal[1].lower().split())
        tag = _TAGS.get(word, word.upper())
        if tag not in _AFTER:
            self._refuse_after_failure()
        elif tag == "COMMIT" and self._status == b"E":
            tag = "ROLLBACK"
        self._status = _AFTER.get(tag, self._status)
        await self._send(wire.complete(tag))
        return True

    async def _show(self, name: str, *, described: bool) -> None:
        value = _KNOWN.get(name.lower())
        if value is None:
            raise QueryFailed(500, f'unrecognized configuration parameter "{name}"', "42704")
        if described:
            await self._send(wire.row_description([(name.lower(), TEXT)], []))
        await self._send(wire.data_row([value.encode()]) + wire.complete("SHOW"))

    # --- extended --------------------------------------------------------------------------------

    async def _nothing(self, _: Fields) -> None:
        """Flush: nothing is held back."""

    async def _parse(self, fields: Fields) -> None:
        parse = Parse.read(fields)
        if parse.name and parse.name in self._statements:
            raise QueryFailed(500, f'prepared statement "{parse.name}" already exists', "42P05")
        if len(self._statements) >= _STATEMENTS_MAX:
            raise QueryFailed(500, "too many prepared statements", "53000")
        statement = Statement(parse.sql, parse.types)
        if not self._is_formal(parse.sql):
            self._refuse_after_failure()
            self._shapes[parse.name] = await self._shape(statement)
        else:
            self._shapes[parse.name] = frames.Shape(_formal_columns(parse.sql), [])
        self._statements[parse.name] = statement
        await self._send(wire.PARSE_COMPLETE)

    def _is_formal(self, sql: str) -> bool:
        sql = _alone(sql)
        return bool(not sql.strip(" \t\r\n;") or _FORMAL.fullmatch(sql) or _SHOW.fullmatch(sql))

    async def _shape(self, statement: Statement) -> frames.Shape:
        pieces = [
            piece
            async for piece in self._queries.ask(
                statement.sql, "describe", Bound(types=statement.types)
            )
        ]
        return msgspec.msgpack.decode(b"".join(pieces), type=frames.Shape)

    async def _bind(self, fields: Fields) -> None:
        bind = Bind.read(fields)
        statement = self._statement(bind.statement)
        shape = self._shapes[bind.statement]
        if len(bind.values) != len(shape.parameters):
            raise QueryFailed(
                500,
                f"bind message supplies {len(bind.values)} parameters, but the statement requires "
                f"{len(shape.parameters)}",
                "08P01",
            )
        self._portals[bind.portal] = Portal(statement, bind, shape.parameters)
        self._shapes[f"portal {bind.portal}"] = shape
        await self._send(wire.BIND_COMPLETE)

    def _statement(self, name: str) -> Statement:
        statement = self._statements.get(name)
        if statement is None:
            raise QueryFailed(500, f'prepared statement "{name}" does not exist', "26000")
        return statement

    def _portal(self, name: str) -> Portal:
        portal = self._portals.get(name)
        if portal is None:
            raise QueryFailed(500, f'portal "{name}" does not exist', "34000")
        return portal

    async def _describe(self, fields: Fields) -> None:
        kind, name = fields.raw(1), fields.string()
        formats: list[int] = []
        if kind == b"S":
            self._statement(name)
            shape = self._shapes[name]
            await self._send(wire.parameter_description(shape.parameters))
        else:
            formats = self._portal(name).bind.result_formats
            shape = self._shapes[f"portal {name}"]
        described = wire.row_description(shape.columns, formats)
        await self._send(described if shape.columns else wire.NO_DATA)

    async def _execute(self, fields: Fields) -> None:
        portal, rows_wanted = self._portal(fields.string()), fields.int32()
        sql = portal.statement.sql
        if not sql.strip(" \t\r\n;"):
            await self._send(wire.EMPTY_QUERY)
            return
        if await self._formality(sql, described=False):
            return
        bound = Bound(
            types=portal.types,
            parameters=portal.bind.values,
            parameter_formats=portal.bind.formats,
            result_formats=portal.bind.result_formats,
            skip=portal.sent,
            rows_wanted=max(rows_wanted, 0),
        )
        last = await self._run(sql, bound)
        if rows_wanted > 0 and last.endswith(wire.PORTAL_SUSPENDED):
            portal.sent += rows_wanted

    async def _close(self, fields: Fields) -> None:
        kind, name = fields.raw(1), fields.string()
        if kind == b"S":
            self._statements.pop(name, None)
            self._shapes.pop(name, None)
        else:
            self._portals.pop(name, None)
        await self._send(wire.CLOSE_COMPLETE)


def _alone(sql: str) -> str:
    """A statement without the white space around it and the semicolon behind it."""
    return sql.strip().removesuffix(";").rstrip()


def _formal_columns(sql: str) -> list[tuple[str, int]]:
    shown = _SHOW.fullmatch(_alone(sql))
    return [(shown[1].lower(), TEXT)] if shown else []
