"""Waiting for invocations to end."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rtour.cli.diagnostics import CliError, ExitCode, Misuse
from rtour.cli.invocation_table import COLUMNS
from rtour.cli.output import Record, json_text, record_of, table
from rtour.cli.selecting import ids_in, select
from rtour.cli.tree import Format
from rtour.cli.wording import as_json, plural

if TYPE_CHECKING:
    from rtour.cli.session import Session
    from rtour.client import Client
    from rtour.client.model import Reply


def emit_reply(session: Session, reply: Reply) -> None:
    """A result: as it is, or with its circumstances as JSON."""
    if session.format in (Format.JSON, Format.JSONL):
        record = {
            "invocation_id": reply.invocation_id,
            "content_type": reply.content_type,
            "result": as_json(reply.body) if reply.body else None,
        }
        if session.format is Format.JSON:
            session.emit(json_text(record))
        else:
            session.emit(table(session.look, (), [record]))
        return
    session.emit_bytes(reply.body)


async def attach_to(
    session: Session, client: Client, invocation_id: str, timeout_s: float | None
) -> None:
    """Waits for one result and prints it."""
    from rtour.client import TimedOut  # noqa: PLC0415

    try:
        with session.progress(f"waiting for {invocation_id}"):
            reply = await client.ingress.attach(invocation_id, timeout_s=timeout_s)
    except TimedOut as error:
        raise CliError(
            f"no result after {timeout_s:g}s; the invocation goes on",
            hint=f"rtour why {invocation_id}",
            exit_code=ExitCode.TIMEOUT,
        ) from error
    emit_reply(session, reply)


async def wait_for(
    session: Session,
    client: Client,
    words: Sequence[str],
    timeout_s: float | None,
    interval_s: float,
) -> None:
    """Waits for all of them, then prints how each ended."""
    ids: list[str] = []
    for word in words:
        ids += ids_in(session.read_stdin().decode("utf-8", "replace")) if word == "-" else [word]
    selection = select(ids)
    if selection.conditions or not selection.ids:
        raise Misuse("wait takes invocation ids", expected="ids, or `-` for ids on stdin")
    try:
        async with asyncio.timeout(timeout_s):
            failed = await _wait(session, client, list(selection.ids), interval_s)
    except TimeoutError as error:
        raise CliError(
            f"not all were finished after {timeout_s:g}s",
            hint=f"rtour why {selection.ids[0]}",
            exit_code=ExitCode.TIMEOUT,
        ) from error
    if failed:
        raise CliError(
            f"{plural(failed, 'invocation')} failed",
            hint="rtour invocations describe ID",
            exit_code=ExitCode.INVOCATION_FAILED,
        )


async def _wait(session: Session, client: Client, waiting: list[str], interval_s: float) -> int:
    failed, seen, total = 0, set[str](), len(waiting)
    ended: list[Record] = []
    with session.progress(f"waiting for {plural(total, 'invocation')}") as update:
        while True:
            found = {each.id: each for each in await client.query.invocations_by_id(waiting)}
            unknown = [each for each in waiting if each not in found and each not in seen]
            if unknown:
                raise CliError(
                    f"no invocation {unknown[0]}",
                    hint="rtour invocations list --all",
                    exit_code=ExitCode.NOT_FOUND,
                )
            seen |= found.keys()
            # Without retention an invocation vanishes when it ends: gone means done.
            done = [each for each in waiting if each not in found or found[each].done]
            waiting = [each for each in waiting if each not in done]
            ended += [record_of(found[each]) for each in done if each in found]
            failed += sum(found[each].outcome == "failed" for each in done if each in found)
            update(f"{total - len(waiting)} of {total}")
            if not waiting:
                break
            await session.world.sleep(interval_s)
    session.emit(table(session.look, COLUMNS, ended))
    return failed
