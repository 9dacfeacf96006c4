"""The same scenarios on the official server and on rtour see the same things."""

from __future__ import annotations

from fnmatch import fnmatchcase

import pytest
from _pytest.mark import ParameterSet

from tests.conformance import recordings
from tests.conformance.conftest import Observed
from tests.conformance.endpoints import SETUPS, Setup
from tests.conformance.known_differences import ACCEPTED, Accepted, differences
from tests.conformance.observation import Observation
from tests.conformance.scenarios.catalogue import Scenario, load
from tests.conformance.servers import Kind
from tests.conformance.sites import marks
from tests.conformance.unplayable import UNPLAYABLE

SCENARIOS = load()
RECORDED: dict[Setup, dict[str, Observation]] = {setup: recordings.load(setup) for setup in SETUPS}


def _cases(kind: Kind) -> list[ParameterSet]:
    return [
        _case(kind, setup, each)
        for setup in SETUPS
        for each in SCENARIOS.values()
        if setup in each.setups
    ]


def _case(kind: Kind, setup: Setup, scenario: Scenario) -> ParameterSet:
    name = scenario.name
    return pytest.param(kind, setup, name, marks=marks(kind, setup), id=f"{setup}-{name}")


@pytest.mark.parametrize(("kind", "setup", "scenario"), _cases("official"))
def test_official_as_recorded(
    kind: Kind, setup: Setup, scenario: str, observed: Observed, request: pytest.FixtureRequest
) -> None:
    """The official server still does what the recording says."""
    outcome = observed(kind, setup)[scenario]
    assert outcome.failure is None, outcome.failure
    if request.config.getoption("--record"):
        recordings.save(setup, {scenario: outcome.observation})
        return
    assert scenario in RECORDED[setup], "not recorded yet: run once with --record"
    found = differences(scenario, outcome.observation, RECORDED[setup][scenario])
    assert not found, "now / recorded:\n" + "\n".join(map(str, found))


@pytest.mark.parametrize(("kind", "setup", "scenario"), _cases("rtour"))
def test_rtour_as_recorded(kind: Kind, setup: Setup, scenario: str, observed: Observed) -> None:
    """Rtour does what the official server was recorded to do, or differs as listed."""
    outcome = observed(kind, setup)[scenario]
    assert outcome.failure is None, outcome.failure
    found = differences(scenario, RECORDED[setup][scenario], outcome.observation)
    unlisted = [each for each in found if not any(a.matches(each, setup) for a in ACCEPTED)]
    assert not unlisted, "\n".join(map(str, unlisted))


@pytest.mark.parametrize("accepted", ACCEPTED, ids=lambda each: f"{each.scenario} {each.path}")
def test_known_differences_are_current(accepted: Accepted, observed: Observed) -> None:
    """Every listed difference still exists."""
    setup: Setup = accepted.setup or "python"
    outcomes = observed("rtour", setup)
    matching = [name for name in SCENARIOS if fnmatchcase(name, accepted.scenario)]
    if not set(matching) <= set(outcomes):
        pytest.skip("only some scenarios were selected")
    found = [
        difference
        for name in matching
        for difference in differences(name, RECORDED[setup][name], outcomes[name].observation)
    ]
    assert any(accepted.matches(each, setup) for each in found), f"gone: {accepted.reason}"


def test_what_an_sdk_cannot_do_is_a_scenario() -> None:
    """Each entry of `UNPLAYABLE` leaves out a scenario that the other SDKs play."""
    left_out = {(setup, name) for setup, each in UNPLAYABLE.items() for name in each}
    assert all(len(SCENARIOS[name].setups) >= 2 for _, name in left_out)
    assert not any(setup in SCENARIOS[name].setups for setup, name in left_out)


def test_there_are_enough_scenarios() -> None:
    """The catalogue keeps its breadth, and each scenario says what it shows."""
    assert len(SCENARIOS) >= 60
    assert all(each.play.__doc__ for each in SCENARIOS.values())
