"""What learners get wrong is caught, and the verdict names the cause."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress

import pytest

from rtour.client import Client, Conflict
from tests.tour.wrong_beyond import BEYOND
from tests.tour.wrong_courses import COURSES, FIRST_STEPS, REGISTER, Course, Put, Until
from tests.tour.wrong_habits import HABITS
from tests.tour.wrong_solutions import WRONG, Wrong
from tour.guide.guide import Guide
from tour.guide.lesson import addressed, commands, placed
from tour.guide.verdict import Verdict
from tour.lessons import LESSONS

PATIENCE_S = 20.0
PATIENCE_WITH_HABITS_S = 4.0


def test_every_lesson_has_wrong_solutions() -> None:
    """At least three each, all of them different."""
    wrong = [
        (each.lesson, each.name) for each in (*WRONG, *BEYOND, *HABITS, *FIRST_STEPS, *COURSES)
    ]
    assert len(set(wrong)) == len(wrong)
    count = Counter(lesson for lesson, _ in wrong)
    assert {each.slug: count[each.slug] for each in LESSONS if count[each.slug] < 3} == {}
    assert set(count) <= {each.slug for each in LESSONS}


@pytest.mark.slow
async def test_wrong_solutions_are_told_why(guide: Guide) -> None:
    """Each of them changes the solution in one place."""
    assert await _told(guide, (*WRONG, *BEYOND)) == []


@pytest.mark.slow
async def test_habits_are_told_why(guide: Guide, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is right in asyncio, and wrong here; many of them never answer."""
    monkeypatch.setattr("tour.guide.look.PATIENCE_S", PATIENCE_WITH_HABITS_S)
    assert await _told(guide, HABITS) == []


async def _told(guide: Guide, all_wrong: Iterable[Wrong]) -> list[str]:
    """What was not told, with what was said in its place."""
    untold: list[str] = []
    async with guide.open():
        await guide.solve(guide.lessons[0])
        for wrong in all_wrong:
            verdict = await _verdict(guide, wrong)
            await _forget_all(guide)
            untold += _untold(verdict, wrong)
    return untold


@pytest.mark.slow
async def test_wrong_courses_are_told_why(guide: Guide) -> None:
    """Each of them is a course of changes and commands, on an engine that remembers nothing."""
    untold = []
    async with guide.open():
        for course in (*FIRST_STEPS, *COURSES):
            _put(guide, Put("" if course in FIRST_STEPS else "recap"))
            await guide.theatre.fresh_service()
            if course is COURSES[0]:
                await guide.run(addressed(f"{REGISTER} --force", guide.theatre.ports))
            verdict = await _after(guide, course)
            await _forget_all(guide)
            untold += _untold(verdict, course)
    assert untold == []


def _untold(verdict: Verdict, wrong: Wrong | Course) -> list[str]:
    told = " ".join([str(verdict.expected), str(verdict.seen), *verdict.hints])
    missed = verdict.passed or wrong.cause not in told
    return [f"{wrong.lesson}, {wrong.name}: {told}"] if missed else []


async def _verdict(guide: Guide, wrong: Wrong) -> Verdict:
    lesson = guide.find(wrong.lesson)
    assert lesson is not None
    _put(guide, Put(wrong.lesson, wrong.file, wrong.old, wrong.new))
    await guide.theatre.fresh_service()
    for command in commands(guide.text(lesson)) if wrong.run else []:
        await guide.run(command)
    return await guide.check(lesson)


async def _after(guide: Guide, course: Course) -> Verdict:
    lesson = guide.find(course.lesson)
    assert lesson is not None
    for step in course.steps:
        if isinstance(step, Put):
            _put(guide, step)
            await guide.theatre.fresh_service()
        elif isinstance(step, Until):
            await _until(guide, step)
        else:
            command = addressed(step, guide.theatre.ports)
            await guide.run(placed(command, guide.folder.name))
    return await guide.check(lesson)


def _put(guide: Guide, step: Put) -> None:
    """Everything as it is solved in the end, but for the files of the lesson."""
    stage = guide.source / ("part5" if step.lesson else "app")
    files = {file.name: file.read_text() for file in stage.glob("*.py")}
    if step.lesson:
        lesson = guide.find(step.lesson)
        assert lesson is not None
        files.update(lesson.solution(guide.source))
    if step.file:
        assert step.old in files[step.file], f"nothing to change: {step}"
        files[step.file] = files[step.file].replace(step.old, step.new)
    guide.put(files)


async def _until(guide: Guide, what: Until) -> None:
    conditions = {
        Until.FAILED_TWICE: (["inv.retry_count > 1", "inv.last_failure IS NOT NULL"], True),
        Until.ALL_DONE: (["inv.status != 'completed'", "inv.status != 'scheduled'"], False),
    }
    where, some = conditions[what]
    async with Client(guide.theatre.connection) as client, asyncio.timeout(PATIENCE_S):
        while bool(await client.query.invocations(where)) is not some:
            await asyncio.sleep(0)


async def _forget_all(guide: Guide) -> None:
    """What a wrong solution has left behind, which the checks of the next would find."""
    async with Client(guide.theatre.connection) as client:
        for each in await client.query.invocations(["inv.status != 'completed'"]):
            with suppress(Conflict):  # it ended with its caller
                await client.admin.operate("kill", each.id)
        for each in await client.query.invocations(["inv.status = 'completed'"]):
            await client.admin.operate("purge", each.id)
        for service in ("CartObject", "TicketObject"):
            for key in {row.service_key for row in await client.query.state(service)}:
                await client.admin.write_state(service, key, {}, None)
