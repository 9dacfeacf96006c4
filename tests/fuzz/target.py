"""What is attacked: a promise about all inputs, and the inputs to begin with.

A target's `check` takes any bytes and raises where the promise does not hold. It is the same for
the tests, for mutation without guidance, and for a fuzzer that is guided by coverage.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from importlib import import_module
from pathlib import Path

import msgspec

Check = Callable[[bytes], None]
FOUND = Path(__file__).parent / "found"


class TooSlow(AssertionError):  # noqa: N818
    """An input took more of the processor's time than any of its length may."""


class Target(msgspec.Struct, frozen=True):
    """`opened` sets up what is attacked, and yields the check."""

    promise: str
    seeds: Callable[[], list[bytes]]
    opened: Callable[[], AbstractContextManager[Check]]
    words: tuple[bytes, ...] = ()
    """What inputs are made of, for the mutator."""
    json_from: int | None = None
    """Where JSON begins in an input, if any does."""
    examples: int = 150
    """How many mutations the default tests try."""
    cpu_s_max: float = 2.0
    """What one input may cost."""
    bytes_max: int = 4096


def named(name: str) -> Target:
    """The target of a module; it is imported only now, so that a fuzzer can watch its imports."""
    target: Target = import_module(f"tests.fuzz.targets.{name}").TARGET
    return target


def names() -> list[str]:
    folder = Path(__file__).parent / "targets"
    return sorted(file.stem for file in folder.glob("*.py") if file.stem != "__init__")


def found(name: str) -> list[Path]:
    """Inputs that once broke the promise of a target."""
    return sorted(path for path in (FOUND / name).glob("*") if path.is_file())


@contextmanager
def opened(target: Target) -> Iterator[Check]:
    """The check of a target, within its time: TooSlow comes from wherever it is by then."""

    def stop(*_: object) -> None:
        raise TooSlow(f"more than {target.cpu_s_max:g} s of the processor for one input")

    before = signal.signal(signal.SIGVTALRM, stop)
    try:
        with target.opened() as check:

            def timed(data: bytes) -> None:
                signal.setitimer(signal.ITIMER_VIRTUAL, target.cpu_s_max)
                try:
                    check(data)
                finally:
                    signal.setitimer(signal.ITIMER_VIRTUAL, 0)

            yield timed
    finally:
        signal.signal(signal.SIGVTALRM, before)
