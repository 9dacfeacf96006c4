"""What is asked of every system: the same requests, whoever answers them."""

from __future__ import annotations

import msgspec

FEW, MANY = (1, 64), (64,)
PEERS_SHARE = 8


class Fixed(msgspec.Struct, frozen=True):
    """So many requests in all, whatever time they take: what is heavy, or answered before done."""

    least: int
    per_connection: int

    def requests(self, connections: int) -> int:
        return max(self.least, self.per_connection * connections)


class Workload(msgspec.Struct, frozen=True):
    """POST `path` with a text of `payload` bytes; `{key}` becomes one of `keys` names, in turn.

    One request leads to `invocations` invocations. `deferred` requests are answered when they are
    accepted: such a load is over when its no-ops have run. `prepare` is sent once to each key.
    `peers` are the numbers of connections at which DBOS and Temporal are asked, too, where they
    have a counterpart; of a fixed number of requests they get an eighth, since they take longer.
    """

    name: str
    path: str
    payload: int = 1
    keys: int = 1
    invocations: int = 1
    connections: tuple[int, ...] = FEW
    fixed: Fixed | None = None
    deferred: bool = False
    prepare: str | None = None
    peers: tuple[int, ...] = ()

    def requests(self, connections: int, *, peer: bool) -> int | None:
        """How many there are in all; None if a time bounds the load."""
        if self.fixed is None:
            return None
        requests = self.fixed.requests(connections)
        return max(requests // PEERS_SHARE, connections) if peer else requests


WORKLOADS = (
    Workload("no-op", "/Bench/noop", connections=(1, 16, 64, 256), peers=FEW),
    Workload("keyed counter", "/Counter/{key}/add", keys=64, peers=FEW),
    Workload("three steps", "/Bench/three", peers=FEW),
    Workload("nine steps", "/Bench/nine", peers=FEW),
    Workload("call chain of 3", "/Bench/chain", invocations=3, peers=FEW),
    Workload("fan-out of 100", "/Bench/fan", invocations=101, fixed=Fixed(4, 1), peers=(1,)),
    Workload(
        *("one-way sends", "/Bench/noop/send"),
        connections=MANY,
        fixed=Fixed(300, 32),
        deferred=True,
        peers=MANY,
    ),
    Workload(
        *("delayed sends", "/Bench/noop/send?delay=100ms"),
        connections=MANY,
        fixed=Fixed(300, 32),
        deferred=True,
        peers=MANY,
    ),
    Workload(
        *("state of 1 MB", "/Big/{key}/touch"),
        keys=64,
        connections=MANY,
        fixed=Fixed(20, 4),
        prepare="/Big/{key}/fill",
        peers=MANY,
    ),
    Workload("payload of 1 kB", "/Bench/noop", 1_000, connections=MANY, peers=MANY),
    Workload(
        *("payload of 1 MB", "/Bench/noop", 1_000_000),
        connections=MANY,
        fixed=Fixed(20, 4),
        peers=MANY,
    ),
    Workload("hot key", "/Counter/{key}/add", connections=MANY, peers=MANY),
    Workload("2,000 keys", "/Counter/{key}/add", keys=2_000, connections=MANY, peers=MANY),
)


class Cell(msgspec.Struct, frozen=True):
    """One workload at one number of connections."""

    workload: Workload
    connections: int

    @property
    def name(self) -> str:
        return f"{self.workload.name}, {self.connections} conn."


def cells(only: list[str] | None, connections: list[int] | None) -> list[Cell]:
    """Those whose name contains one of `only`, at the given numbers of connections or their own."""
    return [
        cell
        for workload in WORKLOADS
        for number in connections or workload.connections
        for cell in [Cell(workload, number)]
        if only is None or any(part in cell.name for part in only)
    ]
