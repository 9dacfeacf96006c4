"""The server takes all file descriptors that it may have."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]

RAISED = """
import logging, resource
logging.basicConfig(level=logging.DEBUG, format="%(message)s")
from rtour.server.descriptors import raise_limit
{before}
print(raise_limit(), *resource.getrlimit(resource.RLIMIT_NOFILE))
"""


def child(before: str) -> tuple[str, str]:
    """What a process of its own prints and logs, whose limits were set like this."""
    done = subprocess.run(
        [sys.executable, "-c", RAISED.format(before=before)],
        check=True,
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
    )
    return done.stdout.strip(), done.stderr.strip()


def test_the_soft_limit_is_raised_to_the_hard_one() -> None:
    """And the log says so, for those who look closely."""
    said, logged = child("resource.setrlimit(resource.RLIMIT_NOFILE, (64, 200))")
    assert said == "200 200 200"
    assert logged == "File descriptors: up to 200, it was 64"


def test_a_hard_limit_is_respected() -> None:
    """It is there because somebody wants it; nothing is said of it."""
    said, logged = child("resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))")
    assert said == "100 100 100"
    assert logged == ""


def test_a_refusal_leaves_things_as_they_were() -> None:
    """Where the system says no, the server starts all the same."""
    refuse = (
        "resource.setrlimit(resource.RLIMIT_NOFILE, (64, 200))\n"
        "def refuse(*_): raise ValueError('current limit exceeds maximum limit')\n"
        "resource.setrlimit = refuse"
    )
    said, logged = child(refuse)
    assert said == "64 64 200"
    assert logged.startswith("File descriptors stay limited to 64: current limit")
