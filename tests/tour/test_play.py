"""The whole tour, played as a learner would: each check fails before the exercise and passes after.

Every command that a lesson prints is run on the way. Takes a minute or two: `nox -s tour`.
"""

from __future__ import annotations

import pytest

from tour.guide.guide import Guide, Ran
from tour.guide.lesson import Lesson
from tour.guide.verdict import Verdict

pytestmark = pytest.mark.slow

# Nothing is to be written in these: whoever has come so far finds them passing.
NOTHING_TO_WRITE = {"crashing", "recap"}


async def test_the_skeleton_passes_no_exercise(guide: Guide) -> None:
    """Whoever has registered the skeleton and done nothing else passes the first lesson only."""
    async with guide.open():
        await guide.solve(guide.lessons[0])
        passed = [each.slug for each in guide.lessons if (await guide.check(each)).passed]
    assert passed == ["getting-started"]


async def test_a_learner_plays_it_to_the_end(guide: Guide) -> None:
    """Unsolved, then solved, lesson after lesson; the engine and the service crash on the way."""
    async with guide.open():
        for lesson in guide.lessons:
            before = await guide.check(lesson)
            assert before.passed == (lesson.slug in NOTHING_TO_WRITE), lesson.slug
            assert before.passed or (before.expected and before.seen), lesson.slug
            ran = await guide.solve(lesson)
            assert _failed(ran) == [], lesson.slug
            after = await guide.check(lesson)
            assert after.passed, _story(lesson, after)
            assert guide.current is (guide.neighbour(lesson, 1) or lesson)
    assert guide.progress.done == [lesson.slug for lesson in guide.lessons]


def _failed(ran: list[Ran]) -> list[Ran]:
    return [each for each in ran if each.code != 0]


def _story(lesson: Lesson, verdict: Verdict) -> str:
    return f"{lesson.slug}: expected {verdict.expected}, seen {verdict.seen}, {verdict.done}"


async def test_code_that_does_not_start_is_a_finding(guide: Guide) -> None:
    """A syntax error is shown by the check, and the service comes back when it is mended."""
    cart = guide.folder / "app" / "cart_object.py"
    whole = cart.read_text()
    async with guide.open():
        await guide.solve(guide.lessons[0])
        cart.write_text("def (:\n")
        verdict = await guide.check(guide.lessons[0])
        assert verdict.expected == "your service starts"
        assert "SyntaxError" in str(verdict.seen)
        cart.write_text(whole)
        assert (await guide.check(guide.lessons[0])).passed


async def test_another_command_joins_the_tour_that_runs(guide: Guide) -> None:
    """`rtour tour check` in a second terminal uses the engine of the first."""
    async with guide.open():
        await guide.solve(guide.lessons[0])
        ran = await guide.run(f"rtour tour --folder {guide.folder} check 1 -o json")
    assert (ran.code, '"passed": true' in ran.output) == (0, True), ran.output
