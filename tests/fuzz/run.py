"""Fuzzing for as long as one likes: `nox -s fuzz -- --seconds 300 [target …]`.

Each target is attacked in a process of its own for that many seconds, one after the other. What
breaks a promise is kept in --into (default: .fuzz), told at the end, and makes the exit code 1.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path

import msgspec

from tests.fuzz import target as t

START_S_MAX = 600  # on a busy machine watching the imports takes minutes


class Result(msgspec.Struct, frozen=True):
    """What an attack came to. `covered` counts branches, if the attack was guided."""

    target: str
    tried: int | None
    covered: int | None
    findings: tuple[Path, ...]
    ended: str


def main(arguments: list[str]) -> int:
    options = _options(arguments)
    results = [_attacked(name, options.seconds, options.into) for name in options.targets]
    print(f"\n{'target':<16} {'inputs':>9} {'branches':>9} {'findings':>9}")
    for result in results:
        print(
            f"{result.target:<16} {_shown(result.tried):>9} {_shown(result.covered):>9} "
            f"{len(result.findings):>9}  {result.ended}"
        )
    for result in results:
        for finding in result.findings:
            print(f"\n{finding}: {_story(finding)}")
    return any(result.findings or result.ended for result in results)


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="nox -s fuzz --", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="target", help=", ".join(t.names()))
    parser.add_argument("--seconds", type=int, default=60, help="for each target (default: 60)")
    parser.add_argument("--into", type=Path, default=Path(".fuzz"), help="folder for findings")
    options = parser.parse_args(arguments)
    unknown = set(options.targets) - set(t.names())
    if unknown:
        parser.error(f"no target {', '.join(unknown)}; there are {', '.join(t.names())}")
    options.targets = options.targets or t.names()
    return options


def _attacked(name: str, seconds: int, into: Path) -> Result:
    folder = into / name
    before = set(folder.glob("*"))
    print(f"{name} …", flush=True)
    words = [sys.executable, "-m", "tests.fuzz.attack", name, str(seconds), str(folder)]
    ended = ""
    try:
        done = subprocess.run(
            words, capture_output=True, timeout=seconds + START_S_MAX, check=False
        )
        said = done.stderr.decode(errors="replace")
        if done.returncode:
            ended = f"ended with {done.returncode}: {(said.strip().splitlines() or [''])[-1]}"
    except subprocess.TimeoutExpired as error:
        said = (error.stderr or b"").decode(errors="replace")
        ended = "did not end"
    tried = re.findall(r"^Done (\d+) runs", said, re.MULTILINE)
    covered = re.findall(r"\bcov: (\d+)", said)
    new = sorted(set(folder.glob("*")) - before)
    return Result(
        name,
        int(tried[-1]) if tried else None,
        int(covered[-1]) if covered else None,
        # Slow by the wall's clock is the machine's affair: `Target.cpu_s_max` is ours.
        tuple(path for path in new if path.suffix != ".txt" and "slow-unit" not in path.name),
        ended,
    )


def _shown(number: int | None) -> str:
    return "-" if number is None else f"{number:,}"


def _story(finding: Path) -> str:
    story = finding.with_name(f"{finding.name}.txt")
    return story.read_text().strip().splitlines()[-1] if story.is_file() else "see libFuzzer's log"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
