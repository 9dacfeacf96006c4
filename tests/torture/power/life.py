"""A server's whole life on a recorded disk, and what must be true wherever it is cut off."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path
from random import Random

import msgspec

from tests.conformance.servers import rtour_binary
from tests.torture.checker import problems
from tests.torture.power.disk import Disk, Keep
from tests.torture.power.history import Aftermath, Asked, HistoricLoad
from tests.torture.power.mounted import Mountable
from tests.torture.victim import Victim

BACKUP = "backup.db"


class Life(msgspec.Struct, frozen=True):
    """What happened, and when by the disk's position."""

    disk: Disk
    history: list[Asked]
    phases: dict[str, tuple[int, int]]
    """When they began, and when whoever asked for it was told that it is done."""

    def answers(self) -> list[int]:
        return [asked.answered_at for asked in self.history if asked.answered_at is not None]


class Cut(msgspec.Struct, frozen=True):
    """A moment, and what of the unflushed is left."""

    phase: str
    position: int
    keep: Keep
    seed: int


async def lived(
    victim: Victim, place: Mountable, counts: int, env: dict[str, str] | None = None
) -> Life:
    """First start, registration, load with large and huge payloads, a backup, a clean stop."""
    disk, phases = place.disk, {}
    with place.mounted():
        began = disk.position
        await victim.start(env)
        await victim.register()
        phases["start"] = (began, disk.position)
        load = HistoricLoad(victim.ingress_port, lambda: disk.position)
        load.start()
        began = disk.position
        await load.answered(counts)
        await load.digested()
        phases["load"] = (began, disk.position)
        began = disk.position
        assert await asyncio.to_thread(rtour, "backup", place.at / BACKUP, victim.data) == ""
        phases["backup"] = (began, disk.position)
        await load.answered(len(load.acks) + counts // 4)
        began = disk.position
        await asyncio.to_thread(victim.stop_server)
        phases["stop"] = (began, disk.position)
        await load.abandon()
    return Life(disk, load.history, phases)


def cuts(life: Life, count: int, random: Random) -> list[Cut]:
    """Some in each phase; of those under load half come right after an answer."""
    chosen = []
    for number in range(count):
        phase = ("start", "load", "backup", "load", "stop", "load")[number % 6]
        position = random.randint(*life.phases[phase])
        if phase == "load" and random.random() < 0.5:
            position = random.choice(life.answers())
        chosen.append(Cut(phase, position, random.choice(list(Keep)), random.getrandbits(32)))
    return chosen


def rtour(command: str, *arguments: Path) -> str:
    """What a command complains of; the last argument is its data folder."""
    *first, data = map(str, arguments)
    words = [str(rtour_binary()), command, *first, "--data", data, "-o", "json"]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=300)
    return "" if done.returncode == 0 else f"{command}: {done.stdout}{done.stderr}"


async def after(
    victim: Victim, place: Mountable, life: Life, cut: Cut
) -> tuple[list[str], Aftermath]:
    """What is wrong with what a power cut left, and who was promised what by then."""
    disk = life.disk.after_cut(cut.position, cut.keep, Random(cut.seed))
    aftermath = Aftermath(life.history, cut.position)
    with place.mounted(disk):
        found = [await asyncio.to_thread(_doctor, victim.data)]
        found.append(await asyncio.to_thread(_backup, place.at, life, cut))
        await victim.start()
        if cut.position < life.phases["start"][1]:
            await victim.register()
        await aftermath.ask_again(victim.ingress_port)
        await asyncio.to_thread(victim.stop_server)
        found += problems(victim.database, victim.effects, aftermath.acks)
    complaints = victim.complaints()
    (victim.folder / "server.log").write_text("")
    return [each for each in [*found, *aftermath.problems, *complaints] if each], aftermath


def _doctor(data: Path) -> str:
    """Whether a data folder that is as the power cut left it is whole."""
    database = data / "rtour.db"
    if not database.exists() or not database.stat().st_size:
        return ""
    return rtour("doctor", data)


def _backup(folder: Path, life: Life, cut: Cut) -> str:
    """A backup is there once somebody was told so, and whole wherever it is there."""
    file = folder / BACKUP
    if not file.exists():
        told = cut.position >= life.phases["backup"][1]
        return "a backup that was made is gone" if told else ""
    return rtour("restore", file, folder / "restored")
