"""Aggregates that SQLite lacks."""

from __future__ import annotations

import math
from typing import Any

import msgspec

Key = tuple[Any, ...]


class Ordered:
    """Compares values as ORDER BY does; directions are `a` or `d`, NULLs are large."""

    def __init__(self, directions: str, keys: Key) -> None:
        self.directions = directions
        self.keys = keys

    def __lt__(self, other: Ordered) -> bool:
        for direction, mine, theirs in zip(self.directions, self.keys, other.keys, strict=True):
            if mine == theirs:
                continue
            less = (
                theirs is None
                if mine is not None and theirs is None
                else (False if mine is None else mine < theirs)
            )
            return less if direction == "a" else not less
        return False


class First:
    """`first(directions, value, key…)`: the value of the row that sorts first."""

    def __init__(self) -> None:
        self._best: Ordered | None = None
        self._value: Any = None

    def step(self, directions: str, value: Any, *keys: Any) -> None:
        if self._best is None:
            self._best, self._value = Ordered(directions, keys), value
        elif keys:
            now = Ordered(directions, keys)
            if now < self._best:
                self._best, self._value = now, value

    def finalize(self) -> Any:
        return self._value


class Last:
    """The value of the row that sorts last."""

    def __init__(self) -> None:
        self._best: Ordered | None = None
        self._value: Any = None

    def step(self, directions: str, value: Any, *keys: Any) -> None:
        now = Ordered(directions, keys)
        if self._best is None or not now < self._best:
            self._best, self._value = now, value

    def finalize(self) -> Any:
        return self._value


class Array:
    """`array_agg(directions, value, key…)` as a JSON array."""

    def __init__(self) -> None:
        self._rows: list[tuple[Ordered, Any]] = []

    def step(self, directions: str, value: Any, *keys: Any) -> None:
        self._rows.append((Ordered(directions, keys), value))

    def finalize(self) -> str | None:
        if not self._rows:
            return None
        self._rows.sort(key=lambda row: row[0])
        return msgspec.json.encode([value for _, value in self._rows]).decode()


class Percentile:
    """`percentile(value, fraction)` with linear interpolation."""

    def __init__(self) -> None:
        self._values: list[float] = []
        self._fraction = 0.5

    def step(self, value: float | None, fraction: float) -> None:
        self._fraction = fraction
        if value is not None:
            self._values.append(value)

    def finalize(self) -> float | None:
        if not self._values:
            return None
        self._values.sort()
        place = (len(self._values) - 1) * min(max(self._fraction, 0.0), 1.0)
        below = math.floor(place)
        above = min(below + 1, len(self._values) - 1)
        return self._values[below] + (self._values[above] - self._values[below]) * (place - below)


class Spread:
    """`spread(value, sample, root)`: variance by Welford's method, or its square root."""

    def __init__(self) -> None:
        self._count, self._mean, self._sum = 0, 0.0, 0.0
        self._sample = self._root = False

    def step(self, value: float | None, sample: int, root: int) -> None:
        self._sample, self._root = bool(sample), bool(root)
        if value is None:
            return
        self._count += 1
        delta = value - self._mean
        self._mean += delta / self._count
        self._sum += delta * (value - self._mean)

    def finalize(self) -> float | None:
        divisor = self._count - 1 if self._sample else self._count
        if divisor <= 0:
            return None
        variance = self._sum / divisor
        return math.sqrt(variance) if self._root else variance


AGGREGATES: dict[str, tuple[type, int]] = {
    "first": (First, -1),
    "last": (Last, -1),
    "array": (Array, -1),
    "percentile": (Percentile, 2),
    "spread": (Spread, 3),
}
