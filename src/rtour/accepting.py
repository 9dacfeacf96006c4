"""The connections that wait at a port, taken in one turn of the event loop.

uvloop accepts one in each turn. Under load, when turns are long, all others would wait for as many
turns as there are before them: 200 at once, with turns of 5 ms, for a second.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable, Iterator


class Queue:
    """What waits on sockets that a loop accepts from; `at_once` of each are taken in a turn."""

    def __init__(self, listening: Iterable[socket.socket], at_once: int) -> None:
        self._listening = [_shared(each) for each in listening]
        self._at_once = at_once

    def rest(self) -> Iterator[socket.socket]:
        """Accept what waits behind the one that the loop accepted just now."""
        for listening in self._listening:
            for _ in range(self._at_once):
                try:
                    accepted, _ = listening.accept()
                except OSError:  # nobody else waits; or what is wrong, the loop will find, too
                    break
                accepted.setblocking(False)
                accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                yield accepted

    def close(self) -> None:
        for listening in self._listening:
            listening.close()
        self._listening = []


def _shared(listening: socket.socket) -> socket.socket:
    """A socket of our own on the same queue of connections; loops hand out none to accept from."""
    shared = socket.socket(listening.family, listening.type, fileno=os.dup(listening.fileno()))
    shared.setblocking(False)
    return shared
