"""The data file, its log and its ledger: damage of any kind, to a folder with rows of every table.

An input is a list of injuries, nine bytes each: the file and the kind, a place, and a number.
"""

from __future__ import annotations

import asyncio
import logging
import struct
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.fuzz.target import Check, Target
from tests.storage import mauling

INJURY = struct.Struct(">BII")
INJURIES_MAX = 4
PAGE = 4096
LEFT = tuple(mauling.Left)


def _turn_a_bit(content: bytearray, place: int, number: int) -> None:
    content[place] ^= 1 << number % 8


def _overwrite(content: bytearray, place: int, number: int) -> None:
    content[place : place + 4] = struct.pack(">I", number)


def _blank_a_sector(content: bytearray, place: int, _number: int) -> None:
    start = place // 512 * 512
    content[start : start + 512] = bytes(len(content[start : start + 512]))


def _cut(content: bytearray, place: int, _number: int) -> None:
    del content[place:]


def _lengthen(content: bytearray, _place: int, number: int) -> None:
    content += bytes(number % PAGE)


def _misplace_a_page(content: bytearray, place: int, number: int) -> None:
    """A page is written where another one belongs."""
    source, goal = place // PAGE * PAGE, number % len(content) // PAGE * PAGE
    content[goal : goal + PAGE] = content[source : source + PAGE]


KINDS: tuple[Callable[[bytearray, int, int], None], ...] = (
    _turn_a_bit,
    _turn_a_bit,
    _overwrite,
    _blank_a_sector,
    _cut,
    _lengthen,
    _misplace_a_page,
)
TAKE_BACK = (_cut, _blank_a_sector, _misplace_a_page)


class Patient:
    """A sound folder, all its answers, and a copy to be injured."""

    def __init__(self, root: Path, left: mauling.Left) -> None:
        self.sound, self.copy = root / "sound", root / "copy"
        asyncio.run(mauling.fill(self.sound, left))
        mauling.copied(self.sound, self.copy)
        self.truth: dict[str, Any] = mauling.everything(self.copy)

    def outcome(self, injuries: list[tuple[int, int, int]]) -> str:
        mauling.copied(self.sound, self.copy)
        for head, place, number in injuries:
            left, kind = LEFT[head // 3 // len(KINDS) % 3], KINDS[head // 3 % len(KINDS)]
            if left is mauling.Left.LEDGER and kind in TAKE_BACK:
                continue  # a ledger that ends behind a commit is as it once was: nothing can tell
            name = left.value
            file = self.copy / name
            content = bytearray(file.read_bytes()) if file.is_file() else bytearray()
            if content:
                kind(content, place % len(content), number)
                file.write_bytes(content)
        return mauling.outcome(self.copy, self.truth)


def seeds() -> list[bytes]:
    """Each kind of injury to each file, at its head and further in, alone and several."""
    alone = [
        INJURY.pack(head, place, number)
        for head in range(9 * len(KINDS))
        for place, number in ((0, 1), (5000, 9000), (40_000, 2**31))
    ]
    return [*alone[::3], *alone[1::5], b"".join(alone[:4]), b""]


@contextmanager
def opened() -> Iterator[Check]:
    logger = logging.getLogger("rtour.storage")
    before, logger.propagate = logger.propagate, False
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        patients = [Patient(Path(folder) / left.name, left) for left in LEFT]

        def check(data: bytes) -> None:
            usable = len(data) // INJURY.size * INJURY.size
            injuries = list(INJURY.iter_unpack(data[:usable]))[:INJURIES_MAX]
            patient = patients[injuries[0][0] % 3 if injuries else 0]
            outcome = patient.outcome(injuries)
            assert outcome in mauling.GOOD, (outcome, injuries)
            assert injuries or outcome == "right"

        yield check
    logger.propagate = before


TARGET = Target(
    promise="Every answer is right, or the damage is told: at the start or by the read.",
    seeds=seeds,
    opened=opened,
    examples=20,
    cpu_s_max=20.0,
    bytes_max=INJURIES_MAX * INJURY.size,
)
