"""What a set of processes costs, read from the kernel: CPU time, bytes written, memory, syncs.

CPU time comes from the processes' own clocks, which count nanoseconds where /proc counts ticks of
10 ms. Bytes written are those that the kernel was asked to bring to the disk (`write_bytes`): a
file system that writes more because of its own journal is not blamed on anybody.

Syncs are counted by `perf stat` on the entries of the system calls, which slows nothing down. A
program that asks for durable writes without such a call (`O_DSYNC`) would show as zero.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Self

import msgspec

CPUCLOCK_SCHED = 2  # linux/posix-timers.h
PATIENCE_S = 60  # of perf, which gathers what each thread has counted
SYNCS = ("fsync", "fdatasync", "msync", "sync_file_range", "syncfs", "sync")


class Reading(msgspec.Struct, frozen=True):
    """Totals since the processes started."""

    cpu_s: float
    written_bytes: int

    def since(self, earlier: Reading) -> Reading:
        return Reading(self.cpu_s - earlier.cpu_s, self.written_bytes - earlier.written_bytes)


NOTHING = Reading(0.0, 0)


class Family:
    """A process with all its descendants."""

    def __init__(self, pid: int) -> None:
        self._pid = pid

    def pids(self) -> list[int]:
        return _with_descendants(self._pid)

    def read(self) -> Reading:
        pids = self.pids()
        return Reading(
            sum(time.clock_gettime((~pid << 3) | CPUCLOCK_SCHED) for pid in pids),
            sum(_field(f"/proc/{pid}/io", "write_bytes") for pid in pids),
        )

    def resident_mb(self) -> float:
        """Memory in use; pages that several processes share count once."""
        return sum(_field(f"/proc/{pid}/smaps_rollup", "Pss") for pid in self.pids()) * 1024 / 1e6

    def freeze(self) -> None:
        for pid in self.pids():
            os.kill(pid, signal.SIGSTOP)

    def thaw(self) -> None:
        for pid in self.pids():
            os.kill(pid, signal.SIGCONT)


def _with_descendants(pid: int) -> list[int]:
    children: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # threads come and go
            children += map(int, (task / "children").read_text().split())
    return [pid, *(each for child in children for each in _with_descendants(child))]


def _field(path: str, name: str) -> int:
    for line in Path(path).read_text().splitlines():
        field, _, value = line.partition(":")
        if field == name:
            return int(value.split()[0])
    raise AssertionError(f"{path} has no {name}")


def resident_mb(families: list[Family]) -> float:
    """Of several families together."""
    return sum(family.resident_mb() for family in families)


class SyncCounter:
    """Counts the syncs of a family between `__enter__` and `__exit__`; None where perf cannot."""

    def __init__(self, family: Family) -> None:
        self._family = family
        self.count: int | None = None

    def __enter__(self) -> Self:
        events = ",".join(f"syscalls:sys_enter_{name}" for name in SYNCS)
        pids = ",".join(map(str, self._family.pids()))
        command = ["perf", "stat", "-x,", "-e", events, "-p", pids, "--control", "fd:0,1"]
        try:
            self._perf = subprocess.Popen(
                [*command, "-D", "-1"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
        except FileNotFoundError:
            self._perf = None
            return self
        self._say(b"enable\n")
        return self

    def _say(self, word: bytes) -> None:
        """Ask perf, and wait until it has done so; it says nothing where it may not count."""
        assert self._perf is not None
        with contextlib.suppress(BrokenPipeError):
            self._perf.stdin.write(word)
            self._perf.stdin.flush()
            self._perf.stdout.readline()

    def __exit__(self, *_: object) -> None:
        if self._perf is None:
            return
        if self._perf.poll() is None:
            self._say(b"disable\n")
            self._perf.send_signal(signal.SIGINT)
        said = self._perf.communicate(timeout=PATIENCE_S)[1].decode()
        counts = [line.split(",")[0] for line in said.splitlines() if "sys_enter_" in line]
        if counts and all(count.isdecimal() for count in counts):
            self.count = sum(map(int, counts))
