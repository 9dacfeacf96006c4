"""Words after `/` become SQL conditions, whatever the words."""

from __future__ import annotations

import sqlite3

import pytest

from rtour.client.filtering import conditions, words
from rtour.client.query import where
from rtour.client.state_listing import state_conditions

ROWS = [
    ("inv_1a", "Cart/Mary/add", "Cart", "Mary", "add", "running", None, "dp_1", None),
    ("inv_1b", "Cart/50%/add", "Cart", "50%", "add", "completed", "failure", None, "dp_2"),
    ("inv_1c", "Cart/a_b/add", "Cart", "a_b", "add", "completed", "success", None, None),
    ("inv_1d", "Greeter/it's", "Greeter", None, "it's", "paused", None, None, None),
]
COLUMNS = (
    "id, target, target_service_name, target_service_key, target_handler_name, status,"
    " completion_result, pinned_deployment_id, last_attempt_deployment_id"
)


def found(text: str) -> str:
    """The last letters of the ids that a filter lets through."""
    db = sqlite3.connect(":memory:")
    db.execute(f"CREATE TABLE sys_invocation ({COLUMNS})")
    db.executemany(f"INSERT INTO sys_invocation VALUES ({', '.join('?' * 9)})", ROWS)
    sql = f"SELECT inv.id FROM sys_invocation inv{where(conditions(text))} ORDER BY inv.id"
    return "".join(str(row[0])[-1] for row in db.execute(sql))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "abcd"),
        ("mary", "a"),
        ("50%", "b"),
        ("a_b", "c"),
        ("%", "b"),
        ("_", "c"),
        ('"it\'s"', "d"),
        ("it's", "d"),
        ("status:run", "a"),
        ("status:failed", "b"),
        ("status:succeeded,paused", "cd"),
        ("status:completed", "bc"),
        ("status:nonsense", ""),
        ("is:unfinished", "ad"),
        ("service:cart key:mary", "a"),
        ("handler:add status:completed", "bc"),
        ("deployment:dp_1,dp_2", "ab"),
        ("id:inv_1c,inv_1d", "cd"),
        ("inv_1b", "b"),
        ("nofield:x", ""),
    ],
)
def test_a_filter_finds(text: str, expected: str) -> None:
    """Fields, words, quotes and wildcards find exactly what they name."""
    assert found(text) == expected


def test_an_open_quote_is_somebody_typing() -> None:
    """A half-typed quote is no error."""
    assert words("'Mary and") == ["'Mary", "and"]


def test_state_is_filtered_by_object_too() -> None:
    """`object:` names one key exactly, slashes and quotes included."""
    assert state_conditions("object:Cart/a/b") == [
        "(service_name = 'Cart' AND service_key = 'a/b')"
    ]
