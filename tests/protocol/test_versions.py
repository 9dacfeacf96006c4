"""What differs between the protocol's versions 5, 6 and 7."""

from __future__ import annotations

import pytest

from rtour.errors import ProtocolError
from rtour.protocol import messages as m
from rtour.protocol.framing import decode, encode, encode_payload

TREE = m.Future(
    (3,),
    (1,),
    ("go",),
    (
        m.Future((2, 3), (17,), (), (m.Future((5,), (1,), ("go", "stop")),), m.Combinator(2)),
        m.Future((4,)),
    ),
    m.Combinator.FIRST_COMPLETED,
)


@pytest.mark.parametrize("version", [5, 6])
def test_old_suspensions_flatten_the_tree(version: int) -> None:
    """V5 and V6 name every leaf once, in order, and read it back as "any of"."""
    payload = encode_payload(m.Suspension(TREE), version)
    assert decode(0x0001, payload, version) == m.Suspension(
        m.Future((3, 2, 5, 4), (1, 17), ("go", "stop"), (), m.Combinator.FIRST_COMPLETED)
    )


def test_new_suspensions_keep_the_tree() -> None:
    """V7 sends the tree as it is."""
    assert decode(0x0001, encode_payload(m.Suspension(TREE))) == m.Suspension(TREE)


def test_start_says_only_what_its_version_knows() -> None:
    """The seed comes with V6; scope, limit key and idempotency key with V7."""
    start = m.Start(b"i", "d", 1, random_seed=9, scope="s", limit_key="l", idempotency_key="k")
    assert decode(0, encode_payload(start, 5), 5) == m.Start(b"i", "d", 1)
    assert decode(0, encode_payload(start, 6), 6) == m.Start(b"i", "d", 1, random_seed=9)
    assert decode(0, encode_payload(start, 7), 7) == start


def test_failure_metadata_travels_from_v6_on() -> None:
    """V5 knows no metadata, so it is left out."""
    failed = m.Output(m.Failure(400, "no", (("reason", "dup"),)))
    assert decode(0x0401, encode_payload(failed, 5), 5) == m.Output(m.Failure(400, "no"))
    assert decode(0x0401, encode_payload(failed, 6), 6) == failed


@pytest.mark.parametrize(
    "message",
    [
        m.Call("S", "h", b"", 1, 2, scope="s"),
        m.Call("S", "h", b"", 1, 2, limit_key="l"),
        m.OneWayCall("S", "h", b"", 1, scope="s"),
        m.OneWayCall("S", "h", b"", 1, limit_key="l"),
        m.AttachInvocation(m.WorkflowTarget("W", "k", "s"), 1),
        m.GetInvocationOutput(m.IdempotentRequestTarget("S", "h", "i", scope="s"), 1),
        m.Error(500, behavior=m.ErrorBehavior.PAUSE),
    ],
)
def test_what_would_change_the_meaning_is_refused_before_v7(message: m.Message) -> None:
    """A scope or behavior that cannot be sent is an error 573, never silently dropped."""
    with pytest.raises(ProtocolError, match="needs protocol v7, this is v6") as raised:
        encode(message, 6)
    assert raised.value.code == 573
    assert encode(message, 7)
