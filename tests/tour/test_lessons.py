"""The lessons as texts and data: complete, in order, and true to the files they speak of."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable

import msgspec
import pytest

from tests.tour.conftest import TOUR
from tour.guide.lesson import FENCE, Lesson, addressed, commands, placed, title
from tour.lessons import LESSONS

FOLDER = TOUR / "lessons"
BY_SLUG = {lesson.slug: lesson for lesson in LESSONS}
# The topics of the original tour, in its order, then those that it lacks.
TOPICS = (  # noqa: SIM905 - a list would be a page long
    "getting-started invoking-over-http calls messages durable-execution debugging scheduling "
    "objects-and-services state inspecting-state expiring-tickets ticket-object "
    "journaling-actions idempotency-keys exactly-once-payment finishing-checkout "
    "idempotent-requests tracing recap awakeables workflows sagas changing-code testing"
).split()
CALLABLE = ("rtour ", "curl ", "sleep ", "mkdir ", "tail ", "python ")


def test_every_topic_has_its_lesson_in_order() -> None:
    """The topics of the original tour come in its order, and what it lacks comes after."""
    taught = [lesson.slug for lesson in LESSONS if lesson.slug in TOPICS]
    assert taught == TOPICS


def test_texts_and_lessons_match() -> None:
    """Each lesson has its text, and no text is left over."""
    assert {path.stem for path in FOLDER.glob("*.md")} == set(BY_SLUG)


@pytest.mark.parametrize("slug", BY_SLUG)
def test_a_text_ends_in_something_to_do(slug: str) -> None:
    """A lesson has a heading of its own and says what the learner's turn is."""
    text = BY_SLUG[slug].text(FOLDER)
    assert text.startswith("# ")
    assert "\n## Your turn\n" in text
    prose = [line for line in FENCE.sub("", text).splitlines() if not line.startswith("|")]
    assert max(map(len, prose)) <= 80


@pytest.mark.parametrize("slug", BY_SLUG)
def test_commands_are_commands(slug: str) -> None:
    """What stands in a console block is run by the tests, so it must be runnable."""
    found = commands(BY_SLUG[slug].text(FOLDER))
    assert found, "a lesson without anything to run"
    assert [line for line in found if not line.startswith(CALLABLE)] == []


def test_a_command_of_two_lines_is_one() -> None:
    """A backslash carries a command on; what it prints is none."""
    text = "```console\n$ curl x \\\n    --json 1\ntrue\n$ rtour info\n```\n"
    assert commands(text) == ["curl x --json 1", "rtour info"]


@pytest.mark.parametrize("slug", BY_SLUG)
def test_files_that_are_named_exist(slug: str) -> None:
    """A path below `tour/` in a text is a file of the tour, or one that the tour makes."""
    text = BY_SLUG[slug].text(FOLDER)
    named = set(re.findall(r"`tour/([\w/.-]+?)/?`", text))
    made = {name for name in named if name.startswith("outside")}
    assert [name for name in named - made if not (TOUR / name).exists()] == []


@pytest.mark.parametrize("slug", BY_SLUG)
def test_solutions_compile(slug: str) -> None:
    """The files of a solution are Python, with the edits made and without."""
    for each in _variants(BY_SLUG[slug]):
        for name, content in each.solution(TOUR).items():
            assert ast.parse(content, name).body


def _variants(lesson: Lesson) -> Iterable[Lesson]:
    yield lesson
    if lesson.keep is not None:
        yield msgspec.structs.replace(lesson, edits=lesson.keep)


def test_titles_are_distinct() -> None:
    """The list of lessons can be told apart."""
    titles = [title(lesson.text(FOLDER)) for lesson in LESSONS]
    assert len(set(titles)) == len(titles)


def test_a_folder_of_another_name_is_called_so() -> None:
    """Paths and modules in texts are those of the learner's folder; other words stay."""
    text = "`tour/app/cart_object.py`, tour.app.test_theatre, `rtour tour`, tour/.tour/x, the tour."
    changed = (
        "`mine/app/cart_object.py`, mine.app.test_theatre, `rtour tour`, mine/.tour/x, the tour."
    )
    assert placed(text, "mine") == changed


def test_ports_in_texts_are_those_in_use() -> None:
    """A learner whose usual ports are taken reads the ports that were chosen."""
    text = "curl localhost:8080/x; port 9070; localhost:9080; localhost:9081"
    changed = "curl localhost:9080/x; port 2; localhost:3; localhost:9081"
    assert addressed(text, (9080, 2, 3)) == changed
