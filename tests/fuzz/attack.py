"""Attacks one target, in this process: `python -m tests.fuzz.attack NAME SECONDS DIR`.

With atheris (libFuzzer for Python) inputs that reach new code are kept and changed further; without
it inputs are mutations of the seeds. Either way failures are written to DIR and the attack goes on.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from random import Random

from tests.fuzz import target as t
from tests.fuzz.findings import Findings
from tests.fuzz.mutation import Mutator

WATCHED = ["rtour", "sqlglot"]
MEMORY_MIB_MAX = 2048
INPUT_S_MAX = 60  # of the wall's clock; of the processor's see `Target.cpu_s_max`


def main(name: str, seconds: str, folder: str) -> None:
    if find_spec("atheris"):
        _guided(name, float(seconds), Path(folder))
    else:
        _blind(name, float(seconds), Path(folder))


def _blind(name: str, seconds: float, folder: Path) -> None:
    target = t.named(name)
    seeds = _seeds(name, target)
    mutator = Mutator(Random(f"{name} {folder}"), target.words, target.json_from)
    until = time.monotonic() + seconds
    with t.opened(target) as check:
        findings = Findings(folder, check)
        while time.monotonic() < until:
            findings.attempt(mutator.mutated(seeds, target.bytes_max))
    print(f"Done {findings.tried} runs in {seconds:g} second(s)", file=sys.stderr)


def _guided(name: str, seconds: float, folder: Path) -> None:
    import atheris

    with atheris.instrument_imports(include=WATCHED):
        target = t.named(name)
    with tempfile.TemporaryDirectory() as temporary, t.opened(target) as check:
        findings = Findings(folder, check)
        folder.mkdir(parents=True, exist_ok=True)
        atheris.Setup(
            _arguments(name, target, seconds, folder, Path(temporary)),
            findings.attempt_guided,
            custom_mutator=_mutations(target, _seeds(name, target)),
        )
        atheris.Fuzz()


def _mutations(target: t.Target, seeds: list[bytes]) -> Callable[[bytes, int, int], bytes]:
    """Our mutations in place of libFuzzer's own: they know JSON, tokens and the target's words."""

    def mutated(data: bytes, bytes_max: int, seed: int) -> bytes:
        mutator = Mutator(Random(seed), target.words, target.json_from)
        return mutator.changed(data, seeds, bytes_max)[:bytes_max]

    return mutated


def _arguments(
    name: str, target: t.Target, seconds: float, folder: Path, temporary: Path
) -> list[str]:
    """LibFuzzer's command line; seeds and words go through files."""
    corpus, words = temporary / "corpus", temporary / "words"
    corpus.mkdir()
    for number, seed in enumerate(_seeds(name, target)):
        (corpus / str(number)).write_bytes(seed)
    quoted = ("".join(f"\\x{byte:02x}" for byte in word) for word in target.words)
    words.write_text("".join(f'"{word}"\n' for word in quoted))
    return [
        name,
        str(corpus),
        f"-max_total_time={int(seconds)}",
        f"-max_len={target.bytes_max}",
        f"-timeout={INPUT_S_MAX}",
        f"-rss_limit_mb={MEMORY_MIB_MAX}",
        f"-artifact_prefix={folder}/",
        *([f"-dict={words}"] if target.words else []),
    ]


def _seeds(name: str, target: t.Target) -> list[bytes]:
    return [*target.seeds(), *(path.read_bytes() for path in t.found(name))]


if __name__ == "__main__":
    main(*sys.argv[1:])
