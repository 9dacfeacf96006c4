"""`rtour tour`: the guided tour, and its single steps for scripts.

Lessons, checks and the running theatre are in the bundled tour itself, outside of this package:
they are loaded from its folder, by `open_guide`.
"""

from __future__ import annotations

import signal
import sys
import threading
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from rtour.cli.diagnostics import CliError, ExitCode, Misuse
from rtour.cli.example import bundled, files_of, put_out, read_manifest
from rtour.cli.output import Column, item, table
from rtour.cli.session import Session, session_of
from rtour.cli.tour_plain import Conversation, Loop, verdict_lines
from rtour.cli.tree import Format, Group, verb

EXAMPLES = "rtour tour\nrtour tour --no-ui\nrtour tour status\nrtour tour check calls"
PACKAGE = "rtour_bundled_tour"
LESSONS = (
    Column("number", "#"),
    Column("lesson", "LESSON"),
    Column("done", "DONE", lambda r, _: "yes" if r["done"] else "here" if r["current"] else ""),
    Column("title", "TITLE", fold=True),
)
RAN = (Column("command", "COMMAND", fold=True), Column("code", "EXIT"))

app = typer.Typer(
    cls=Group,
    help="The guided tour: learn durable execution, each step checked by the machine.",
    epilog=EXAMPLES,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

FolderOption = Annotated[
    str | None, typer.Option("--folder", metavar="DIR", help="Where you work. [default: ./tour]")
]
EphemeralOption = Annotated[
    bool, typer.Option("--ephemeral", help="The engine keeps nothing when the tour is left.")
]
RandomPortsOption = Annotated[
    bool, typer.Option("-r", "--use-random-ports", help="Any free ports.")
]
LessonArgument = Annotated[
    str | None, typer.Argument(metavar="[LESSON]", help="Name or number. [default: where you are]")
]


@app.callback(invoke_without_command=True)
def tour(
    ctx: typer.Context,
    no_ui: Annotated[bool, typer.Option("--no-ui", help="Plain text, also in a pipe.")] = False,
    folder: FolderOption = None,
    ephemeral: EphemeralOption = False,
    use_random_ports: RandomPortsOption = False,
) -> None:
    """Starts the engine and your service, and leads through the lessons. Works offline.

    Your files are in ./tour, and so is what you have reached: leave it and come back at any time.
    """
    ctx.obj["tour"] = {
        "folder": folder,
        "ephemeral": ephemeral,
        "random_ports": use_random_ports,
    }
    if ctx.invoked_subcommand is not None:
        return
    session = session_of(ctx)
    guide = open_guide(session, ctx)
    _leave_tidily()
    screen = None if no_ui or not session.world.stdout.isatty() else _screen()
    if screen is not None:
        screen(guide)
        return
    try:
        with Loop(guide) as loop:
            try:
                Conversation(session, guide, loop).run()
            finally:
                _on_hangup(signal.SIG_IGN)
    finally:
        _on_hangup(signal.SIG_DFL)


@verb(app, "status", "rtour tour status\nrtour tour status -o json")
def status(ctx: typer.Context) -> None:
    """Lists the lessons, and which of them are done."""
    session = session_of(ctx)
    guide = open_guide(session, ctx, write=False)
    session.emit(table(session.look, LESSONS, guide.overview()))


@verb(app, "check", "rtour tour check\nrtour tour check calls\nrtour tour check 3 -o json")
def check(ctx: typer.Context, lesson: LessonArgument = None) -> None:
    """Checks a lesson against the running engine; exit code 1 if something is missing.

    Uses the engine of the tour that runs in another terminal, or starts one for the moment.
    """
    session = session_of(ctx)
    guide = open_guide(session, ctx)
    found = _lesson(guide, lesson)
    with Loop(guide) as loop:
        verdict = loop.call(guide.check(found))
    if session.format is Format.TABLE:
        session.emit("\n".join(verdict_lines(guide, found, verdict)) + "\n")
    else:
        record = {"lesson": found.slug, "passed": verdict.passed, **msgspec.to_builtins(verdict)}
        columns = [Column(key, key.upper()) for key in record]
        session.emit(item(session.look, columns, record))
    if not verdict.passed:
        raise typer.Exit(ExitCode.FAILED)


@verb(app, "solve", "rtour tour solve calls --yes")
def solve(ctx: typer.Context, lesson: LessonArgument = None) -> None:
    """Puts the solution of a lesson into your files, and runs its commands.

    What you wrote is kept beside it, as `<file>.py.mine`.
    """
    session = session_of(ctx)
    guide = open_guide(session, ctx)
    found = _lesson(guide, lesson)
    if diff := guide.diff(found):
        session.note(diff)
        session.confirm(f"Put this into {guide.folder / 'app'}?")
    with Loop(guide) as loop:
        ran = loop.call(guide.solve(found))
    session.emit(table(session.look, RAN, [msgspec.to_builtins(each) for each in ran]))
    session.note(f"next: rtour tour check {found.slug}")


@verb(app, "reset", "rtour tour reset --yes")
def reset(ctx: typer.Context) -> None:
    """Starts over: the skeleton again, an empty engine, nothing learned.

    What you wrote is kept beside it, as `<file>.py.mine`.
    """
    session = session_of(ctx)
    guide = open_guide(session, ctx)
    if guide.theatre.running_elsewhere() is not None:
        raise CliError(
            "the tour runs in another terminal",
            hint="leave it there with q, then start over",
            exit_code=ExitCode.CONFLICT,
        )
    session.confirm(f"Start over in {guide.folder}?")
    guide.reset()
    record = {"folder": str(guide.folder), "lessons": len(guide.lessons)}
    columns = [Column("folder", "FOLDER"), Column("lessons", "LESSONS")]
    session.emit(item(session.look, columns, record))
    session.note("next: rtour tour")


def open_guide(session: Session, ctx: typer.Context, *, write: bool = True) -> Any:
    """The guide of the bundled tour, on the learner's folder; written out if it is not there."""
    options = ctx.find_root().obj.get("tour", {})
    root = bundled(session)
    folder = _folder(session, options.get("folder"))
    if write and not (folder / "app" / "cart_object.py").is_file():
        source = read_manifest(root)["tour"]
        files = files_of(root / source.folder, source.parts)
        put_out(session, root / source.folder, files, folder)
        if folder.name == "my_tour":
            (folder / ".gitignore").write_text("*\n", "utf-8")
        session.note(f"wrote the tour to {folder}")
    return _load(root).Guide(
        root,
        folder,
        ephemeral=options.get("ephemeral", False),
        random_ports=options.get("random_ports", False),
    )


def _folder(session: Session, chosen: str | None) -> Path:
    here = session.world.cwd
    inside = chosen is None and (here / "app" / "cart_object.py").is_file()
    folder = (here if inside else session.file(chosen or "tour")).resolve()
    if chosen is None and (folder / "lessons").is_dir():
        folder = here / "my_tour"  # in a checkout of rtour, ./tour is what all tours come from
    if not folder.name.isidentifier():
        raise Misuse(
            f"'{folder.name}' cannot be imported by Python",
            expected="a folder whose name is letters, digits and underscores",
            hint="rtour tour --folder my_tour",
        )
    return folder


def _load(root: Path) -> Any:
    """The bundled tour as a package of its own, wherever it stands."""
    if PACKAGE not in sys.modules:
        spec = spec_from_file_location(
            PACKAGE, root / "__init__.py", submodule_search_locations=[str(root)]
        )
        assert spec is not None
        assert spec.loader is not None
        module = module_from_spec(spec)
        sys.modules[PACKAGE] = module
        spec.loader.exec_module(module)
    return import_module(f"{PACKAGE}.guide.guide")


def _leave_tidily() -> None:
    """Also when the terminal is closed: what was started must be ended."""

    def leave(number: int, _: object) -> None:
        _on_hangup(signal.SIG_IGN)
        sys.exit(128 + number)

    _on_hangup(leave)


def _on_hangup(handler: Any) -> None:
    """A terminal that closes says so more than once, and a pipe ends before it says so."""
    if threading.current_thread() is not threading.main_thread():
        return
    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), handler)


def _lesson(guide: Any, name: str | None) -> Any:
    found = guide.current if name is None else guide.find(name)
    if found is None:
        raise CliError(
            f"no lesson '{name}'",
            expected=f"1 to {len(guide.lessons)}, or a name",
            hint="rtour tour status",
            exit_code=ExitCode.NOT_FOUND,
        )
    return found


def _screen() -> Any:
    """The screen of the terminal UI; None where it is not installed: then plain text does."""
    try:
        return import_module("rtour.tui.tour").run
    except ModuleNotFoundError:
        return None
