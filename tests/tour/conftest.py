"""A learner's folder, and the tour open on it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tour.guide.guide import Guide

ROOT = Path(__file__).parents[2]
TOUR = ROOT / "tour"
LEARNERS = ("__init__.py", "app", "auxiliary")


def write_out(folder: Path) -> Path:
    """What `rtour tour` writes for a learner, without the solutions."""
    folder.mkdir(parents=True)
    for part in LEARNERS:
        source = TOUR / part
        if source.is_dir():
            shutil.copytree(source, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(source, folder / part)
    return folder


@pytest.fixture
def guide(tmp_path: Path) -> Guide:
    """A guide on a fresh folder; nothing runs before it is opened."""
    return Guide(TOUR, write_out(tmp_path / "tour"), random_ports=True)


@pytest.fixture
def make_guide(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Guide]:
    """Guides on folders of their own."""

    def make(**options: bool) -> Guide:
        folder = write_out(tmp_path_factory.mktemp("learner") / "tour")
        return Guide(TOUR, folder, random_ports=True, **options)

    return make
