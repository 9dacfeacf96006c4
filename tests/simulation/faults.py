"""What goes wrong in a world, and how often.

Each seed draws its own mix: most kinds of fault are absent, a few are frequent. Mixes find what an
even drizzle of everything does not, since one fault often hides another.
"""

from __future__ import annotations

from random import Random

import msgspec
from msgspec.structs import replace


class Faults(msgspec.Struct, frozen=True):
    """Probabilities at each occasion; `_s` are means of waiting times."""

    # the server's process and its disk
    crash_before_commit: float = 0.0
    crash_after_commit: float = 0.0
    crash_between_actions: float = 0.0
    crash_any_time_s: float = 0.0
    crash_in_checkpoint: float = 0.0
    crash_when_driven: float = 0.0
    commit_fails: float = 0.0
    slow_commit: float = 0.0
    # commands that come twice, at once or late
    doubled_command: float = 0.0
    # between server and services
    refused: float = 0.0
    cut_request: float = 0.0
    cut_response: float = 0.0
    unnoticed: float = 0.0
    """Of the cuts: one side does not hear of it."""
    stalled: float = 0.0
    late: float = 0.0
    doubled_request: float = 0.0
    gateway_error: float = 0.0
    answers_twice: float = 0.0
    # between Kafka and server
    kafka_fails: float = 0.0
    # the services' processes
    dies_after_effect: float = 0.0
    handler_raises: float = 0.0
    # between clients and server
    lost_request: float = 0.0
    lost_reply: float = 0.0
    doubled_call: float = 0.0
    # time
    clock_jump_s: float = 0.0
    driving_s: float = 0.0
    # operators
    meddling_s: float = 0.0


CALM = Faults()

_OFTEN = {
    "crash_before_commit": 0.02,
    "crash_after_commit": 0.02,
    "crash_between_actions": 0.02,
    "crash_any_time_s": 3.0,
    "crash_in_checkpoint": 0.3,
    "crash_when_driven": 0.1,
    "commit_fails": 0.01,
    "slow_commit": 0.05,
    "doubled_command": 0.15,
    "refused": 0.1,
    "cut_request": 0.1,
    "cut_response": 0.15,
    "unnoticed": 0.5,
    "stalled": 0.03,
    "late": 0.1,
    "doubled_request": 0.1,
    "gateway_error": 0.05,
    "answers_twice": 0.1,
    "kafka_fails": 0.2,
    "dies_after_effect": 0.1,
    "handler_raises": 0.1,
    "lost_request": 0.1,
    "lost_reply": 0.1,
    "doubled_call": 0.1,
    "clock_jump_s": 10.0,
    "driving_s": 0.4,
    "meddling_s": 2.0,
}


def drawn(random: Random) -> Faults:
    """A mix: each kind is there in two of five worlds, at a strength of its own."""
    chosen = {
        name: often * random.choice((0.3, 1.0, 2.0))
        for name, often in _OFTEN.items()
        if random.random() < 0.4
    }
    return replace(CALM, **chosen)
