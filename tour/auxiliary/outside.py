"""The world outside the engine, pretended with files: it outlives a crash of the service.

`<kind>.jsonl` holds what has happened, one JSON object a line. An empty file named after an order,
such as `cards-declined`, is an order to the pretended world; `payments-to-fail` holds a number.
"""

import asyncio
import json
import os
from pathlib import Path
from typing import Any

FOLDER = Path(os.environ.get("TOUR_OUTSIDE") or Path(__file__).parents[1] / "outside")


def note(kind: str, **facts: Any) -> None:
    """Something has happened."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (FOLDER / f"{kind}.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(facts) + "\n")


def note_once(kind: str, name: str, **facts: Any) -> None:
    """The same, but only for the first of that name: how a provider tells repeated requests."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    try:
        (FOLDER / f"{kind}-{name}").touch(exist_ok=False)
    except FileExistsError:
        return
    note(kind, name=name, **facts)


def ordered(order: str) -> bool:
    """Whether somebody has put this order in the folder."""
    return (FOLDER / order).is_file()


async def while_ordered(order: str) -> None:
    """Takes its time, until the order is taken back."""
    while ordered(order):  # noqa: ASYNC110 - nobody tells when a file goes
        await asyncio.sleep(0.05)


def count_down(order: str) -> bool:
    """Takes one from the number in the order's file; false when there is none left."""
    file = FOLDER / order
    left = int(file.read_text("utf-8").strip() or 0) if file.is_file() else 0
    if left > 0:
        file.write_text(str(left - 1), "utf-8")
    return left > 0
