"""`rtour example`: what is bundled, and how to get a copy of it."""

from __future__ import annotations

import os
import shlex
import shutil
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from rtour.cli.diagnostics import CliError, ExitCode
from rtour.cli.output import Column, Record, item, table
from rtour.cli.session import Session, session_of
from rtour.cli.tree import Format, examples
from rtour.cli.wording import plural

MANIFEST = "examples.toml"
# In a wheel the examples are package data; in a checkout they stand beside `src`.
PACKAGE = Path(__file__).parent.parent
PLACES = (PACKAGE / "_tour", PACKAGE.parent.parent / "tour")
LEFT_OUT = {"__pycache__", "node_modules", ".pytest_cache", ".mypy_cache", ".ruff_cache"}

COLUMNS = (Column("name", "NAME"), Column("summary", "WHAT IT SHOWS", fold=True))
WRITTEN = (
    Column("name", "NAME"),
    Column("files", "FILES", lambda record, _: str(len(record["files"]))),
    Column("folder", "WRITTEN TO", fold=True),
)
LISTED = (Column("file", "FILE", fold=True), Column("state", "STATE"))


class Example(msgspec.Struct, frozen=True):
    """One table of `examples.toml`: the table's name is the example's.

    `parts` are the files and folders of `folder` that belong to it; all of them when it is empty.
    `known_as` are its names in the official CLI, with the folder within the one written where the
    official instructions expect it. `next` are commands, `elsewhere` those for a folder that is not
    the usual one: `{folder}` is where it was written, `{parent}` the folder around that, `{module}`
    its last part.
    """

    folder: str
    summary: str
    parts: list[str] = []
    known_as: dict[str, str] = {}
    next: list[str] = []
    elsewhere: list[str] = []


@examples("rtour example\nrtour example tour\nrtour example saga --output-directory ~/saga")
def example(
    ctx: typer.Context,
    name: Annotated[str | None, typer.Argument(metavar="[NAME]")] = None,
    output_directory: Annotated[
        str | None, typer.Option("--output-directory", "--out", metavar="DIR")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list the files.")] = False,
) -> None:
    """Lists the bundled examples, or writes one out. Works offline.

    Files that you have changed are not overwritten without asking.
    """
    session = session_of(ctx)
    root = bundled(session)
    known = read_manifest(root)
    if name is None:
        records: list[Record] = [
            {"name": each, "summary": found.summary} for each, found in known.items()
        ]
        session.emit(table(session.look, COLUMNS, records))
        if session.format is Format.TABLE:
            session.note("next: rtour example NAME")
        return
    own_name, inside = _meant(name, known)
    target = session.file(output_directory or name) / inside
    _write(session, root, own_name, known[own_name], target, dry_run)


def _meant(name: str, known: Mapping[str, Example]) -> tuple[str, str]:
    """The example's own name, and where in the target folder it goes."""
    if name in known:
        return name, "."
    for own_name, found in known.items():
        if name in found.known_as:
            return own_name, found.known_as[name]
    official = "the official examples run on rtour as they are: github.com/restatedev/examples"
    raise CliError(
        f"no example '{name}'",
        expected=f"one of {', '.join(known)}",
        hint=official if name.endswith("-restate") else "rtour example",
        exit_code=ExitCode.NOT_FOUND,
    )


def read_manifest(root: Path) -> dict[str, Example]:
    """The examples by name, in the manifest's order."""
    content = tomllib.loads((root / MANIFEST).read_text("utf-8"))
    return msgspec.convert(content, dict[str, Example])


def bundled(session: Session) -> Path:
    """The folder of the examples that came with this installation."""
    chosen = session.world.env.get("RTOUR_EXAMPLES")
    places = (Path(chosen),) if chosen else PLACES
    found = next((place for place in places if (place / MANIFEST).is_file()), None)
    if found is None:
        raise CliError(
            "this installation has no examples",
            expected=f"{MANIFEST} in {' or '.join(map(str, places))}",
            hint="pip install --force-reinstall rtour",
            exit_code=ExitCode.NOT_FOUND,
        )
    return found


def _write(
    session: Session, root: Path, name: str, found: Example, target: Path, dry_run: bool
) -> None:
    source = root / found.folder
    files = files_of(source, found.parts)
    if not dry_run:
        put_out(session, source, files, target)
    elif session.format is Format.TABLE:
        session.emit(table(session.look, LISTED, _states(source, files, target)))
        return
    record = {"name": name, "folder": str(target), "files": [str(file) for file in files]}
    session.emit(item(session.look, WRITTEN, record))
    for line in _next(found, name, os.path.relpath(target, session.world.cwd)):
        session.note(f"next: {line}")


def _next(found: Example, name: str, folder: str) -> list[str]:
    """The commands to go on with."""
    lines = found.elsewhere if found.elsewhere and folder != name else found.next
    path = Path(folder)
    places = {"{folder}": path, "{parent}": path.parent, "{module}": path.name}
    for place, value in places.items():
        lines = [line.replace(place, shlex.quote(str(value))) for line in lines]
    return lines


def put_out(session: Session, source: Path, files: Sequence[Path], target: Path) -> None:
    """Writes files of an example into a folder, and asks before it overwrites what differs."""
    changed = [file for file in files if _differs(source / file, target / file)]
    for file in changed:
        session.note(f"  changed by you: {target / file}")
    if changed:
        session.confirm(f"Overwrite {plural(len(changed), 'file')} of yours?")
    copy_out(source, files, target)


def _states(source: Path, files: Sequence[Path], target: Path) -> list[Record]:
    """What writing them out would do to each."""
    states = {True: "changed by you", False: "as it is"}
    return [
        {
            "file": str(target / file),
            "state": states[_differs(source / file, target / file)]
            if (target / file).exists()
            else "new",
        }
        for file in files
    ]


def copy_out(source: Path, files: Sequence[Path], target: Path) -> None:
    """Writes files of an example into a folder."""
    for file in files:
        (target / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / file, target / file)


def files_of(source: Path, parts: Sequence[str]) -> list[Path]:
    """What belongs to an example, in order."""
    inside = (path.relative_to(source) for path in source.rglob("*") if path.is_file())
    return sorted(
        path
        for path in inside
        if not LEFT_OUT & set(path.parts) and (not parts or path.parts[0] in parts)
    )


def _differs(source: Path, target: Path) -> bool:
    return target.is_file() and source.read_bytes() != target.read_bytes()
