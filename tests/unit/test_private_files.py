"""Files for their owner alone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rtour.private_files import make_private, write_private


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_private_from_the_first_moment(tmp_path: Path) -> None:
    """Whatever the umask, and whatever was there."""
    before = os.umask(0)
    try:
        path = tmp_path / "deep" / "file"
        write_private(path, b"one")
        assert (mode(path), path.read_bytes()) == (0o600, b"one")
        path.chmod(0o666)
        write_private(path, b"two")
        assert (mode(path), path.read_bytes()) == (0o600, b"two")
        other = tmp_path / "other"
        make_private(other)
        assert mode(other) == 0o600
        other.chmod(0o644)
        other.write_bytes(b"kept")
        make_private(other)
        assert (mode(other), other.read_bytes()) == (0o600, b"kept")
    finally:
        os.umask(before)


def test_links_stay_links(tmp_path: Path) -> None:
    """Configuration is often a link into a checkout; what a planted link names is not written."""
    real, link, victim = (tmp_path / name for name in ("real", "link", "victim"))
    real.write_bytes(b"old")
    link.symlink_to(real)
    victim.write_bytes(b"safe")
    (tmp_path / f".real.{os.getpid()}").symlink_to(victim)
    write_private(link, b"new")
    assert link.is_symlink()
    assert (real.read_bytes(), victim.read_bytes()) == (b"new", b"safe")


def test_a_failure_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And leaves nothing beside it."""
    path = tmp_path / "file"
    write_private(path, b"old")

    def fail(_: Path, __: Path) -> Path:
        raise OSError("disk full")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        write_private(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
