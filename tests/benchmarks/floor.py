"""The least a durable call can take here: two syncs, and two loopback round trips.

    python -m tests.benchmarks.floor [FOLDER]

What is accepted is synced before it runs, what came of it before it is answered. The client asks
the server, the server asks the service. Nothing faster is possible without giving up a promise; the
rest of a no-op's time is work.
"""

from __future__ import annotations

import os
import socket
import sys
import tempfile
import threading
from pathlib import Path
from statistics import median
from time import perf_counter

PAGE = 4096
TIMES = 2_000


def sync_s(folder: Path, times: int = TIMES) -> list[float]:
    """Seconds of single writes of a page at the end of a file, each with its fdatasync."""
    taken = []
    with tempfile.NamedTemporaryFile(dir=folder) as file:
        for number in range(times):
            began = perf_counter()
            os.pwrite(file.fileno(), b"x" * PAGE, number * PAGE)
            os.fdatasync(file.fileno())
            taken.append(perf_counter() - began)
    return taken


def round_trip_s(times: int = TIMES) -> list[float]:
    """Seconds of single round trips of 100 bytes over a loopback TCP connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        echo = threading.Thread(target=_echo, args=(listener,), daemon=True)
        echo.start()
        taken = []
        with socket.create_connection(listener.getsockname()) as client:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for _ in range(times):
                began = perf_counter()
                client.sendall(b"x" * 100)
                client.recv(PAGE)
                taken.append(perf_counter() - began)
        echo.join()
    return taken


def _echo(listener: socket.socket) -> None:
    peer, _ = listener.accept()
    with peer:
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while data := peer.recv(PAGE):
            peer.sendall(data)


def main() -> None:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.gettempdir())
    sync, trip = median(sync_s(folder)) * 1e6, median(round_trip_s()) * 1e6
    print(f"write and sync a page   {sync:7.0f} µs")
    print(f"loopback round trip     {trip:7.0f} µs")
    print(f"two of each             {2 * (sync + trip):7.0f} µs")


if __name__ == "__main__":
    main()
