"""From arguments to an exit code: the one place where errors become messages."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import typer
from typer import Abort, TyperException

from rtour.cli.diagnostics import CliError, ExitCode, report, usage
from rtour.cli.session import World, real_world
from rtour.cli.tree import Options, root
from rtour.errors import RtourError

COMPLETE = "_RTOUR_COMPLETE"


def run(argv: Sequence[str], world: World) -> int:
    """Runs a command line in a world; answers its exit code."""
    try:
        return int(_invoke(argv, world) or ExitCode.OK)
    except RtourError as error:
        return report(error, world.stderr)
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        return ExitCode.BROKEN_PIPE
    except OSError as error:
        # A full disk, a folder that may not be written: the user's world, not our mistake.
        place = f"{error.filename}: " if error.filename else ""
        return report(CliError(f"{place}{error.strerror or error}"), world.stderr)


def run_for_real(argv: Sequence[str]) -> int:
    """Runs in the process's own world."""
    world = real_world()
    code = run(argv, world)
    if code == ExitCode.BROKEN_PIPE:
        # The interpreter would complain while flushing a pipe that nobody reads.
        os.dup2(os.open(os.devnull, os.O_WRONLY), world.stdout.fileno())
    return code


def _invoke(argv: Sequence[str], world: World) -> Any:
    if COMPLETE in os.environ:
        # Makes Typer know how each shell is answered; it then answers instead of running.
        typer.main.get_install_completion_arguments()
    try:
        return root().main(
            args=list(argv), prog_name="rtour", standalone_mode=False, obj=Options(world=world)
        )
    except TyperException as error:
        if type(error).__name__ == "NoArgsIsHelpError":
            # A noun alone: its help is the message, and it goes where messages go.
            world.stderr.write(f"{error.format_message()}\n")
            return ExitCode.USAGE
        context = getattr(error, "ctx", None)
        command = context.command_path if context else "rtour"
        return usage(error.format_message(), command, world.stderr)
    except Abort:
        return ExitCode.INTERRUPTED
