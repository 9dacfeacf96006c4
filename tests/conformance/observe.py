"""Run scenarios by hand: `python -m tests.conformance.observe official python ingress_`."""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import cast

from tests.conformance.endpoints import Setup
from tests.conformance.scenarios.catalogue import Outcome, load, play_all
from tests.conformance.servers import Kind
from tests.conformance.sites import site


async def observe(kind: Kind, setup: Setup, names: list[str], folder: Path) -> dict[str, Outcome]:
    """What these scenarios see on a fresh site."""
    async with site(kind, setup, folder) as here:
        return await play_all(here, names)


def main() -> None:
    kind, setup, *patterns = sys.argv[1:]
    names = [
        name
        for name, each in load().items()
        if setup in each.setups and any(pattern in name for pattern in patterns or [""])
    ]
    started = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="conformance-"))
    outcomes = asyncio.run(observe(cast("Kind", kind), cast("Setup", setup), names, folder))
    for name, outcome in sorted(outcomes.items()):
        print(f"=== {name}")
        for step, seen in outcome.observation.items():
            print(f"{step}: {json.dumps(seen, ensure_ascii=False)}")
        if outcome.failure:
            print(f"!!! {outcome.failure}")
    failed = [name for name, outcome in outcomes.items() if outcome.failure]
    print(f"{len(outcomes)} scenarios in {time.monotonic() - started:.1f} s; failed: {failed}")
    print(f"logs in {folder}")


if __name__ == "__main__":
    main()
