"""The audit of dependencies never says that all is well when nobody looked."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from tests import audit

KNOWN = {"name": "jinja2", "version": "2.4.1", "vulns": [{"id": "CVE-2014-1402"}]}
SKIPPED = {"name": "jinja2", "skip_reason": "Dependency not found on PyPI"}
SOUND = {"name": "httpx", "version": "1.0", "vulns": []}
BROKEN = {"name": "h2", "version": "1", "vulns": [{"id": "GHSA-1", "fix_versions": ["2"]}]}


def report(*dependencies: dict[str, object]) -> bytes:
    return json.dumps({"dependencies": dependencies, "fixes": []}).encode()


@pytest.mark.parametrize(
    ("canary", "installed", "code", "words"),
    [
        (report(KNOWN), report(SOUND), 0, "1 of 1 packages were looked up"),
        (report(KNOWN), report(SOUND, BROKEN), 1, "h2 1: GHSA-1, fixed in 2"),
        (report(KNOWN), report(SOUND, SKIPPED), 0, "jinja2: not looked up: Dependency not found"),
        (report(KNOWN), report(SKIPPED), audit.NOT_AUDITED, "0 of 1"),
        (report(KNOWN), b"", audit.NOT_AUDITED, "did not come to an end"),
        (report(SKIPPED), report(SOUND), audit.NOT_AUDITED, "is not reported here"),
        (report(KNOWN | {"vulns": []}), report(SOUND), audit.NOT_AUDITED, "is not reported here"),
        (report(), report(SOUND), audit.NOT_AUDITED, "is not reported here"),
        (b"", report(SOUND), audit.NOT_AUDITED, "is not reported here"),
        (b"Traceback", report(SOUND), audit.NOT_AUDITED, "is not reported here"),
    ],
)
def test_the_verdict(
    capsys: pytest.CaptureFixture[str], canary: bytes, installed: bytes, code: int, words: str
) -> None:
    """Only what was looked up counts, and only where the canary is known."""

    def pip_audit(arguments: Sequence[str]) -> bytes:
        return canary if "--requirement" in arguments else installed

    assert audit.main(pip_audit) == code
    assert words in capsys.readouterr().out
