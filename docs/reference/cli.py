"""Write reference/cli.md from the command line itself: its help, exit codes and JSON shapes.

    python docs/reference/cli.py

tests/cli/test_reference_page.py fails while the page is not what this prints.
"""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rtour.cli.diagnostics import ExitCode
from rtour.cli.frontpage import GLOBAL_OPTIONS, SECTIONS, Entry, page, present
from rtour.cli.tree import ALIASES, Group, Options, load, root

PAGE = Path(__file__).with_suffix(".md")
SHAPES = Path(__file__).with_name("cli-json.json")
WIDTH = 80

HEAD = """\
# The command line

<!-- Written by docs/reference/cli.py from the commands themselves: do not edit. -->

`rtour` works with rtour's server and with the official Restate server alike: both have the same
admin API. Flags come before environment variables, those before the project's `.rtour.toml`, that
before your `~/.config/rtour/config.toml`; `rtour info` shows what is in use, and why.
"""

MANNERS = """\
## Manners

- Data goes to stdout; progress, questions, warnings and counts go to stderr. Nothing asks without
  a terminal, and nothing moves without one.
- `-o json` prints one value whose keys and types are listed below with each command, `-o jsonl`
  one item a line, `-o text` values between tabs without a header. Times in JSON are RFC 3339.
- What changes something shows first what it will do. `--dry-run` stops there, `--yes` does not ask.
- Ids come from arguments or, for `-`, from stdin: what `invocations list` prints in any format.
- What is taller than the terminal goes through `RTOUR_PAGER`, `PAGER` or `less`, as git does it;
  `--no-pager`, or `cat` as the pager, leaves it to the terminal. A pipe is not paged.
- Control characters in keys, names and payloads are shown escaped and never reach the terminal.
"""

MEANINGS = {
    ExitCode.OK: "it worked",
    ExitCode.FAILED: "it failed",
    ExitCode.USAGE: "the command line is wrong",
    ExitCode.NOT_FOUND: "there is no such thing",
    ExitCode.CONFLICT: "not in this state: a conflict or a missed precondition",
    ExitCode.UNREACHABLE: "no server answers, or none that we know",
    ExitCode.INVOCATION_FAILED: "the invocation itself failed",
    ExitCode.TIMEOUT: "it took longer than it was given",
    ExitCode.INTERRUPTED: "ctrl-C",
    ExitCode.BROKEN_PIPE: "whoever read our output has left",
}


def text() -> str:
    """The whole page."""
    shapes = json.loads(SHAPES.read_text("utf-8"))
    parts = [HEAD, _block("$ rtour --help\n" + page(colour=False)), MANNERS, _exit_codes()]
    parts += [_global_options(), _aliases()]
    for title, section in SECTIONS.items():
        parts.append(f"## {title}\n")
        for entry in section:
            if present(entry):
                parts += _command(entry, shapes)
    return "\n".join(parts)


def _exit_codes() -> str:
    rows = [f"| {code.value} | {MEANINGS[code]} |" for code in ExitCode]
    return "## Exit codes\n\n| code | meaning |\n|---|---|\n" + "\n".join(rows) + "\n"


def _global_options() -> str:
    rows = [f"| `{names}` | {what} |" for names, what in GLOBAL_OPTIONS]
    return (
        "## Options of every command\n\n| option | meaning |\n|---|---|\n" + "\n".join(rows) + "\n"
    )


def _aliases() -> str:
    rows = [
        f"`{alias}` for {' or '.join(f'`{n}`' for n in names)}" for alias, names in ALIASES.items()
    ]
    return (
        "## Short names\n\nUnambiguous prefixes work, and "
        + ", ".join(rows)
        + "; nouns have the official CLI's short names, shown in brackets above.\n"
    )


def _command(entry: Entry, shapes: dict[str, Any]) -> Iterator[str]:
    command = load(entry)
    yield f"### rtour {entry.name}\n"
    yield _block(_help([entry.name]))
    yield from _shape(entry.name, shapes)
    if isinstance(command, Group):
        for path in _paths(command, entry.name):
            yield f"#### rtour {path}\n"
            yield _block(_help(path.split()))
            yield from _shape(path, shapes)


def _paths(group: Group, name: str) -> Iterator[str]:
    for verb in group.list_commands(None):
        path, each = f"{name} {verb}", group.get_command(None, verb)
        if isinstance(each, Group):
            yield from _paths(each, path)
        elif not each.hidden:
            yield path


def _help(path: list[str]) -> str:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        root().main(
            args=[*path, "--help"],
            prog_name="rtour",
            standalone_mode=False,
            obj=Options(),
            terminal_width=WIDTH,
        )
    return out.getvalue()


def _shape(path: str, shapes: dict[str, Any]) -> Iterator[str]:
    if path in shapes:
        yield "JSON:\n"
        yield _block(json.dumps(shapes[path], indent=2), "json")


def _block(content: str, language: str = "text") -> str:
    lines = "\n".join(line.rstrip() for line in content.strip("\n").splitlines())
    return f"```{language}\n{lines}\n```\n"


if __name__ == "__main__":
    PAGE.write_text(text(), "utf-8")
