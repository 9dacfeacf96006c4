"""The public API under mypy, strict: users' code is checked as they would check it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

API = Path(__file__).with_name("api.py")


def test_public_types(tmp_path: Path) -> None:
    """Results are inferred, mistakes are found, and no `ignore` is needed but those written."""
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path), str(API)],
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
        cwd=API.parents[2],
    )
    assert done.returncode == 0, done.stdout
