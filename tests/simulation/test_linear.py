"""The linearizability checker itself."""

from __future__ import annotations

from tests.simulation.linear import Operation, counter, linearizable, register


def add(result: int | None, called: float, returned: float = float("inf")) -> Operation:
    return Operation("add", 1, result, called, returned)


def get(result: int, called: float, returned: float) -> Operation:
    return Operation("get", None, result, called, returned)


def test_concurrent_adds_may_take_either_order() -> None:
    """Two adds that overlap may answer 2 to the one called first."""
    assert linearizable([add(2, 0, 10), add(1, 1, 9)], counter, 0)


def test_real_time_order_binds() -> None:
    """An add that returned before another was called comes before it."""
    assert not linearizable([add(2, 0, 1), add(1, 2, 3)], counter, 0)


def test_a_doubled_count_is_found() -> None:
    """Two answers that leave out a value say that somebody was counted twice."""
    assert not linearizable([add(1, 0, 1), add(3, 2, 3)], counter, 0)


def test_a_lost_acknowledged_add_is_found() -> None:
    """A read after an acknowledged add must see it."""
    assert not linearizable([add(1, 0, 1), get(0, 2, 3)], counter, 0)


def test_a_pending_add_may_or_may_not_count() -> None:
    """An add without an answer explains a higher value, and needs not to."""
    assert linearizable([add(None, 0), get(1, 5, 6), get(1, 7, 8)], counter, 0)
    assert linearizable([add(None, 0), get(0, 5, 6), get(0, 7, 8)], counter, 0)
    assert not linearizable([add(None, 0), get(1, 5, 6), get(0, 7, 8)], counter, 0)


def test_a_stale_read_of_a_register_is_found() -> None:
    """After a write returned, its predecessor's value is gone."""
    history = [
        Operation("write", "a", None, 0, 1),
        Operation("write", "b", None, 2, 3),
        Operation("read", None, "a", 4, 5),
    ]
    assert not linearizable(history, register, (None,))
    assert linearizable(history[:2], register, (None,))


def test_a_swap_cannot_succeed_twice() -> None:
    """Two swaps of the same value that both say yes contradict each other."""
    history = [
        Operation("swap", (None, "a"), True, 0, 5),
        Operation("swap", (None, "b"), True, 0, 5),
    ]
    assert not linearizable(history, register, (None,))
    assert linearizable(
        [history[0], Operation("swap", (None, "b"), False, 0, 5)], register, (None,)
    )
