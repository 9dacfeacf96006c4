"""`rtour doctor`: checks the setup, and says what to do about each finding."""

from __future__ import annotations

from typing import Annotated

import typer

from rtour.cli import data_folder
from rtour.cli.checks import all_checks
from rtour.cli.diagnostics import CliError, ExitCode
from rtour.cli.finding import Finding
from rtour.cli.output import Column, Record, record_of, table
from rtour.cli.session import session_of
from rtour.cli.tree import examples
from rtour.cli.wording import plural

STYLES = {"ok": "green", "warning": "yellow", "problem": "red"}
COLUMNS = (
    Column("level", "", style=lambda r: STYLES[r["level"]]),
    Column("what", "CHECK"),
    Column("finding", "FINDING", fold=True),
    Column("advice", "WHAT TO DO", fold=True),
)


@examples("rtour doctor\nrtour doctor http://localhost:9080\nrtour doctor --data rtour-data")
def doctor(
    ctx: typer.Context,
    endpoints: Annotated[
        list[str] | None,
        typer.Argument(metavar="[URL]...", help="Service endpoints to look at as well."),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option("--data", metavar="DIR", help="Check this data folder, all of it, alone."),
    ] = None,
) -> None:
    """Checks this installation, the server, its ports, and whether the services can be reached.

    A data folder here is looked into unless a server uses it, and never changed. With --data every
    page and row of one is checked, whether a server uses it or not.

    Ends with 1 if there is a problem, with 5 if the problem is that the server is down.
    """
    session = session_of(ctx)
    if data is not None:
        with session.progress(f"checking {data}"):
            found = data_folder.thorough(session.file(data))
    else:
        found = session.run(
            lambda client: all_checks(session, client, endpoints or []), admin=False
        )
    records: list[Record] = [record_of(each) for each in found]
    session.emit(table(session.look, COLUMNS, records))
    _judge(found)


def _judge(found: list[Finding]) -> None:
    problems = [each for each in found if each.level == "problem"]
    if not problems:
        return
    down = any(each.what == "admin API" for each in problems)
    raise CliError(
        f"{plural(len(problems), 'problem')} found",
        hint=problems[0].advice,
        exit_code=ExitCode.UNREACHABLE if down else ExitCode.FAILED,
    )
