"""Combinators, under the official SDK's module name."""

from rtour.sdk.combinators import (
    all_succeeded,
    any_succeeded,
    as_completed,
    gather,
    race,
    select,
    wait_completed,
)

__all__ = [
    "all_succeeded",
    "any_succeeded",
    "as_completed",
    "gather",
    "race",
    "select",
    "wait_completed",
]
