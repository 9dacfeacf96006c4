"""The disk that forgets: what a power cut may leave, and may not."""

from __future__ import annotations

from random import Random

import pytest

from tests.torture.power.disk import SECTOR, Disk, Keep

SIZE = 16 * SECTOR


def filled(letter: str, sectors: int = 2) -> bytes:
    return letter.encode() * SECTOR * sectors


@pytest.fixture
def disk() -> Disk:
    """A was flushed; B, in its place, and C were not."""
    disk = Disk(SIZE)
    disk.write(0, filled("a"))
    disk.flush()
    disk.write(0, filled("b"))
    disk.write(8 * SECTOR, filled("c"))
    return disk


def left(disk: Disk, keep: Keep, seed: int = 0, position: int | None = None) -> str:
    """The first letter of each sector that was ever written."""
    after = disk.after_cut(disk.position if position is None else position, keep, Random(seed))
    return "".join(
        after.read(sector * SECTOR, 1).decode().replace("\0", ".") for sector in (0, 1, 8, 9)
    )


@pytest.mark.parametrize("keep", list(Keep))
def test_what_was_flushed_stays(disk: Disk, keep: Keep) -> None:
    """Whatever becomes of the rest."""
    disk.flush()
    assert left(disk, keep) == "bbcc"


def test_nothing_or_all_of_the_rest_may_stay(disk: Disk) -> None:
    """The two ends of what may happen."""
    assert left(disk, Keep.NOTHING) == "aa.."
    assert left(disk, Keep.ALL) == "bbcc"


def test_any_writes_may_stay(disk: Disk) -> None:
    """Each for itself, all of it or nothing."""
    assert {left(disk, Keep.SOME, seed) for seed in range(50)} == {"aa..", "bb..", "aacc", "bbcc"}


def test_any_sectors_may_stay(disk: Disk) -> None:
    """Of two writes in the same place either one, too."""
    disk.write(0, filled("d", 1))
    seen = {left(disk, Keep.TORN, seed) for seed in range(500)}
    assert {each[:2] for each in seen} == {a + b for a in "abd" for b in "ab"}
    assert {each[2:] for each in seen} == {"..", "c.", ".c", "cc"}


def test_what_came_after_the_cut_was_never_written(disk: Disk) -> None:
    """A moment is a position in the log."""
    assert left(disk, Keep.ALL, position=disk.position - 1) == "bb.."
    assert left(disk, Keep.ALL, position=1) == "...."
