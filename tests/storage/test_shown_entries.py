"""Journal entries read in SQL as Restate shows them (server-semantics.md §12)."""

from __future__ import annotations

import json
from collections.abc import Iterable

import pytest

from rtour.protocol import messages as m
from rtour.protocol.framing import encode_payload
from rtour.storage.introspection.entries import Callee, entry_json, entry_lite_json, entry_type

OK = m.Value(b"ok")
NO = m.Failure(500, "no")
CASES: Iterable[tuple[m.Command, object, object]] = [
    (
        m.Input((m.Header("a", "b"),), b"hi"),
        {"headers": [{"name": "a", "value": "b"}], "payload": [104, 105], "name": ""},
        {},
    ),
    (m.Output(OK), {"result": {"Success": [111, 107]}, "name": ""}, {"result": "Success"}),
    (
        m.Output(NO),
        {"result": {"Failure": {"code": 500, "message": "no"}}, "name": ""},
        {"result": "Failure"},
    ),
    (
        m.Sleep(1234, 1, "nap"),
        {"wake_up_time": 1234, "completion_id": 1, "name": "nap"},
        {"wake_up_time": 1234, "completion_id": 1},
    ),
    (m.SetState(b"k", b"v"), {"key": "k", "value": [118], "name": ""}, {"key": "k"}),
    (m.ClearState(b"k"), {"key": "k", "name": ""}, {"key": "k"}),
    (m.ClearAllState(), {"name": ""}, {}),
    (m.GetLazyState(b"k", 1), {"key": "k", "completion_id": 1, "name": ""}, None),
    (m.GetLazyStateKeys(1), {"completion_id": 1, "name": ""}, None),
    (
        m.GetEagerState(b"k", OK),
        {"key": "k", "result": {"Success": [111, 107]}, "name": ""},
        {"key": "k", "result": "Success"},
    ),
    (m.GetEagerState(b"k", m.VOID), {"key": "k", "result": "Void", "name": ""}, None),
    (m.GetEagerStateKeys((b"k",)), {"state_keys": ["k"], "name": ""}, {}),
    (m.GetPromise("p", 1), {"key": "p", "completion_id": 1, "name": ""}, None),
    (m.PeekPromise("p", 1), {"key": "p", "completion_id": 1, "name": ""}, None),
    (
        m.CompletePromise("p", OK, 1),
        {"key": "p", "value": {"Success": [111, 107]}, "completion_id": 1, "name": ""},
        {"key": "p", "value": "Success", "completion_id": 1},
    ),
    (
        m.SendSignal("inv_x", 1, m.VOID),
        {
            "target_invocation_id": "inv_x",
            "signal_id": {"Index": 1},
            "result": "Void",
            "name": "",
        },
        None,
    ),
    (
        m.AttachInvocation(m.InvocationId("inv_x"), 1),
        {"target": {"InvocationId": "inv_x"}, "completion_id": 1, "name": ""},
        None,
    ),
    (
        m.GetInvocationOutput(m.WorkflowTarget("Flow", "k"), 1),
        {
            "target": {"Workflow": {"service_name": "Flow", "key": "k"}},
            "completion_id": 1,
            "name": "",
        },
        None,
    ),
    (
        m.CompleteAwakeable("sign_x", OK),
        {"id": "sign_x", "result": {"Success": [111, 107]}, "name": ""},
        {"id": "sign_x", "result": "Success"},
    ),
]


@pytest.mark.parametrize(("command", "whole", "lite"), CASES)
def test_command_entries_read_as_restate_shows_them(
    command: m.Command, whole: object, lite: object | None
) -> None:
    """The JSON of each kind of command, with and without payloads."""
    type_ = int(m.COMMAND_TYPES[type(command)])
    raw = encode_payload(command, 6)
    kind = type(command).__name__
    shown = entry_json(type_, raw, Callee(None))
    assert json.loads(shown or "") == {"Command": {kind: whole}}
    if lite is not None:
        shown = entry_lite_json(type_, raw, Callee(None))
        assert json.loads(shown or "") == {"Command": {kind: lite}}


@pytest.mark.parametrize(
    ("notification", "whole", "lite"),
    [
        (
            m.Notification(m.MessageType.RUN_COMPLETION, 1, OK),
            {"Completion": {"Run": {"completion_id": 1, "result": {"Success": [111, 107]}}}},
            {"ty": {"Completion": "Run"}, "id": {"CompletionId": 1}, "result": "Success"},
        ),
        (
            m.Notification(m.MessageType.SLEEP_COMPLETION, 1, m.VOID),
            {"Completion": {"Sleep": {"completion_id": 1}}},
            {"ty": {"Completion": "Sleep"}, "id": {"CompletionId": 1}, "result": "Void"},
        ),
        (
            m.Notification(m.MessageType.CALL_INVOCATION_ID_COMPLETION, 2, m.InvocationId("inv_x")),
            {"Completion": {"CallInvocationId": {"completion_id": 2, "invocation_id": "inv_x"}}},
            {
                "ty": {"Completion": "CallInvocationId"},
                "id": {"CompletionId": 2},
                "result": "InvocationId",
            },
        ),
        (
            m.Notification(m.MessageType.SIGNAL, 17, OK),
            {"Signal": {"id": {"Index": 17}, "result": {"Success": [111, 107]}}},
            {"ty": "Signal", "id": {"SignalIndex": 17}, "result": "Success"},
        ),
    ],
)
def test_notification_entries_read_as_restate_shows_them(
    notification: m.Notification, whole: object, lite: object
) -> None:
    """The JSON of completions and signals, with and without payloads."""
    raw = encode_payload(notification, 6)
    shown = entry_json(notification.type, raw, Callee(None))
    assert json.loads(shown or "") == {"Notification": whole}
    shown = entry_lite_json(notification.type, raw, Callee(None))
    assert json.loads(shown or "") == {"Notification": lite}


def test_a_call_lite_names_its_callee() -> None:
    """Without payloads, a call still says whom it called and what completes it."""
    raw = encode_payload(m.Call("Greeter", "greet", b"1", 2, 3), 6)
    shown = entry_lite_json(int(m.MessageType.CALL), raw, Callee("inv_x", "service"))
    assert json.loads(shown or "") == {
        "Command": {
            "Call": {
                "invocation_id": "inv_x",
                "invocation_target": {
                    "Service": {"name": "Greeter", "handler": "greet", "scope": None}
                },
                "invocation_id_completion_id": 2,
                "result_completion_id": 3,
            }
        }
    }


def test_strange_entries_are_shown_without_details() -> None:
    """Unknown types and broken bytes give NULL instead of failing the query."""
    assert entry_type(0x0FFF) is None
    assert entry_json(0x0FFF, b"", Callee(None)) is None
    assert entry_json(int(m.MessageType.RUN), b"\xff", Callee(None)) is None
