"""Arguments that several commands take, and what is wrong with them when something is."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from rtour import ids
from rtour.cli.diagnostics import Misuse
from rtour.errors import InvalidId

if TYPE_CHECKING:
    from rtour.cli.session import Session

Watch = Annotated[bool, typer.Option("-w", "--watch", help="Renew until ctrl-C.")]
Every = Annotated[
    float,
    typer.Option(
        "-n", "--interval", min=0.1, metavar="SECONDS", help="With -w: how often to renew."
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would happen, and stop.")]


def pairs(values: Iterable[str], where: str) -> dict[str, str]:
    """`NAME=VALUE`, split at the first `=`; a header may also be written `Name: value`."""
    found = {}
    for value in values:
        name, separator, rest = value.partition("=")
        if ":" in name:
            name, separator, rest = value.partition(":")
        if not separator or not name.strip():
            raise Misuse(f"{where}: '{value}' is no pair", expected="NAME=VALUE")
        found[name.strip()] = rest.strip()
    return found


def listed(values: Iterable[str] | None) -> list[str]:
    """`--status a,b --status c` as one list."""
    return [part for value in values or () for part in value.split(",") if part]


def invocation_id(text: str) -> str:
    """An invocation id, checked."""
    try:
        ids.parse_invocation_id(text)
    except InvalidId as error:
        raise Misuse(
            f"'{text}' is no invocation id: {error}",
            expected="inv_1 and 33 letters and digits",
            hint="rtour invocations list",
        ) from error
    return text


def deployment_id(text: str) -> str:
    """A deployment id, checked."""
    try:
        ids.parse_deployment_id(text)
    except InvalidId as error:
        raise Misuse(
            f"'{text}' is no deployment id: {error}",
            expected="dp_1 and 22 letters and digits",
            hint="rtour deployments list",
        ) from error
    return text


def body(session: Session, text: str | None) -> bytes | None:
    """A payload: given as it is, from a file (`@path`) or from stdin (`-`)."""
    if text is None:
        return None
    if text == "-":
        return session.read_stdin()
    if text.startswith("@"):
        path = session.file(text[1:])
        try:
            return path.read_bytes()
        except OSError as error:
            raise Misuse(f"cannot read {path}: {error.strerror}") from error
    return os.fsencode(text)  # as it was given, also where that is no UTF-8


def checked_json(raw: bytes, what: str) -> bytes:
    """JSON, or a message that says where it ends to be JSON."""
    try:
        text = raw.decode()  # json would also take UTF-16, which no service expects
        json.loads(text)
    except RecursionError as error:
        raise Misuse(f"{what} is nested too deeply", expected="a JSON value") from error
    except UnicodeDecodeError as error:
        raise Misuse(f"{what} is not UTF-8", hint="--content-type for other than JSON") from error
    except json.JSONDecodeError as error:
        hint = ""
        if text.strip() and text.strip()[0] not in "{[\"'" and len(text) < 80:
            hint = f"a JSON string needs its quotes: '{json.dumps(text.strip())}'"
        raise Misuse(
            f"{what} is not JSON: {error.msg} at line {error.lineno}, column {error.colno}",
            expected="a JSON value, @FILE or - for stdin",
            hint=hint,
        ) from error
    return raw
