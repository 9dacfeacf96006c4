"""Operations on many invocations: show, ask, do, and report each failure."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from rtour.cli.diagnostics import CliError, ExitCode, Misuse, exit_code
from rtour.cli.output import Column, Record, table
from rtour.cli.selecting import Selection, ids_in, select
from rtour.cli.wording import plural
from rtour.client.operations import Operation

if TYPE_CHECKING:
    from rtour.cli.session import Session
    from rtour.client import Client, ClientError

AT_ONCE = 50
SHOWN = 20

PLAN = (
    Column("id", "ID"),
    Column("target", "TARGET", fold=True),
    Column("status", "STATUS"),
)
RESULTS = (
    Column("id", "ID"),
    Column("target", "TARGET", fold=True),
    Column("result", "RESULT", style=lambda row: "red" if row["error"] else "green"),
    Column("error", "ERROR", fold=True),
)
RESTARTS = (*RESULTS[:2], Column("new_id", "NEW ID"), *RESULTS[2:])


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """An operation on what the words of a command line select."""

    operation: Operation
    words: tuple[str, ...]
    limit: int
    dry_run: bool
    params: dict[str, str]


async def operate(session: Session, client: Client, order: Order) -> None:
    """Carries out an order."""
    selection = _selection(session, order.words)
    plan = await _plan(client, selection, order)
    if order.dry_run:
        session.emit(table(session.look, PLAN, plan))
        session.note(f"dry run: {plural(len(plan), 'invocation')} would be {order.operation.done}")
        return
    _tell(session, plan, order)
    results = await _carry_out(session, client, plan, order)
    columns = RESTARTS if order.operation.name == "restart-as-new" else RESULTS
    session.emit(table(session.look, columns, results))
    _judge(session, results, order.operation)


def _selection(session: Session, words: Sequence[str]) -> Selection:
    expanded: list[str] = []
    for word in words:
        found = ids_in(session.read_stdin().decode("utf-8", "replace")) if word == "-" else [word]
        if word == "-" and not found:
            raise Misuse("no invocation ids on stdin", expected="ids, JSON or a table of them")
        expanded += found
    return select(expanded)


async def _plan(client: Client, selection: Selection, order: Order) -> list[Record]:
    """The invocations selected. Ids given by name stay in even if the operation cannot apply:
    the server then says why, instead of us saying nothing.
    """
    conditions = [selection.condition]
    if not selection.ids:
        conditions.append(order.operation.applies_to)
    found = await client.query.invocations(conditions, limit=max(order.limit, len(selection.ids)))
    rows: list[Record] = [
        {"id": each.id, "target": each.target, "status": each.status} for each in found
    ]
    known = {row["id"] for row in rows}
    rows += [
        {"id": each, "target": None, "status": None} for each in selection.ids if each not in known
    ]
    if not rows:
        raise CliError(
            f"no {order.operation.allowed} invocation of {', '.join(order.words)}",
            expected=f"{order.operation.name} works on {order.operation.allowed} invocations",
            hint="rtour invocations list --all",
            exit_code=ExitCode.NOT_FOUND,
        )
    return rows


def _tell(session: Session, plan: list[Record], order: Order) -> None:
    for row in plan[:SHOWN]:
        session.note(f"  {row['id']}  {row['target'] or 'unknown'}  {row['status'] or ''}".rstrip())
    if len(plan) > SHOWN:
        session.note(f"  … and {len(plan) - SHOWN} more")
    if len(plan) == order.limit:
        session.note(f"  (limited to {order.limit}; --limit changes that)")
    session.confirm(f"{order.operation.name.capitalize()} {plural(len(plan), 'invocation')}?")


async def _carry_out(
    session: Session, client: Client, plan: list[Record], order: Order
) -> list[Record]:
    results: list[Record] = [{} for _ in plan]
    gate, done = asyncio.Semaphore(AT_ONCE), 0

    async def one(position: int, row: Record) -> None:
        nonlocal done
        async with gate:
            results[position] = await _one(client, row, order)
        done += 1
        update(f"{done} of {len(plan)}")

    with session.progress(f"{order.operation.name} {plural(len(plan), 'invocation')}") as update:
        async with asyncio.TaskGroup() as tasks:
            for position, row in enumerate(plan):
                tasks.create_task(one(position, row))
    return results


async def _one(client: Client, row: Record, order: Order) -> Record:
    from rtour.client import ClientError  # noqa: PLC0415

    result: Record = {
        "id": row["id"],
        "target": row["target"],
        "result": order.operation.done,
        "new_id": None,
        "error": None,
        "exit_code": 0,
    }
    try:
        operated = await client.admin.operate(order.operation.name, row["id"], order.params or None)
        result["new_id"] = operated.new_invocation_id
        if not operated.complete:
            result["result"] = f"{order.operation.name} requested"
    except ClientError as error:
        result |= _failure(error)
    return result


def _failure(error: ClientError) -> Record:
    return {"result": "failed", "error": str(error), "exit_code": int(exit_code(error))}


def _judge(session: Session, results: list[Record], operation: Operation) -> None:
    """One failure of a kind gives that kind's exit code, a mixture gives 1."""
    failed = [row for row in results if row["error"]]
    done = len(results) - len(failed)
    session.note(f"{operation.name}: {done} ok, {len(failed)} failed")
    if not failed:
        return
    codes = {row["exit_code"] for row in failed}
    code = ExitCode(codes.pop()) if len(codes) == 1 and not done else ExitCode.FAILED
    raise CliError(
        f"{len(failed)} of {len(results)} could not be {operation.done}: {failed[0]['error']}",
        expected=f"{operation.allowed} invocations",
        hint=f"rtour why {failed[0]['id']}",
        exit_code=code,
    )
