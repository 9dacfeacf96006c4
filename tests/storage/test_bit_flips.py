"""A bit that turns in a data file is reported, or did not matter: it is never silently served.

`python -m tests.storage.test_bit_flips 100000` turns that many bits, one after the other.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import tempfile
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pytest

from . import mauling

FLIPS = 60


class Specimen:
    """A data folder with all its answers, and the outcome of turning bits in copies of it."""

    def __init__(self, root: Path, left: mauling.Left) -> None:
        self._folder, self._copy = root / "sound", root / "copy"
        self._name = left.value
        asyncio.run(mauling.fill(self._folder, left))
        mauling.copied(self._folder, self._copy)
        self.truth = mauling.everything(self._copy)

    def outcome(self, bit: int) -> str:
        """What became of all answers when one bit of the file is the other way round."""
        mauling.flipped(self._folder, self._copy, self._name, bit)
        return mauling.outcome(self._copy, self.truth)

    @property
    def content(self) -> bytes:
        return (self._folder / self._name).read_bytes()

    def draw(self, random: Random) -> int:
        """A bit of the file, in front of the zeros at its end."""
        return random.randrange(len(self.content.rstrip(b"\0")) * 8)


Specimens = dict[mauling.Left, Specimen]
each_file = pytest.mark.parametrize("left", mauling.Left)


@pytest.fixture(scope="module")
def specimens(tmp_path_factory: pytest.TempPathFactory) -> Specimens:
    root = tmp_path_factory.mktemp("flips")
    return {left: Specimen(root / left.name, left) for left in mauling.Left}


def test_the_specimen_has_answers_of_every_kind(specimens: Specimens) -> None:
    """What is compared is not nothing: rows of each table come back."""
    for specimen in specimens.values():
        truth: dict[str, Any] = specimen.truth
        assert truth["running"]
        assert truth["recovered"].documents
        assert all(truth[f"journal {n}"] for n in range(1, mauling.INVOCATIONS + 1))
        assert all(truth[f"{what} k1"] for what in ("lock", "inbox", "state", "promise"))
        assert truth["timers"]
        assert all(len(truth[f"waiters {n}"]) == mauling.OBJECTS for n in (1, 2))
        assert truth["telling 2"]
        assert truth["recovered"].tellings


@each_file
def test_no_turned_bit_is_silently_served(specimens: Specimens, left: mauling.Left) -> None:
    """Every answer is right, or the damage is told: at the start or by the read.

    Damage to the write-ahead log does not even matter, while the ledger has the same.
    """
    specimen, random = specimens[left], Random(left.value)
    bits = [specimen.draw(random) for _ in range(FLIPS)]
    found = {bit: specimen.outcome(bit) for bit in bits}
    silent = {bit: words for bit, words in found.items() if words not in mauling.GOOD}
    assert not silent, silent
    assert ("reported" in found.values()) == (left is not mauling.Left.LOG)


async def test_a_bit_of_the_last_commit_is_told_too(
    specimens: Specimens, caplog: pytest.LogCaptureFixture
) -> None:
    """It looks as a power cut does: the server starts without that commit, and says so."""
    specimen = specimens[mauling.Left.LEDGER]
    with caplog.at_level(logging.WARNING, "rtour.storage"):
        words = specimen.outcome(len(specimen.content.rstrip(b"\0")) * 8 - 100)
    assert words == "warned"
    assert "last commit in the ledger" in caplog.text


if __name__ == "__main__":
    logging.getLogger("rtour.storage").propagate = False
    for file in mauling.Left:
        with tempfile.TemporaryDirectory() as temporary:
            whole, dice = Specimen(Path(temporary), file), Random(0)
            flips = [whole.draw(dice) for _ in range(int(sys.argv[1]))]
            print(file.value, Counter(whole.outcome(bit).partition(":")[0] for bit in flips))
