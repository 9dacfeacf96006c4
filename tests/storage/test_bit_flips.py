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
DATABASE, LOG = "rtour.db", "rtour.db-wal"


class Specimen:
    """A data folder with all its answers, and the outcome of turning bits in copies of it."""

    def __init__(self, root: Path, *, log: bool) -> None:
        self._folder, self._copy = root / "sound", root / "copy"
        asyncio.run(mauling.fill(self._folder, log=log))
        mauling.copied(self._folder, self._copy)
        self.truth = mauling.everything(self._copy)

    def outcome(self, name: str, bit: int) -> str:
        """What became of all answers when one bit of a file is the other way round."""
        mauling.flipped(self._folder, self._copy, name, bit)
        return mauling.outcome(self._copy, self.truth)

    def bits(self, name: str) -> int:
        return (self._folder / name).stat().st_size * 8


@pytest.fixture(scope="module")
def specimens(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Specimen]:
    root = tmp_path_factory.mktemp("flips")
    return {name: Specimen(root / name, log=name == LOG) for name in (DATABASE, LOG)}


def test_the_specimen_has_answers_of_every_kind(specimens: dict[str, Specimen]) -> None:
    """What is compared is not nothing: rows of each table come back."""
    for specimen in specimens.values():
        truth: dict[str, Any] = specimen.truth
        assert truth["running"]
        assert truth["recovered"].documents
        assert all(truth[f"journal {n}"] for n in range(1, mauling.INVOCATIONS + 1))
        assert all(truth[f"{what} k1"] for what in ("lock", "inbox", "state", "promise"))
        assert truth["timers"]


@pytest.mark.parametrize("name", [DATABASE, LOG])
def test_no_turned_bit_is_silently_served(specimens: dict[str, Specimen], name: str) -> None:
    """Every answer is right, or the damage is told: at the start or by the read."""
    specimen, random = specimens[name], Random(name)
    bits = [random.randrange(specimen.bits(name)) for _ in range(FLIPS)]
    found = {bit: specimen.outcome(name, bit) for bit in bits}
    silent = {bit: words for bit, words in found.items() if words not in mauling.GOOD}
    assert not silent, silent
    assert "reported" in found.values()


async def test_a_bit_of_the_last_commit_is_told_too(
    specimens: dict[str, Specimen], caplog: pytest.LogCaptureFixture
) -> None:
    """It looks as a power cut does: the server starts without that commit, and says so."""
    specimen = specimens[LOG]
    with caplog.at_level(logging.WARNING, "rtour.storage"):
        words = specimen.outcome(LOG, specimen.bits(LOG) - 4000)
    assert words == "warned"
    assert "last commit in the log" in caplog.text


if __name__ == "__main__":
    logging.getLogger("rtour.storage").propagate = False
    for file in (DATABASE, LOG):
        with tempfile.TemporaryDirectory() as temporary:
            whole, dice = Specimen(Path(temporary), log=file == LOG), Random(0)
            flips = [dice.randrange(whole.bits(file)) for _ in range(int(sys.argv[1]))]
            print(file, Counter(whole.outcome(file, bit).partition(":")[0] for bit in flips))
