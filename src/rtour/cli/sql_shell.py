"""The SQL shell: history, completion of tables and columns, one statement after the other."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from rtour.cli.diagnostics import report
from rtour.cli.settings import state_home
from rtour.cli.sql import rows_text
from rtour.cli.wording import plural
from rtour.errors import RtourError
from rtour.private_files import make_private

try:
    import readline
except ImportError:  # Windows: no history and no completion, but a shell
    readline = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from rtour.cli.session import Session
    from rtour.client import Client

KEYWORDS = (
    *("SELECT", "FROM", "WHERE", "AND", "OR", "NOT", "IN", "LIKE", "IS", "NULL", "ORDER", "BY"),
    *("GROUP", "LIMIT", "COUNT", "LEFT", "JOIN", "ON", "AS"),
)
PROMPT, MORE = "sql> ", "  -> "
HISTORY_LENGTH = 1000
HELP = (
    """Statements end with `;`. \\t lists tables, \\t NAME its columns, \\q (or ctrl-D) leaves."""
)


def shell(session: Session) -> None:
    """Reads statements until the end of input."""
    history = state_home(session.world.env) / "sql_history"
    tables = session.run(_columns)
    _prepare(history, tables)
    session.note(HELP)
    try:
        while (statement := _statement(session)) is not None:
            _answer(session, statement, tables)
    finally:
        _remember(history)


async def _columns(client: Client) -> dict[str, list[str]]:
    return await client.query.columns()


def _statement(session: Session) -> str | None:
    """One statement over as many lines as it takes; ctrl-C drops it, ctrl-D leaves."""
    lines: list[str] = []
    while True:
        try:
            line = input(MORE if lines else PROMPT)
        except EOFError:
            session.note("")
            return None
        except KeyboardInterrupt:
            session.note("")
            lines = []
            continue
        if not lines and line.strip() in ("\\q", "exit", "quit"):
            return None
        if line.strip():
            lines.append(line)
        if lines and (line.rstrip().endswith(";") or lines[0].startswith("\\")):
            return "\n".join(lines)


def _answer(session: Session, statement: str, tables: dict[str, list[str]]) -> None:
    if statement.startswith("\\"):
        command, _, name = statement.partition(" ")
        if command not in ("\\t", "\\d"):
            session.note(HELP)
            return
        names = tables.get(name.strip(), []) if name.strip() else sorted(tables)
        session.emit("".join(f"{each}\n" for each in names))
        return
    try:
        rows = session.run(lambda client: client.query.rows(statement), admin=False)
    except RtourError as error:
        report(error, session.world.stderr)
        return
    except KeyboardInterrupt:
        session.note("interrupted")
        return
    session.emit(rows_text(session.look, rows))
    session.note(plural(len(rows), "row"))


def completions(tables: dict[str, list[str]], line: str, text: str) -> list[str]:
    """What `text`, at the end of `line`, may become: columns of the tables named, else anything."""
    named = [name for name in tables if name in line]
    columns: Iterable[str] = (column for name in named or tables for column in tables[name])
    words = [*tables, *columns, *KEYWORDS]
    qualifier, dot, rest = text.rpartition(".")
    found = {word for word in words if word.lower().startswith(rest.lower())}
    return sorted(f"{qualifier}{dot}{word}" for word in found)


def _prepare(history: Path, tables: dict[str, list[str]]) -> None:
    if readline is None:
        return
    if history.is_file():
        readline.read_history_file(history)
    readline.set_history_length(HISTORY_LENGTH)

    def complete(text: str, state: int) -> str | None:
        found = completions(tables, readline.get_line_buffer(), text)
        return found[state] if state < len(found) else None

    readline.set_completer(complete)
    readline.set_completer_delims(" \t\n(),;=<>!")
    readline.parse_and_bind("tab: complete")


def _remember(history: Path) -> None:
    if readline is None:
        return
    # Queries may hold keys and names of customers.
    make_private(history)
    readline.write_history_file(history)
    make_private(history)  # some libraries replace the file
