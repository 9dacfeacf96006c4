"""The tree of commands: lazy groups, prefixes and aliases, help with the examples first.

A thin layer over Typer. Every command and group takes the global options, wherever they stand;
they land in one `Options` object, so no command repeats them in its signature.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from difflib import get_close_matches
from enum import StrEnum
from importlib import import_module
from typing import Annotated, Any, TypeVar

import typer
from typer.core import TyperCommand, TyperGroup

from rtour.cli.coercion import speed_up
from rtour.cli.diagnostics import CliError
from rtour.cli.frontpage import Entry, entries, page
from rtour.cli.helping import Helpful
from rtour.cli.wording import TimeFormat

F = TypeVar("F", bound=Callable[..., Any])

# What the official CLI also calls a sub-command; the first that a group has is meant.
ALIASES: dict[str, tuple[str, ...]] = {
    "ls": ("list", "list-environments"),
    "get": ("describe",),
    "rm": ("remove", "purge", "delete"),
    "discover": ("register",),
    "add": ("register", "add-environment", "create"),
    "restart": ("restart-as-new",),
    "use": ("use-environment",),
    "show": ("view", "describe"),
}


class Format(StrEnum):
    """What goes to stdout."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    TEXT = "text"


class Colour(StrEnum):
    """When to use colour."""

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


class TableStyle(StrEnum):
    """How tables look on a terminal."""

    COMPACT = "compact"
    BORDERS = "borders"


class Options(dict[str, Any]):
    """The global options that were given, by name, and what `dispatch` puts beside them."""


def _keep(ctx: typer.Context, param: typer.CallbackParam, value: Any) -> Any:
    """Stores a global option; an option that was not given does not undo one given earlier."""
    if value is not None and isinstance(ctx.obj, Options):
        ctx.obj[str(param.name)] = value
    return value


def _option(*names: str, help: str, metavar: str | None = None, **more: Any) -> Any:  # noqa: A002
    return typer.Option(
        *names, help=help, metavar=metavar, callback=_keep, expose_value=False, **more
    )


def _globals(
    output: Annotated[Format | None, _option("-o", "--output", help="Output format.")] = None,
    columns: Annotated[str | None, _option("--columns", help="Columns, in order.")] = None,
    no_headers: Annotated[bool | None, _option("--no-headers", help="No header line.")] = None,
    no_pager: Annotated[bool | None, _option("--no-pager", help="Scroll by yourself.")] = None,
    environment: Annotated[str | None, _option("-e", "--environment", help="Server.")] = None,
    admin_url: Annotated[str | None, _option("--admin-url", help="Admin API.")] = None,
    ingress_url: Annotated[str | None, _option("--ingress-url", help="Ingress.")] = None,
    token: Annotated[str | None, _option("--token", help="Bearer token.")] = None,
    ingress_token: Annotated[
        str | None, _option("--ingress-token", help="Bearer token of the ingress.")
    ] = None,
    ca_file: Annotated[str | None, _option("--ca-file", help="Trusted authorities.")] = None,
    yes: Annotated[bool | None, _option("-y", "--yes", help="Do not ask.")] = None,
    quiet: Annotated[bool | None, _option("-q", "--quiet", help="Errors only.")] = None,
    verbose: Annotated[int, _option("-v", "--verbose", help="More.", count=True)] = 0,
    color: Annotated[Colour | None, _option("--color", help="Colour.")] = None,
    time_format: Annotated[TimeFormat | None, _option("--time-format", help="Times.")] = None,
    table_style: Annotated[TableStyle | None, _option("--table-style", help="Tables.")] = None,
    connect_timeout: Annotated[int | None, _option("--connect-timeout", help="In ms.")] = None,
    request_timeout: Annotated[int | None, _option("--request-timeout", help="In ms.")] = None,
    insecure: Annotated[
        bool | None, _option("--insecure-skip-tls-verify", help="Accept any certificate.")
    ] = None,
) -> None:
    """Carries the declarations of the global options."""


def _global_params() -> list[Any]:
    carrier = typer.Typer(add_completion=False, rich_markup_mode=None)
    carrier.command()(_globals)
    return list(typer.main.get_command(carrier).params)


GLOBAL_PARAMS = _global_params()
GLOBAL_NAMES = frozenset(str(param.name) for param in GLOBAL_PARAMS)


def _sped_up(param: Any) -> Any:
    if param is not None:
        speed_up(param)
    return param


class Command(TyperCommand, Helpful):
    """A command."""

    unlisted = GLOBAL_NAMES

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        taken = {name for param in self.params for name in param.opts}
        # A command's own option wins over a global one of the same name (`register --token`).
        self.params += [param for param in GLOBAL_PARAMS if not taken & set(param.opts)]
        for param in self.params:
            speed_up(param)

    def get_help_option(self, ctx: Any) -> Any:
        return _sped_up(super().get_help_option(ctx))

    def format_help(self, ctx: Any, formatter: Any) -> None:
        self.write_help(ctx, formatter)


class Group(TyperGroup, Helpful):
    """Finds sub-commands by name, alias or unambiguous prefix."""

    unlisted = GLOBAL_NAMES

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params += GLOBAL_PARAMS
        for param in self.params:
            speed_up(param)

    def get_help_option(self, ctx: Any) -> Any:
        return _sped_up(super().get_help_option(ctx))

    def format_help(self, ctx: Any, formatter: Any) -> None:
        commands = [self.get_command(ctx, name) for name in self.list_commands(ctx)]
        self.write_help(ctx, formatter, [each for each in commands if each and not each.hidden])

    def find(self, name: str, names: Sequence[str]) -> str | None:
        """The one command that `name` means."""
        if name in names:
            return name
        for aliased in ALIASES.get(name, ()):
            if aliased in names:
                return aliased
        matches = [each for each in names if each.startswith(name)]
        return matches[0] if name and len(matches) == 1 else None

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        names = self.list_commands(ctx)
        found = self.find(args[0], names)
        if found is not None:
            return found, self.get_command(ctx, found), args[1:]
        if not args[0].startswith("-") and not ctx.resilient_parsing:
            ctx.fail(_unknown(args[0], names))
        return super().resolve_command(ctx, args)


class Noun(Group):
    """A group that makes the one sub-command that is asked for, not all of them."""

    def __init__(self, app: typer.Typer, name: str) -> None:
        super().__init__(
            name=name, help=str(app.info.help), no_args_is_help=True, rich_markup_mode=None
        )
        self._app = app

    def list_commands(self, ctx: Any) -> list[str]:
        del ctx
        commands = [str(each.name) for each in self._app.registered_commands]
        return commands + [str(each.name) for each in self._app.registered_groups]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        del ctx
        for command in self._app.registered_commands:
            if command.name == cmd_name:
                return typer.main.get_command_from_info(
                    command, pretty_exceptions_short=False, rich_markup_mode=None
                )
        for group in self._app.registered_groups:
            if group.name == cmd_name and group.typer_instance is not None:
                return Noun(group.typer_instance, cmd_name)
        return None


class Root(Group):
    """`rtour` itself: knows the names of all commands, and imports the one that is called."""

    def list_commands(self, ctx: Any) -> list[str]:
        del ctx
        return [entry.name for entry in entries()]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        del ctx
        entry = next((each for each in entries() if each.name == cmd_name), None)
        return load(entry) if entry else None

    def find(self, name: str, names: Sequence[str]) -> str | None:
        del names
        for entry in entries():
            if name == entry.name or name in entry.aliases:
                return entry.name
        found = [
            entry.name
            for entry in entries()
            if any(each.startswith(name) for each in (entry.name, *entry.aliases))
        ]
        return found[0] if name and len(found) == 1 else None

    def format_help(self, ctx: Any, formatter: Any) -> None:
        del ctx
        formatter.write(page(colour=False))


def _unknown(name: str, names: Sequence[str]) -> str:
    starting = [each for each in names if each.startswith(name)]
    if len(starting) > 1:
        return f"'{name}' could be {', '.join(starting)}"
    close = get_close_matches(name, names, n=2) or get_close_matches(name, list(ALIASES), n=1)
    hint = f"did you mean {' or '.join(repr(each) for each in close)}?" if close else ""
    return f"no command '{name}'" + (f"; {hint}" if hint else f"; there are {', '.join(names)}")


def load(entry: Entry) -> Any:
    """Imports a command's module and makes it a command of the tree."""
    try:
        thing = getattr(import_module(entry.module), entry.attribute)
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("rtour"):
            raise
        raise CliError(
            f"`rtour {entry.name}` needs {error.name}, which is not installed",
            hint="pip install 'rtour[all]'",
        ) from error
    if not isinstance(thing, typer.Typer):
        single = typer.Typer(add_completion=False, rich_markup_mode=None)
        examples = getattr(thing, "examples", f"rtour {entry.name}")
        single.command(entry.name, cls=Command, epilog=examples)(thing)
        thing = single
    lazily = isinstance(thing, typer.Typer) and thing.info.cls is Noun
    command = Noun(thing, entry.name) if lazily else typer.main.get_command(thing)
    command.name = entry.name
    command.short_help = entry.help
    return command


def root() -> Root:
    """The whole tree."""
    return Root(name="rtour", invoke_without_command=False, rich_markup_mode=None)


def noun(help: str) -> typer.Typer:  # noqa: A002
    """A group of commands."""
    return typer.Typer(cls=Noun, help=help, add_completion=False, rich_markup_mode=None)


def verb(app: typer.Typer, name: str, examples: str) -> Callable[[F], F]:
    """Makes a function a sub-command of a noun; `examples` opens its help."""
    return app.command(name, cls=Command, epilog=examples)


def examples(text: str) -> Callable[[F], F]:
    """Gives a command of its own (no noun) its examples."""

    def mark(function: F) -> F:
        function.examples = text  # type: ignore[attr-defined]
        return function

    return mark
