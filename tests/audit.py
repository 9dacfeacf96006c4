"""Known vulnerabilities of what is installed here: `nox -s audit`.

pip-audit says "No known vulnerabilities found" also where it reaches no data about any: behind a
mirror, or without a network. So a canary goes first, a release with vulnerabilities that everybody
knows. If it is not reported there is nothing to go by, and the audit did not take place.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

CANARY = "jinja2==2.4.1"  # CVE-2014-1402 and five more
NOT_AUDITED = 77
REACH_WITHIN_S, DONE_WITHIN_S = 15, 300
USUAL = ("--format", "json", "--progress-spinner", "off", "--timeout", str(REACH_WITHIN_S))


class Vulnerability(msgspec.Struct):
    id: str
    fix_versions: list[str] = []


class Dependency(msgspec.Struct):
    """What pip-audit says of one; with a `skip_reason` it was not looked up."""

    name: str
    version: str = ""
    vulns: list[Vulnerability] = []
    skip_reason: str | None = None


class Report(msgspec.Struct):
    dependencies: list[Dependency]


# Arguments in, pip-audit's JSON out; no bytes if it did not come to an end.
PipAudit = Callable[[Sequence[str]], bytes]


def pip_audit(arguments: Sequence[str]) -> bytes:
    """The real one."""
    words = [sys.executable, "-m", "pip_audit", *USUAL, *arguments]
    try:
        done = subprocess.run(words, capture_output=True, timeout=DONE_WITHIN_S, check=False)
    except subprocess.TimeoutExpired:
        return b""
    return done.stdout


def is_canary_known(run: PipAudit) -> bool:
    """Whether there is data: the vulnerable release is reported as such."""
    with tempfile.TemporaryDirectory() as folder:
        requirements = Path(folder) / "canary.txt"
        requirements.write_text(f"{CANARY}\n")
        report = _report(run(("--no-deps", "--disable-pip", "--requirement", str(requirements))))
    return report is not None and any(each.vulns for each in report.dependencies)


def main(run: PipAudit = pip_audit) -> int:
    """0: nothing is known against what is installed; 1: something is; 77: nobody looked."""
    if not is_canary_known(run):
        print(
            f"not audited: {CANARY}, which is known to be vulnerable, is not reported here. The "
            "vulnerability data of PyPI cannot be reached, or pip-audit is not installed"
        )
        return NOT_AUDITED
    report = _report(run(("--local", "--skip-editable")))
    if report is None:
        print("not audited: pip-audit did not come to an end")
        return NOT_AUDITED
    for each in report.dependencies:
        for found in each.vulns:
            fixed = ", ".join(found.fix_versions) or "no version yet"
            print(f"{each.name} {each.version}: {found.id}, fixed in {fixed}")
        if each.skip_reason:
            print(f"{each.name}: not looked up: {each.skip_reason}")
    looked_up = [each for each in report.dependencies if each.skip_reason is None]
    print(f"{len(looked_up)} of {len(report.dependencies)} packages were looked up")
    if not looked_up:
        print("not audited: none of them was")
        return NOT_AUDITED
    return int(any(each.vulns for each in looked_up))


def _report(said: bytes) -> Report | None:
    try:
        return msgspec.json.decode(said, type=Report)
    except msgspec.DecodeError:
        return None


if __name__ == "__main__":
    sys.exit(main())
