"""The guide without a theatre: where one stands, hints, files, starting over."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from tests.tour.conftest import TOUR
from tour.guide.guide import Guide
from tour.guide.progress import Progress
from tour.guide.theatre import own_frames
from tour.guide.verdict import Verdict

MISSING = Verdict(["one thing"], "another", "nothing", ["a nudge", "the answer"])


def test_one_begins_at_the_first_lesson(guide: Guide) -> None:
    """Nothing learned yet: the first lesson is at hand."""
    assert guide.current is guide.lessons[0]
    assert guide.neighbour(guide.current, -1) is None


def test_progress_outlives_the_guide(guide: Guide) -> None:
    """Who comes back stands where they left, with what they had reached."""
    guide._remember(guide.progress.succeeded("getting-started"))
    again = Guide(TOUR, guide.folder)
    assert again.current.slug == "invoking-over-http"
    again.move(again.lessons[5])
    assert Guide(TOUR, guide.folder).current.slug == "debugging"
    assert [row["done"] for row in again.overview()[:2]] == [True, False]


def test_a_damaged_progress_file_costs_the_progress_only(guide: Guide) -> None:
    """A file that does not parse is no reason to fail."""
    guide._file.parent.mkdir()
    guide._file.write_text("{")
    assert Guide(TOUR, guide.folder).progress == Progress()


def test_each_failed_try_gives_one_hint_more(guide: Guide) -> None:
    """A nudge, then the answer, then the solution as a diff."""
    lesson = guide.find("calls")
    assert lesson is not None
    shown = []
    for _ in range(3):
        guide._remember(guide.progress.failed("calls"))
        shown.append(guide.help(lesson, MISSING))
    assert shown[0] == ["a nudge"]
    assert shown[1] == ["a nudge", "the answer"]
    assert "+    reserved = await ctx.object_call(reserve" in shown[2][-1]


def test_success_forgets_the_failed_tries(guide: Guide) -> None:
    """Whoever breaks a lesson later begins with a nudge again."""
    progress = guide.progress.failed("calls").succeeded("calls")
    assert progress.tries == {}
    assert progress.done == ["calls"]


def test_lessons_are_found_by_name_and_number(guide: Guide) -> None:
    """`rtour tour check 3` is `rtour tour check calls`."""
    assert guide.find("3") is guide.find("calls")
    assert guide.find("nothing") is None


def test_a_solution_keeps_what_the_learner_wrote(guide: Guide) -> None:
    """The learner's file stays beside the solution."""
    lesson = guide.find("calls")
    assert lesson is not None
    cart = guide.folder / "app" / "cart_object.py"
    cart.write_text("# mine\n")
    guide.put(lesson.solution(TOUR))
    assert cart.with_suffix(".py.mine").read_text() == "# mine\n"
    assert guide.diff(lesson) == ""


def test_nothing_the_learner_wrote_is_lost(guide: Guide) -> None:
    """Of several tries each is kept; what was never the learner's own is not."""
    cart = guide.folder / "app" / "cart_object.py"
    solutions = [lesson.solution(TOUR) for lesson in guide.lessons if cart.name in lesson.files]
    guide.put(solutions[0])
    for text in ("# first\n", "# second\n", "# first\n"):
        cart.write_text(text)
        guide.put(solutions[0])
    guide.put(solutions[1])
    kept = {file.name: file.read_text() for file in cart.parent.glob("*.mine*")}
    assert kept == {"cart_object.py.mine": "# first\n", "cart_object.py.mine2": "# second\n"}


def test_starting_over(guide: Guide) -> None:
    """The skeleton is back, the engine and the outside are empty, nothing is learned."""
    cart = guide.folder / "app" / "cart_object.py"
    cart.write_text("# mine\n")
    (guide.folder / "outside").mkdir()
    guide._remember(guide.progress.succeeded("calls"))
    guide.reset()
    assert cart.read_text() == (TOUR / "app" / "cart_object.py").read_text()
    assert not (guide.folder / "outside").exists()
    assert Guide(TOUR, guide.folder).progress == Progress()


def test_code_is_known_by_its_fingerprint(guide: Guide, tmp_path: Path) -> None:
    """Saving a file of the app changes the fingerprint; other files do not."""
    before = guide.theatre.fingerprint()
    (guide.folder / "notes.txt").write_text("x")
    assert guide.theatre.fingerprint() == before
    (guide.folder / "app" / "cart_object.py").write_text("# mine\n")
    assert guide.theatre.fingerprint() != before


def test_what_the_service_says_is_what_it_says_now(guide: Guide) -> None:
    """Before the last save the code was another; dates are left out."""
    guide.theatre.state.mkdir()
    log = guide.theatre.state / "service.log"
    begins = "2026-11-24 12:46:41,424 INFO    serving CartObject on http://127.0.0.1:9080"
    log.write_text(f"{begins}\nold\n{begins}\nnew\n")
    assert guide.theatre.said(9) == [begins.removeprefix("2026-11-24 "), "new"]
    assert guide.theatre.said(1) == ["new"]
    log.write_text("SyntaxError: invalid syntax\n")
    assert guide.theatre.said(9) == ["SyntaxError: invalid syntax"]


def test_stack_traces_show_the_learners_own_frames() -> None:
    """Where in the tour's files it failed, and with what; the rest is in the log's file."""
    log = [
        "my payment key is 7f3c",
        "Traceback (most recent call last):",
        '  File "/lib/rtour/sdk/attempt.py", line 214, in _user_code',
        "    return await value",
        '  File "/home/ada/tour/app/cart_object.py", line 14, in add_ticket',
        '    raise RuntimeError("Failing")',
        "RuntimeError: Failing",
        "serving CartObject",
    ]
    assert own_frames(log, "/home/ada/tour") == [log[0], *log[4:]]


def test_other_terminals_are_told_where_everything_is(
    guide: Guide, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ports that are not the usual ones, and a program that is not on the path."""
    here = Path(sys.executable).parent
    monkeypatch.setenv("PATH", str(here))
    assert guide.theatre.exports() == []
    guide.theatre.ports = (8081, 9071, 9081)
    urls = [
        "export RTOUR_ADMIN_URL=http://127.0.0.1:9071",
        "export RTOUR_INGRESS_URL=http://127.0.0.1:8081",
    ]
    assert guide.theatre.exports() == urls
    monkeypatch.setenv("PATH", "/nowhere")
    assert guide.theatre.exports() == [f'export PATH="{here}:$PATH"', *urls]


async def test_what_a_killed_tour_left_is_ended(guide: Guide) -> None:
    """The next tour on the folder does not find the data in use by an engine without an owner."""
    async with guide.open():
        left = guide.theatre._running()
        assert left is not None
        dead = msgspec.structs.replace(left, owner=_dead_process())
        (guide.theatre.state / "running.json").write_bytes(msgspec.json.encode(dead))
        guide.theatre._end_left_overs()
        assert guide.theatre._server is not None
        assert guide.theatre._server.wait(10) != 0


def _dead_process() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid
