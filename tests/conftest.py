"""Options that tests of several rooms share."""

from __future__ import annotations

import hypothesis
import pytest

# These machines are shared: how long an example takes says nothing.
hypothesis.settings.register_profile("house", deadline=None)
hypothesis.settings.load_profile("house")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--rewrite", action="store_true", help="rewrite scripts and snapshots; review the diff"
    )


@pytest.fixture
def rewrite(request: pytest.FixtureRequest) -> bool:
    """Whether recorded text is to be written anew instead of compared."""
    return bool(request.config.getoption("--rewrite"))
