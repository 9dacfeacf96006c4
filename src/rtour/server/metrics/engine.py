"""Metrics of the engine: commands, what followed from them, and what is stored."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rtour.engine import actions as a
from rtour.protocol.messages import MessageType
from rtour.server.metrics.exposition import Metric, Sample, counter, gauge
from rtour.storage.ledger.pages import volumes

if TYPE_CHECKING:
    from rtour.server.counts import EngineCounts
    from rtour.server.main import Server

# As the official server calls what its engine tells the outside; three are our own.
ACTIONS: Final[dict[type, str]] = {
    a.StartAttempt: "Invoke",
    a.AbortAttempt: "AbortInvocation",
    a.RetryNow: "RetryNow",
    a.PauseAttempt: "PauseAttempt",
    a.Notify: "ForwardNotification",
    a.AckEntry: "AckStoredCommand",
    a.SetTimer: "RegisterTimer",
    a.TellRest: "TellRest",
    a.Accepted: "IngressSubmitNotification",
    a.Finished: "IngressResponse",
    a.NotReady: "IngressResponse",
    a.NotFound: "IngressResponse",
    a.Outcome: "ForwardResponse",
}
MESSAGE: Final = "NewOutboxMessage"  # to another key; theirs goes through a table


def metrics(server: Server) -> Iterator[Metric]:
    counts = server.processor.counts
    yield from _commands(server)
    yield from _consequences(counts)
    yield from _memory(server)
    yield Metric(
        "rtour_storage_bytes",
        "gauge",
        "Sizes of the files in the data folder.",
        lambda: _sizes(server.storage.path),
        ("file",),
    )
    yield Metric(
        "restate_usage_state_storage_bytes",
        "gauge",
        "All state, names and values; measured anew when it is asked for after a while.",
        server.state_size.read,
    )


def _commands(server: Server) -> Iterator[Metric]:
    processor, counts = server.processor, server.processor.counts
    yield Metric(
        "restate_partition_apply_command_duration_seconds",
        "summary",
        "How long it took to decide commands, and the changes they lead to.",
        lambda: (
            ({"command": kind.__name__}, spent)
            for kind, spent in sorted(counts.commands.items(), key=lambda item: item[0].__name__)
        ),
        ("command",),
    )
    yield counter("rtour_commands_total", "Commands applied.", lambda: processor.applied)
    yield gauge(
        "rtour_commands_pending",
        "Commands that are not applied yet.",
        lambda: processor.proposed - processor.applied,
    )
    yield Metric(
        "rtour_commit_duration_seconds",
        "histogram",
        "From the order to make a batch durable to the disk's answer.",
        lambda: (({}, counts.commits),),
    )


def _consequences(counts: EngineCounts) -> Iterator[Metric]:
    def actions() -> Iterator[Sample]:
        sums = dict.fromkeys(ACTIONS.values(), 0) | {MESSAGE: counts.messages}
        for kind, count in counts.actions.items():
            sums[ACTIONS[kind]] += count
        for action, count in sorted(sums.items()):
            if count:
                yield {"action": action}, count

    for name in (
        "restate_partition_handle_leader_action_total",
        "restate_usage_leader_action_count_total",
    ):
        yield Metric(
            name, "counter", "What the engine told the outside to do.", actions, ("action",)
        )
    yield Metric(
        "restate_usage_leader_journal_entry_count_total",
        "counter",
        "Journal entries stored, by type.",
        lambda: (
            ({"entry": entry_name(type_)}, count) for type_, count in sorted(counts.entries.items())
        ),
        ("entry",),
    )


def entry_name(type_: int) -> str:
    """As the official server calls a type of entry: `Command/Sleep`, `Completion/Sleep`."""
    if type_ == MessageType.SIGNAL:
        return "Signal"
    words = [word.capitalize() for word in MessageType(type_).name.split("_")]
    if words[-1] == "Completion":
        return f"Completion/{''.join(words[:-1])}"
    return f"Command/{''.join(words)}"


def _memory(server: Server) -> Iterator[Metric]:
    ingress, processor = server.ingress, server.processor

    def capacities() -> Iterator[Sample]:
        yield {"name": "ingress-requests"}, ingress.requests_bytes_max
        yield {"name": "unstored-commands"}, processor.unstored_bytes_max

    def usages() -> Iterator[Sample]:
        yield {"name": "ingress-requests"}, ingress.requests_bytes
        yield {"name": "unstored-commands"}, processor.unstored_bytes

    yield Metric(
        "restate_memory_pool_capacity_bytes",
        "gauge",
        "What requests of clients, and commands that are not durable yet, may hold.",
        capacities,
        ("name",),
    )
    yield Metric("restate_memory_pool_usage_bytes", "gauge", "What they hold.", usages, ("name",))


def _sizes(path: Path) -> Iterator[Sample]:
    log = path.with_name(f"{path.name}-wal")
    parts = {"database": (path,), "wal": (log,), "ledger": volumes(path)}
    for name, files in parts.items():
        sizes = [file.stat().st_size for file in files if file.exists()]
        if sizes:
            yield {"file": name}, sum(sizes)
