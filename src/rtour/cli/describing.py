"""`invocations describe` and `invocations tree`: gathered from SQL, told as a document."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from rtour.cli.diagnostics import CliError, ExitCode
from rtour.cli.invocation_table import status_style, status_text
from rtour.cli.journal_tree import journal_node
from rtour.cli.output import (
    Block,
    Fields,
    Heading,
    Line,
    Look,
    Node,
    Paragraph,
    Record,
    Span,
    document,
    record_of,
)
from rtour.cli.wording import as_json, duration
from rtour.client.family import family, first_caller
from rtour.client.journal import JournalEntry
from rtour.client.model import Invocation
from rtour.client.story import Story, story_of
from rtour.client.why import Reason, explain

if TYPE_CHECKING:
    from rtour.client import Client


async def describe_invocation(
    look: Look, client: Client, invocation_id: str, *, raw: bool, nested: bool
) -> str:
    """The document of one invocation."""
    invocation = await found(client, invocation_id)
    reason, story = await asyncio.gather(
        explain(client.query, invocation, look.now()),
        story_of(client.query, invocation, nested=nested),
    )
    record = {**_story_record(story), "why": reason.sentence}
    return document(look, record, lambda: _blocks(look, story, reason, raw))


async def tree_of(look: Look, client: Client, invocation_id: str, *, from_root: bool) -> str:
    """Callers and callees of one invocation."""
    invocation = await found(client, invocation_id)
    if from_root:
        invocation = await first_caller(client.query, invocation)
    called = await family(client.query, invocation)
    record = _tree_record(invocation, called)
    return document(look, record, lambda: [_tree_node(look, invocation, called, invocation_id)])


async def found(client: Client, invocation_id: str) -> Invocation:
    """The invocation, or an error that says what may have become of it."""
    invocation = await client.query.invocation(invocation_id)
    if invocation is None:
        raise CliError(
            f"no invocation {invocation_id}",
            expected="one that is unfinished, or whose retention has not run out",
            hint="rtour invocations list --all",
            exit_code=ExitCode.NOT_FOUND,
        )
    return invocation


# --- as JSON -------------------------------------------------------------------------------------


def _story_record(story: Story) -> Record:
    return {
        **record_of(story.invocation),
        "journal": [_entry_record(entry) for entry in story.journal],
        "events": [record_of(event) for event in story.events],
        "children": [_story_record(child) for child in story.children],
    }


def _entry_record(entry: JournalEntry) -> Record:
    record = record_of(entry)
    record["value"] = None if entry.value is None else as_json(entry.value)
    outcome = entry.outcome
    if outcome is not None:
        value = None if outcome.value is None else as_json(outcome.value)
        record["outcome"] = record_of(outcome, value=value)
    return record


def _tree_record(invocation: Invocation, called: dict[str, list[Invocation]]) -> Record:
    children = [_tree_record(child, called) for child in called.get(invocation.id, [])]
    return {**record_of(invocation), "children": children}


# --- for people ----------------------------------------------------------------------------------


def _blocks(look: Look, story: Story, reason: Reason, raw: bool) -> list[Block]:
    invocation = story.invocation
    blocks: list[Block] = [
        Heading(f"Invocation {invocation.id}"),
        Fields(tuple(_fields(look, invocation))),
        Heading("Why"),
        Paragraph(reason.sentence + (f"\nnext: {reason.next}" if reason.next else "")),
    ]
    if invocation.last_failure:
        blocks += [Heading("Last failure"), Paragraph(invocation.last_failure.strip(), "red")]
    return [*blocks, Heading("Journal"), _journal(look, story, raw)]


def _fields(look: Look, invocation: Invocation) -> list[tuple[str, Line | str]]:
    record = record_of(invocation)
    status: Line = (Span(status_text(record, look), status_style(record)),)
    if invocation.completion_failure:
        status = (*status, f": {invocation.completion_failure}")
    attempts = f"{invocation.retry_count}" if invocation.retry_count else ""
    if attempts and invocation.next_retry_at and invocation.status == "backing-off":
        attempts += f", next {look.at(invocation.next_retry_at)}"
    return [
        ("Target", invocation.target),
        ("Status", status),
        ("Attempts", attempts),
        ("Idempotency key", invocation.idempotency_key or ""),
        ("Invoked by", _caller(invocation)),
        ("Restarted from", invocation.restarted_from or ""),
        ("Deployment", _deployment(invocation)),
        ("SDK", invocation.last_attempt_server or ""),
        ("Trace id", invocation.trace_id or ""),
        ("Created", look.at(invocation.created_at)),
        ("Starts", look.at(invocation.scheduled_start_at)),
        ("Started", look.at(invocation.running_at)),
        ("Modified", look.at(invocation.modified_at)),
        ("Completed", look.at(invocation.completed_at)),
        ("Took", _took(invocation)),
    ]


def _took(invocation: Invocation) -> str:
    if not invocation.completed_at:
        return ""
    return duration(invocation.completed_at - (invocation.running_at or invocation.created_at))


def _caller(invocation: Invocation) -> str:
    if invocation.invoked_by_id:
        return f"{invocation.invoked_by_target} {invocation.invoked_by_id}"
    return invocation.invoked_by or ""


def _deployment(invocation: Invocation) -> str:
    if invocation.pinned_deployment_id:
        return f"{invocation.pinned_deployment_id} (it stays there)"
    return invocation.last_attempt_deployment_id or ""


def _journal(look: Look, story: Story, raw: bool) -> Node:
    nested = {child.invocation.id: _journal(look, child, raw) for child in story.children}
    return journal_node(look, story.invocation, story.journal, story.events, nested, raw=raw)


def _tree_node(
    look: Look, invocation: Invocation, called: dict[str, list[Invocation]], marked: str
) -> Node:
    record = record_of(invocation)
    style = "bold" if invocation.id == marked else ""
    line: Line = (
        Span(invocation.target, style),
        " ",
        Span(status_text(record, look), status_style(record)),
        " ",
        Span(invocation.id, "dim"),
    )
    children = called.get(invocation.id, [])
    return Node(line, tuple(_tree_node(look, child, called, marked) for child in children))
