"""`rtour --help` and the table of commands: which module holds what, read without importing it.

A command line is opened hundreds of times a day. The front page is text, printed in about 20 ms;
a command then imports its own module and no other. `tests/cli/test_cold_start.py` guards this.
"""

import os
import sys
from typing import NamedTuple


class Entry(NamedTuple):
    """A command or group: the attribute of a module, with its line on the front page."""

    name: str
    module: str
    attribute: str
    help: str
    aliases: tuple[str, ...] = ()


SECTIONS: dict[str, tuple[Entry, ...]] = {
    "Run": (
        Entry("up", "rtour.cli.up", "up", "A server and its terminal UI in one", ("dev",)),
        Entry("server", "rtour.cli.server", "server", "The durable server alone"),
        Entry("serve", "rtour.cli.serve", "serve", "Serve your services: `rtour serve app:app`"),
        Entry(
            "lambda-local",
            "rtour.cli.lambda_local",
            "lambda_local",
            "Serve a Lambda handler on this machine",
        ),
        Entry("ui", "rtour.cli.ui", "ui", "The terminal UI, on any server"),
        Entry("tour", "rtour.cli.tour", "app", "Learn durable execution, each step checked"),
        Entry("time", "rtour.cli.time", "app", "Drive a development server's clock"),
        Entry("example", "rtour.cli.example", "example", "Write out an example", ("examples",)),
    ),
    "Services": (
        Entry(
            "deployments",
            "rtour.cli.deployments",
            "app",
            "Where services run: register, list, remove",
            ("deployment", "dp"),
        ),
        Entry(
            "services",
            "rtour.cli.services",
            "app",
            "Handlers, configuration, status by handler and key",
            ("service", "svc"),
        ),
        Entry("call", "rtour.cli.call", "call", "Invoke a handler and wait for its result"),
        Entry("send", "rtour.cli.call", "send", "Invoke a handler, now or later, without waiting"),
    ),
    "Invocations": (
        Entry(
            "invocations",
            "rtour.cli.invocations",
            "app",
            "List, describe, stop, resume, wait for, watch",
            ("invocation", "inv"),
        ),
        Entry("why", "rtour.cli.why", "why", "Why is it not finished? One sentence"),
        Entry("trace", "rtour.cli.trace", "trace", "Commands and callees as bars over time"),
        Entry(
            "awakeables",
            "rtour.cli.awakeables",
            "app",
            "Resolve or reject what an invocation waits for",
            ("awakeable",),
        ),
    ),
    "Data": (
        Entry("kv", "rtour.cli.state", "app", "State of virtual objects and workflows", ("state",)),
        Entry(
            "backup", "rtour.cli.backup", "backup", "All data in one file, while the server works"
        ),
        Entry("restore", "rtour.cli.backup", "restore", "A backup as the data of a folder"),
        Entry("sql", "rtour.cli.sql", "sql", "Ask the server in SQL; without a query, a shell"),
        Entry(
            "subscriptions",
            "rtour.cli.subscriptions",
            "app",
            "Kafka topics that feed handlers",
            ("subscription", "sub"),
        ),
        Entry(
            "kafka-clusters",
            "rtour.cli.kafka",
            "app",
            "Kafka clusters that topics come from",
            ("kafka-cluster", "kc"),
        ),
    ),
    "Flow control": (
        Entry("rules", "rtour.cli.rules", "app", "How many may run at once, by pattern", ("rule",)),
        Entry("vqueues", "rtour.cli.vqueues", "app", "Queues that the rules hold back"),
    ),
    "This tool": (
        Entry(
            "info", "rtour.cli.info", "info", "Every setting, path and version in use", ("whoami",)
        ),
        Entry("doctor", "rtour.cli.doctor", "doctor", "Check the setup and say what to do"),
        Entry("config", "rtour.cli.config", "app", "Environments and their settings", ("conf",)),
        Entry("completions", "rtour.cli.completions", "app", "Completion for your shell"),
    ),
}

GLOBAL_OPTIONS = (
    ("-o, --output FORMAT", "table, json, jsonl or text"),
    ("--columns A,B", "only these; --no-headers leaves out the header"),
    ("-e, --environment NAME", "which server (see `rtour config`)"),
    ("--admin-url, --ingress-url", "where the server is"),
    ("--token, --ingress-token", "to be let in, or RTOUR_AUTH_TOKEN"),
    ("-y, --yes", "do not ask; -q less, -v more on stderr"),
    ("--color WHEN", "auto, always, never; NO_COLOR counts too"),
    ("--time-format FORMAT", "human, iso8601 or rfc2822"),
    ("--table-style STYLE", "compact or borders"),
    ("--no-pager", "do not page tall output (RTOUR_PAGER, PAGER)"),
    ("--connect-timeout MS", "3000; --request-timeout MS, 13000"),
    ("--ca-file FILE", "authorities to trust; --insecure-skip-tls-verify"),
)

EXAMPLES = (
    ("rtour up", "start a server"),
    ("rtour deployments register localhost:9080", "make your services known"),
    ("rtour call Greeter/greet '\"Ada\"'", "invoke a handler"),
    ("rtour invocations list --status backing-off", "what keeps failing"),
    ("rtour why inv_1fm…", "why it is not finished"),
)


def entries() -> list[Entry]:
    """All commands that are there, in the order of the front page."""
    return [entry for section in SECTIONS.values() for entry in section if present(entry)]


def present(entry: Entry) -> bool:
    """Whether the module's file exists: cheaper than asking the import system."""
    parts = entry.module.split(".")[1:]
    path = os.path.join(_package(), *parts)  # noqa: PTH118 - pathlib costs 5 ms
    return os.path.exists(path + ".py") or os.path.isdir(path)  # noqa: PTH110, PTH112


def answers(argv: list[str]) -> bool:
    """Prints the front page or the version if that is all `argv` asks for."""
    if "_RTOUR_COMPLETE" in os.environ:
        return False
    if argv in ([], ["-h"], ["--help"], ["help"]):
        sys.stdout.write(page(colour=_colour()))
        return True
    if argv in (["-V"], ["--version"]):
        sys.stdout.write(f"rtour {version()}\n")
        return True
    return False


def page(*, colour: bool) -> str:
    """The front page."""
    bold, dim, off = ("\x1b[1m", "\x1b[2m", "\x1b[0m") if colour else ("", "", "")
    lines = [f"{bold}rtour{off}: durable execution on your machine", ""]
    lines += [f"  {command:<46}{dim}{what}{off}" for command, what in EXAMPLES]
    lines += ["", "Usage: rtour COMMAND [ARGS]...", ""]
    for title, section in SECTIONS.items():
        lines.append(f"{bold}{title}{off}")
        lines += [f"  {_names(entry):<24}{entry.help}" for entry in section if present(entry)]
        lines.append("")
    lines.append(f"{bold}Options of every command{off}")
    lines += [f"  {names:<28}{what}" for names, what in GLOBAL_OPTIONS]
    lines += [
        "",
        "`rtour COMMAND --help` shows examples. Prefixes work: `rtour inv ls`.",
    ]
    return "\n".join(lines) + "\n"


def version() -> str:
    """The installed version."""
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415

    try:
        return version("rtour")
    except PackageNotFoundError:
        return "0+source"


def _names(entry: Entry) -> str:
    shortest = min(entry.aliases, key=len, default="")
    return f"{entry.name} ({shortest})" if shortest else entry.name


def _package() -> str:
    return os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120


def _colour() -> bool:
    env = os.environ
    if env.get("NO_COLOR", "0") != "0" or env.get("TERM") == "dumb":
        return False
    return sys.stdout.isatty() or env.get("FORCE_COLOR", "0") != "0"
