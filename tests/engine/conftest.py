from __future__ import annotations

import pytest

from rtour.engine import waiting


@pytest.fixture
def few_in_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """Most who wait for an invocation have rows of their own."""
    monkeypatch.setattr(waiting, "SINKS_IN_ROW", 2)
