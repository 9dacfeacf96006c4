"""`rtour backup` and `rtour restore`: the data folder as one file, and back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rtour.cli.diagnostics import CliError, ExitCode
from rtour.cli.output import Column, item
from rtour.cli.session import Session, session_of
from rtour.cli.tree import examples
from rtour.cli.wording import size

_HELP = {
    "file": "The backup.",
    "data": "The server's data folder.  [default: as `rtour server` has it]",
    "force": "Replace a file that is there.",
    "replace": "Put data that is there aside without asking.",
    "dry": "Only show what would happen.",
}
BACKED_UP = (
    Column("file", "BACKUP"),
    Column("bytes", "SIZE", show=lambda row, _: size(row["bytes"])),
    Column("data", "OF"),
)
RESTORED = (
    Column("data", "DATA FOLDER"),
    Column("file", "FROM"),
    Column("aside", "WHAT WAS THERE"),
)

Data = Annotated[str | None, typer.Option("--data", "--data-dir", help=_HELP["data"])]


@examples("rtour backup friday.db\nrtour backup --data /var/lib/rtour friday.db")
def backup(
    ctx: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE", help=_HELP["file"])],
    data: Data = None,
    force: Annotated[bool, typer.Option("--force", help=_HELP["force"])] = False,
) -> None:
    """Copies all data to one file, also while the server runs and works.

    The copy is of one moment: what was acknowledged before is in it, nothing is in it by half. It
    is synced and checked before it takes its name. Run it where the data folder is.
    """
    from rtour.storage import copies  # noqa: PLC0415 - keeps `rtour --help` light

    session = session_of(ctx)
    folder, target = _folder(session, data), session.file(file)
    if target.exists() and not force:
        raise CliError(
            f"{target} is there already",
            expected="a file that is not there yet",
            hint="another name, or --force",
            exit_code=ExitCode.CONFLICT,
        )
    with session.progress(f"copying {folder}"):
        copies.backup(folder, target)
    record = {"file": str(target), "bytes": target.stat().st_size, "data": str(folder)}
    session.emit(item(session.look, BACKED_UP, record))
    session.note(f"next, to have it back: rtour restore {file} --data DIR")


@examples("rtour restore friday.db --data new-folder\nrtour restore friday.db --force")
def restore(
    ctx: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE", help=_HELP["file"])],
    data: Data = None,
    force: Annotated[bool, typer.Option("--force", help=_HELP["replace"])] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help=_HELP["dry"])] = False,
) -> None:
    """Makes a backup the data of a folder, while no server uses it.

    Data that is there is never overwritten: it is put aside after asking. Work that was in flight
    goes on from where it was at the time of the backup: what it did since, it does again.
    """
    from rtour.storage.copies import present as has_data  # noqa: PLC0415

    session = session_of(ctx)
    folder, source = _folder(session, data), session.file(file)
    if not source.is_file():
        raise CliError(f"there is no file {source}", exit_code=ExitCode.NOT_FOUND)
    present = has_data(folder)
    record = {"data": str(folder), "file": str(source), "aside": None}
    if present:
        session.note(f"  {folder} has data: it would be kept beside the other")
    if not dry_run:
        if present and not force:
            session.confirm(f"Put the data of {folder} aside?")
        with session.progress(f"checking and copying {source}"):
            aside = _restore(source, folder, replace=present)
        record["aside"] = None if aside is None else str(aside)
    session.emit(item(session.look, RESTORED, record))
    if not dry_run:
        session.note(f"next: rtour server --data {folder}")


def _restore(source: Path, folder: Path, *, replace: bool) -> Path | None:
    from rtour.storage.copies import restore  # noqa: PLC0415
    from rtour.storage.failures import FolderInUseError  # noqa: PLC0415

    try:
        return restore(source, folder, replace=replace)
    except FolderInUseError as error:
        raise CliError(str(error), exit_code=ExitCode.CONFLICT) from error


def _folder(session: Session, data: str | None) -> Path:
    """The folder that was named, or the one that a server started here would use."""
    from rtour.server.settings import load  # noqa: PLC0415

    return session.file(data or load(session.world.env).data)
