"""What the official server was seen to do, kept as JSON beside the tests, one file per SDK.

With the recording at hand, rtour is compared without npm; the oracle tests check that the recording
still tells the truth, and `pytest --record` writes it anew.
"""

from __future__ import annotations

import json
from pathlib import Path

from tests.conformance.endpoints import Setup
from tests.conformance.observation import Observation

FOLDER = Path(__file__).resolve().parent / "recorded"


def load(setup: Setup) -> dict[str, Observation]:
    path = FOLDER / f"{setup}.json"
    recorded: dict[str, Observation] = json.loads(path.read_text()) if path.exists() else {}
    return recorded


def save(setup: Setup, observations: dict[str, Observation]) -> None:
    """Keep these beside what was recorded of others; one line per step, for readable diffs."""
    merged = dict(sorted({**load(setup), **observations}.items()))
    scenarios = [f"{json.dumps(name)}: {_steps(seen)}" for name, seen in merged.items()]
    (FOLDER / f"{setup}.json").write_text("{\n" + ",\n".join(scenarios) + "\n}\n")


def _steps(seen: Observation) -> str:
    lines = [f"  {json.dumps(step)}: {json.dumps(each)}" for step, each in seen.items()]
    return "{\n" + ",\n".join(lines) + "\n}" if lines else "{}"
