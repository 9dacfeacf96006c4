"""One working command line for every command there is; `test_contract` holds all to the manners."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rtour.cli.frontpage import entries
from rtour.cli.tree import Command, Group, load
from rtour.storage import copies
from rtour.storage.sqlite import SqliteStorage
from tests.cli.fake_server import FakeServer

# Brought by others, with tests of their own: they run servers, services and screens.
ELSEWHERE = {"up", "server", "serve", "lambda-local", "ui", "tour", "replay", "dev", "world"}

CASES: dict[str, list[str]] = {
    "info": [],
    "doctor": [],
    "backup": ["copy.db", "--force"],
    "restore": ["backup.db", "--data", "elsewhere", "--force"],
    "why": ["{pending}"],
    "trace": ["{called}"],
    "sql": ["SELECT name, ty FROM sys_service ORDER BY name"],
    "call": ["Greeter/greet", '"Ada"'],
    "send": ["Greeter/greet", '"Ada"', "--delay", "1h"],
    "example": [],
    "time show": [],
    "time skip": ["15m"],
    "time freeze": [],
    "time resume": [],
    "time auto": [],
    "deployments list": ["--extra"],
    "deployments describe": ["{deployment}"],
    "deployments register": ["localhost:9999", "--yes"],
    "deployments remove": ["{deployment}", "--force", "--yes"],
    "services list": [],
    "services describe": ["CartObject"],
    "services status": [],
    "services config view": ["Signup"],
    "services config patch": ["CartObject", "--inactivity-timeout", "5m", "--yes"],
    "services config edit": ["CartObject", "--yes"],
    "invocations list": ["--all"],
    "invocations describe": ["{called}"],
    "invocations tree": ["{called}"],
    "invocations watch": [],
    "invocations attach": ["{completed}"],
    "invocations wait": ["{completed}"],
    "invocations cancel": ["{suspended}", "--yes"],
    "invocations kill": ["{suspended}", "--yes"],
    "invocations purge": ["{completed}", "--yes"],
    "invocations pause": ["{backing-off}", "--yes"],
    "invocations resume": ["{paused}", "--yes"],
    "invocations restart-as-new": ["{completed}", "--yes"],
    "awakeables resolve": ["{awakeable}", '"approved"'],
    "awakeables reject": ["{awakeable}", "not now"],
    "kv get": ["CartObject", "Mary"],
    "kv list": ["CartObject"],
    "kv set": ["CartObject", "Bob", "tickets=[]", "--yes"],
    "kv edit": ["CartObject", "Mary", "--yes"],
    "kv patch": ["CartObject", "Bob", '[{"op": "add", "path": "/n", "value": 1}]', "--yes"],
    "kv clear": ["CartObject/Mary", "--yes"],
    "subscriptions list": [],
    "subscriptions describe": ["{subscription}"],
    "subscriptions create": ["kafka://main/orders", "service://Greeter/greet", "--yes"],
    "subscriptions delete": ["{subscription}", "--yes"],
    "kafka-clusters list": [],
    "kafka-clusters describe": ["main"],
    "kafka-clusters create": ["other", "bootstrap.servers=localhost:9092", "--yes"],
    "kafka-clusters patch": ["main", "--set", "client.id=x", "--yes"],
    "kafka-clusters edit": ["main", "--yes"],
    "kafka-clusters delete": ["main", "--yes"],
    "rules list": [],
    "rules set": ["scope/*", "--concurrency", "5", "--yes"],
    "rules enable": ["tickets/*", "--yes"],
    "rules disable": ["tickets/*", "--yes"],
    "rules delete": ["tickets/*", "--yes"],
    "vqueues list": [],
    "vqueues describe": ["vq_1a"],
    "config list-environments": [],
    "config use-environment": ["local"],
    "config add-environment": ["staging"],
    "config view": [],
    "config edit": [],
    "completions generate": ["bash"],
    "completions install": ["fish", "--yes"],
}

# What comes out is no record: a payload, a script, or nothing but an edited file.
RAW = {"completions generate", "config edit"}
# Runs until ctrl-C.
ENDLESS = {"invocations watch"}
# Works, or is meant to work, without any server.
LOCAL = {
    "info",
    "backup",
    "restore",
    "example",
    "completions generate",
    "completions install",
    "config list-environments",
    "config use-environment",
    "config add-environment",
    "config view",
    "config edit",
}


def with_data(home: Path) -> None:
    """A folder of data that is small, and a backup of it."""
    SqliteStorage(home / "rtour-data").close()
    copies.backup(home / "rtour-data", home / "backup.db")


def leaves() -> dict[str, Command]:
    """Every command of the tree that is not somebody else's, by its full name."""
    found: dict[str, Command] = {}
    for entry in entries():
        if entry.name not in ELSEWHERE:
            found.update(_leaves(entry.name, load(entry)))
    return found


def _leaves(name: str, command: Any) -> Iterator[tuple[str, Command]]:
    if not isinstance(command, Group):
        yield name, command
        return
    for each in command.list_commands(None):
        yield from _leaves(f"{name} {each}", command.get_command(None, each))


def argv(server: FakeServer, name: str) -> list[str]:
    """The command line of a case, with ids of this server."""
    known = {
        "{deployment}": server.admin["/deployments"]["deployments"][0]["id"],
        "{called}": server.id_of("CartObject/Mary/addTicket"),
        "{awakeable}": "sign_1spcNDL2kymFq2Vmx7O66l1z7iRToRNclAAAAEQ",
        "{subscription}": "sub_1aaaaaaaaaaaaaaaaaaaaaa",
    }
    for status in ("pending", "suspended", "completed", "backing-off", "paused"):
        known[f"{{{status}}}"] = server.ids(status)[0]
    return [*name.split(), *(known.get(word, word) for word in CASES[name])]


def samples(server: FakeServer, name: str) -> list[list[str]]:
    """Command lines whose JSON together shows all keys: one, or one per invocation there is."""
    if name not in {"invocations describe", "why", "trace"}:
        return [argv(server, name)]
    found = server.db.execute("SELECT id FROM sys_invocation ORDER BY created_at, id")
    return [[*name.split(), row["id"]] for row in found]


def furnish(server: FakeServer) -> None:
    """What the cases expect beyond the recorded world."""
    server.insert(
        "sys_rules",
        {
            "pattern": "tickets/*",
            "concurrency": 3,
            "disabled": 0,
            "version": 7,
            "last_modified": "2026-11-24T04:00:00Z",
        },
    )
    queue = {"id": "vq_1a", "service_name": "Greeter", "num_inbox": 1, "is_active": 1}
    server.insert("sys_vqueue_meta", queue)
    server.insert("sys_vqueues", {"id": "vq_1a", "entry_id": "e1", "stage": "inbox"})
    server.clusters["main"] = {"bootstrap.servers": "localhost:9092"}
    server.admin["/rtour/subscriptions"] = {
        "readings": [
            {
                "subscription_id": "sub_1aaaaaaaaaaaaaaaaaaaaaa",
                "state": "failing",
                "error": "no brokers",
                "taken": 17,
                "lag": {"0": 3, "1": 2},
                "held": {"1": "the key b'\\xff' is not UTF-8"},
            }
        ]
    }
    server.admin["/rtour/tracing"] = {
        "state": "failing",
        "endpoint": "http://localhost:4317",
        "error": "can't connect to localhost:4317",
        "exported": 5,
        "lost": 2,
        "waiting": 3,
    }
    server.subscriptions.append(
        {
            "id": "sub_1aaaaaaaaaaaaaaaaaaaaaa",
            "source": "kafka://main/orders",
            "sink": "service://Greeter/greet",
            "options": {"client.id": "x"},
        }
    )
