"""Damage, drawn from a seed: what a fuzzer does without knowing the code."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from random import Random
from typing import Any

INTERESTING = (0, 1, 7, 8, 9, 10, 13, 32, 34, 46, 47, 58, 91, 123, 127, 128, 192, 254, 255)
STRETCHED_MAX = 20_000
_TOKEN = re.compile(rb"'[^']*'|\"[^\"]*\"|\w+|[^\w\s]+")
VALUES = (
    *(None, True, False, "", "x", "\x00", "\ud800", "é" * 3, "a/b", "1h", [], {}, [[]], {"": 0}),
    *(-1, 0, 1, 255, 256, 2**31, 2**53, 2**63 - 1, 2**63, 2**64 - 1, 10**30, 0.5, -0.0, 1e308),
)


class Mutator:
    """Makes inputs from the seeds of a target and the words they are made of."""

    def __init__(
        self, random: Random, words: Sequence[bytes] = (), json_from: int | None = None
    ) -> None:
        """`json_from` is where JSON begins in inputs, which is then changed as such."""
        self._random = random
        self._words = words
        self._json_from = json_from
        self._ways: tuple[Callable[[bytearray], None], ...] = (
            self._turn_a_bit,
            self._put_a_byte,
            self._insert,
            self._insert_a_word,
            self._delete,
            self._repeat,
            self._swap,
            self._put_a_number,
        )

    def mutated(self, seeds: Sequence[bytes], bytes_max: int) -> bytes:
        """One of the seeds, or two of them joined, with some damage; now and then a long one."""
        return self.changed(self._random.choice(seeds), seeds, bytes_max)

    def changed(self, seed: bytes, others: Sequence[bytes], bytes_max: int) -> bytes:
        """An input with some damage."""
        random = self._random
        if self._json_from is not None and random.random() < 0.7:
            return self._other_json(seed, self._json_from)[:bytes_max]
        data = bytearray(seed)
        if random.random() < 0.1:
            other = random.choice(others)
            data[random.randint(0, len(data)) :] = other[random.randint(0, len(other)) :]
        for _ in range(random.choice((0, 1, 1, 2, 3, 5, 8))):
            random.choice(self._ways)(data)
        for _ in range(random.choice((0, 0, 1, 3))):
            self._exchange_a_token(data, random.choice(others))
        if random.random() < 0.02:
            self._stretch(data)
            return bytes(data)
        return bytes(data[:bytes_max])

    def _place(self, data: bytearray) -> int:
        return self._random.randrange(len(data)) if data else 0

    def _span(self, data: bytearray) -> slice:
        start = self._place(data)
        return slice(start, start + self._random.choice((1, 1, 2, 4, 8, 30)))

    def _turn_a_bit(self, data: bytearray) -> None:
        if data:
            data[self._place(data)] ^= 1 << self._random.randrange(8)

    def _put_a_byte(self, data: bytearray) -> None:
        if data:
            data[self._place(data)] = self._random.choice(INTERESTING)

    def _insert(self, data: bytearray) -> None:
        place = self._place(data)
        data[place:place] = self._random.randbytes(self._random.choice((1, 2, 4)))

    def _insert_a_word(self, data: bytearray) -> None:
        if self._words:
            place = self._place(data)
            data[place:place] = self._random.choice(self._words)

    def _exchange_a_token(self, data: bytearray, other: bytes) -> None:
        """A word, a number, a quoted text or a sign becomes one of another input."""
        places, words = list(_TOKEN.finditer(data)), _TOKEN.findall(other)
        if places and words:
            place = self._random.choice(places)
            data[place.start() : place.end()] = self._random.choice(words)

    def _delete(self, data: bytearray) -> None:
        del data[self._span(data)]

    def _repeat(self, data: bytearray) -> None:
        span = self._span(data)
        data[span] = data[span] * self._random.choice((2, 3, 10))

    def _swap(self, data: bytearray) -> None:
        one, other = self._span(data), self._span(data)
        data[one], data[other] = data[other], data[one]

    def _put_a_number(self, data: bytearray) -> None:
        if self._random.random() < 0.5:
            number = str(self._random.choice((-1, 2**31, 2**53, 2**63, 2**64, 10**40))).encode()
        else:
            number = self._random.choice((b"\xff" * 9 + b"\x01", b"\x7f\xff\xff\xff", bytes(4)))
        data[self._span(data)] = number

    def _stretch(self, data: bytearray) -> None:
        """Some part again and again: what is not linear shows."""
        span = self._span(data)
        if part := data[span]:
            data[span] = part * (STRETCHED_MAX // len(part))

    # --- JSON ------------------------------------------------------------------------------------

    def _other_json(self, data: bytes, start: int) -> bytes:
        """Some values are other ones, are gone, or stand at another place."""
        try:
            value = json.loads(data[start:])
            for _ in range(self._random.choice((1, 1, 2, 4))):
                value = self._other_value(value)
            return data[:start] + json.dumps(value).encode()
        except (ValueError, RecursionError):
            return data

    def _other_value(self, value: Any) -> Any:
        """The value with one place in it changed."""
        random = self._random
        places = list(_places(value))
        if not places:
            return deepcopy(random.choice(VALUES))
        container, key = random.choice(places)
        way = random.random()
        if way < 0.5:
            container[key] = deepcopy(random.choice(VALUES))
        elif way < 0.7:
            other, its_key = random.choice(places)
            container[key] = deepcopy(other[its_key])
        elif way < 0.85:
            del container[key]
        elif isinstance(container, dict):
            word = random.choice(self._words).decode("utf-8", "replace") if self._words else "x"
            container[word.strip('"')] = deepcopy(container[key])
        else:
            container.append(deepcopy(container[key]))
        return value


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every place in a value of JSON that can be changed: what holds it, and its key there."""
    todo = [value] if isinstance(value, dict | list) else []
    while todo:
        container = todo.pop()
        for key in list(container) if isinstance(container, dict) else range(len(container)):
            yield container, key
            if isinstance(container[key], dict | list):
                todo.append(container[key])
