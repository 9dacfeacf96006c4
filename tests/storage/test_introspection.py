"""The `sys_*` tables say what is stored, in Restate's words."""

from __future__ import annotations

import json

import pytest

from rtour import ids
from rtour.engine import changes as c
from rtour.engine.model import (
    AttemptError,
    DocumentKind,
    Event,
    EventType,
    FromRestart,
    FromService,
    FromSubscription,
    HandlerType,
    InboxItem,
    Promise,
    ServiceType,
    Status,
    Target,
    Trace,
)
from rtour.protocol import messages as m
from rtour.protocol.framing import encode_payload
from rtour.storage.introspection import TABLES, LiveAttempt

from . import values as v
from .sql import Stored

CART = Target("Cart", "add", "ada", ServiceType.VIRTUAL_OBJECT, HandlerType.EXCLUSIVE)
INV = ids.make_invocation_id(ids.key_partition("ada"), 7)


def test_every_table_can_be_read_and_every_column_is_explained(stored: Stored) -> None:
    """Each documented column exists, in order, in an empty database."""
    for table in TABLES:
        cursor = stored.sql.rows(f'SELECT * FROM "{table.name}"')
        assert [column[0] for column in cursor.description] == [x.name for x in table.columns]
        assert cursor.fetchall() == []
        assert table.doc.endswith(".")
        assert all(column.doc.endswith(".") for column in table.columns)


async def test_a_finished_invocation_shows_its_whole_life(stored: Stored) -> None:
    """Target, source, times, retentions and the failure come out as Restate writes them."""
    await stored.write(
        c.PutInvocation(
            v.invocation(
                1,
                id=INV,
                target=CART,
                status=Status.COMPLETED,
                source=FromService("inv_parent", Target("Shop", "buy")),
                trace=Trace("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
                completion_retention_ms=86_400_000,
                journal_length=3,
                commands=2,
                deployment_id="dp_1",
                protocol_version=6,
                running_at=1001,
                completed_at=1005,
                result=m.Failure(409, "killed"),
            )
        )
    )
    assert stored.row("SELECT * FROM sys_invocation") == {
        "id": INV,
        "target": "Cart/ada/add",
        "target_service_name": "Cart",
        "target_service_key": "ada",
        "target_handler_name": "add",
        "target_service_ty": "virtual_object",
        "invoked_by": "service",
        "invoked_by_service_name": "Shop",
        "invoked_by_id": "inv_parent",
        "invoked_by_target": "Shop/buy",
        "pinned_deployment_id": "dp_1",
        "pinned_service_protocol_version": 6,
        "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
        "journal_size": 3,
        "journal_commands_size": 2,
        "created_at": 1000,
        "modified_at": 1000,
        "running_at": 1001,
        "completed_at": 1005,
        "completion_retention": 86_400_000,
        "journal_retention": 0,
        "status": "completed",
        "completion_result": "failure",
        "completion_failure": "[409] killed",
    }


@pytest.mark.parametrize(
    ("status", "live", "shown"),
    [
        (Status.SCHEDULED, None, "scheduled"),
        (Status.INBOXED, None, "pending"),
        (Status.INVOKED, None, "ready"),
        (Status.INVOKED, LiveAttempt("inv_1", in_flight=False, retry_count=0), "ready"),
        (Status.INVOKED, LiveAttempt("inv_1", in_flight=False, retry_count=2), "backing-off"),
        (Status.INVOKED, LiveAttempt("inv_1", in_flight=True, retry_count=1), "running"),
        (Status.SUSPENDED, None, "suspended"),
        (Status.PAUSED, None, "paused"),
    ],
)
async def test_the_status_joins_what_is_stored_and_what_runs(
    stored: Stored, status: Status, live: LiveAttempt | None, shown: str
) -> None:
    """An invoked invocation is ready, running or backing off, as the invoker says."""
    await stored.write(c.PutInvocation(v.invocation(1, status=status)))
    stored.live = [live] if live else []
    assert stored.row("SELECT status FROM sys_invocation") == {"status": shown}
    assert stored.row("SELECT status FROM sys_invocation_status") == {"status": status.value}


async def test_live_columns_are_as_fresh_as_the_query(stored: Stored) -> None:
    """Each query asks the invoker again, and finds every field in its column."""
    await stored.write(c.PutInvocation(v.invocation(1)))
    assert stored.rows("SELECT * FROM sys_invocation_state") == []
    stored.live = [
        LiveAttempt(
            "inv_1",
            in_flight=False,
            retry_count=2,
            last_start_at=5,
            last_attempt_deployment_id="dp_1",
            last_attempt_server="restate-sdk-python/1.3.0",
            next_retry_at=9,
            last_failure="[500 Internal] broken",
            last_failure_error_code="RT0007",
            last_failure_related_command_index=1,
            last_failure_related_command_name="pay",
            last_failure_related_command_type="Run",
        )
    ]
    shown = stored.row("SELECT * FROM sys_invocation_state")
    fields = {name: getattr(stored.live[0], name) for name in LiveAttempt.__struct_fields__}
    assert shown == {name: value for name, value in fields.items() if value is not None}
    joined = stored.row("SELECT * FROM sys_invocation")
    assert (
        fields.items() >= {name: value for name, value in joined.items() if name in fields}.items()
    )
    assert joined["next_retry_at"] == 9


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        (FromSubscription("sub_1"), {"invoked_by_subscription_id": "sub_1"}),
        (FromRestart("inv_0"), {"restarted_from": "inv_0"}),
    ],
)
async def test_each_source_has_its_own_column(
    stored: Stored, source: object, shown: dict[str, str]
) -> None:
    """Kafka records and restarts name what they came from."""
    await stored.write(c.PutInvocation(v.invocation(1, source=source)))
    columns = "invoked_by_id, invoked_by_subscription_id, restarted_from"
    assert stored.row(f"SELECT {columns} FROM sys_invocation") == shown


async def test_a_suspended_invocation_says_what_it_waits_for(stored: Stored) -> None:
    """Completions and signals of the outermost future, as they were sent; none from within."""
    tree = m.Future((3, 1), (17, 1), (), (m.Future((4, 3), (18,)),))
    waiting = v.invocation(1, status=Status.SUSPENDED, awaiting=tree)
    await stored.write(c.PutInvocation(waiting))
    row = stored.row("SELECT * FROM sys_invocation")
    assert row["suspended_waiting_for_completions"] == "[3,1]"
    assert row["suspended_waiting_for_signals"] == "[17,1]"


@pytest.mark.parametrize(
    ("version", "shown"),
    [
        (
            7,
            {
                "FirstCompleted": [
                    {"Single": {"SignalIndex": 1}},
                    {
                        "AllCompleted": [
                            {"Single": {"CompletionId": 3}},
                            {"Single": {"SignalName": "go"}},
                        ]
                    },
                ]
            },
        ),
        (6, {"Unknown": [{"Single": {"SignalIndex": 1}}]}),
    ],
)
async def test_what_it_waits_for_is_a_tree(
    stored: Stored, version: int, shown: dict[str, object]
) -> None:
    """Written as the official server does; before V7 nobody says how the leaves combine."""
    nested = (m.Future((3,), (), ("go",), (), m.Combinator.ALL_COMPLETED),) if version > 6 else ()
    tree = m.Future((), (1,), (), nested, m.Combinator.FIRST_COMPLETED)
    waiting = v.invocation(1, status=Status.SUSPENDED, awaiting=tree, protocol_version=version)
    await stored.write(c.PutInvocation(waiting))
    row = stored.row("SELECT suspended_waiting_future_json AS tree FROM sys_invocation")
    assert json.loads(str(row["tree"])) == shown


async def test_partition_keys_keep_their_64_bits(stored: Stored) -> None:
    """A key beyond 2**63 comes as the negative number with the same bits."""
    for uuid, key in enumerate((1, 2**63 + 5), 1):
        id_ = ids.make_invocation_id(key, uuid)
        await stored.write(c.PutInvocation(v.invocation(stored.sequence + 1, id=id_)))
    rows = stored.rows("SELECT partition_key FROM sys_invocation_status ORDER BY created_at, id")
    assert sorted(int(str(row["partition_key"])) % 2**64 for row in rows) == [1, 2**63 + 5]


async def test_the_journal_is_read_entry_by_entry(stored: Stored) -> None:
    """Type, name, JSON and the raw bytes of each entry; the callee's row tells the call's kind."""
    commands: list[m.Command] = [
        m.Input((m.Header("a", "b"),), b"hi"),
        m.Run(1, "pay"),
        m.Call("Cart", "add", b"1", 2, 3, key="ada"),
    ]
    parent = v.invocation(1, journal_length=3)
    entries = [
        v.replace(
            v.entry(index, encode_payload(command, 6), int(m.COMMAND_TYPES[type(command)])),
            callee=INV if index == 2 else None,
        )
        for index, command in enumerate(commands)
    ]
    callee = v.invocation(2, id=INV, target=CART, completion_retention_ms=1500)
    await stored.write(c.PutInvocation(parent), *v.journal(parent, *entries))
    await stored.write(c.PutInvocation(callee))
    rows = stored.rows('SELECT * FROM sys_journal ORDER BY "index"')
    assert [(row["index"], row["entry_type"], row["name"]) for row in rows] == [
        (0, "Command: Input", ""),
        (1, "Command: Run", "pay"),
        (2, "Command: Call", ""),
    ]
    assert [row["raw"] for row in rows] == [entry.raw for entry in entries]
    assert json.loads(str(rows[1]["entry_json"])) == {
        "Command": {"Run": {"completion_id": 1, "name": "pay"}}
    }
    call = json.loads(str(rows[2]["entry_json"]))["Command"]["Call"]
    assert call["request"]["invocation_id"] == INV
    assert call["request"]["invocation_target"] == {
        "VirtualObject": {
            "name": "Cart",
            "key": "ada",
            "handler": "add",
            "handler_ty": "Exclusive",
            "scope": None,
        }
    }
    assert call["request"]["completion_retention_duration"] == {"secs": 1, "nanos": 500_000_000}


async def test_events_are_told_with_their_error(stored: Stored) -> None:
    """A failed attempt's facts come under Restate's names; absent ones are left out."""
    error = AttemptError(500, "broken", "at line 1", "RT0007", 1, "pay", 0x0411)
    made = v.invocation(1)
    await stored.write(
        c.PutInvocation(made),
        c.AppendEvent(made.id, 1, Event(EventType.TRANSIENT_ERROR, 2, 5, error)),
        c.AppendEvent(made.id, 1, Event(EventType.PAUSED, 2, 6, AttemptError(409, "no"))),
    )
    first, second = stored.rows("SELECT * FROM sys_journal_events ORDER BY appended_at")
    assert first["after_journal_entry_index"] == 2
    assert json.loads(str(first["event_json"])) == {
        "ty": "TransientError",
        "error_code": 500,
        "error_message": "broken",
        "error_stacktrace": "at line 1",
        "restate_doc_error_code": "RT0007",
        "related_command_index": 1,
        "related_command_name": "pay",
        "related_command_type": "Run",
    }
    assert json.loads(str(second["event_json"])) == {
        "ty": "Paused",
        "last_failure": {"error_code": 409, "error_message": "no"},
    }


async def test_objects_show_state_lock_inbox_and_promises(stored: Stored) -> None:
    """What belongs to a key is in its tables, bytes that are no text included."""
    await stored.write(
        c.PutState("Cart", "ada", b"n", b"42"),
        c.PutState("Cart", "ada", b"raw", b"\xff"),
        c.PutLock("Cart", "ada", INV),
        c.PutInvocation(v.invocation(1)),
        c.PutInboxItem("Cart", "ada", InboxItem(1, "inv_1")),
        c.PutPromise("Flow", "ada", "done", Promise(m.Value(b"yes"))),
        c.PutPromise("Flow", "ada", "open", Promise()),
        c.PutPromise("Flow", "ada", "torn", Promise(m.Failure(400, "no"))),
    )
    state = stored.rows("SELECT key, value_utf8, value, value_length FROM state ORDER BY key")
    assert [tuple(row.values()) for row in state] == [
        ("n", "42", b"42", 2),
        ("raw", None, b"\xff", 1),
    ]
    assert stored.row("SELECT invocation_id FROM sys_keyed_service_status") == {
        "invocation_id": INV
    }
    assert stored.row("SELECT id, sequence_number, created_at FROM sys_inbox") == {
        "id": "inv_1",
        "sequence_number": 1,
        "created_at": 1000,
    }
    columns = "key, completed, completion_success_value_utf8, completion_failure"
    promises = stored.rows(f"SELECT {columns} FROM sys_promise ORDER BY key")
    assert [tuple(row.values()) for row in promises] == [
        ("done", 1, "yes", None),
        ("open", 0, None, None),
        ("torn", 1, None, "[400] no"),
    ]


async def test_deployments_and_services_come_from_the_registry(stored: Stored) -> None:
    """The documents that the registry stores become rows."""
    deployment = {
        "id": "dp_1",
        "uri": "http://localhost:9080/",
        "created_at": 5,
        "min_protocol_version": 5,
        "max_protocol_version": 6,
        "services": [{"revision": 1, "manifest": {"name": "Cart"}}],
    }
    service = {"revision": 3, "public": True, "ty": "virtual_object", "deployment_id": "dp_1"}
    await stored.write(
        c.PutDocument(DocumentKind.DEPLOYMENT, "dp_1", json.dumps(deployment).encode()),
        c.PutDocument(DocumentKind.SERVICE, "Cart", json.dumps(service).encode()),
    )
    assert stored.row("SELECT * FROM sys_deployment") == {
        "id": "dp_1",
        "ty": "http",
        "endpoint": "http://localhost:9080/",
        "created_at": 5,
        "min_service_protocol_version": 5,
        "max_service_protocol_version": 6,
        "services": '["Cart"]',
    }
    assert stored.row("SELECT * FROM sys_service") == {
        "name": "Cart",
        "revision": 3,
        "public": 1,
        "ty": "virtual_object",
        "deployment_id": "dp_1",
    }
