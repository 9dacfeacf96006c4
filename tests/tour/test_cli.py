"""`rtour tour` and `rtour example tour` as a newcomer meets them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.fake_server import FakeServer
from tests.cli.terminal import Terminal

PLAIN = ("tour", "--no-ui", "--use-random-ports")
CONVERSATION = """

?
x
s

rtour services list -o text \\
    --columns name
l
n
b
t
o
q
"""


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    return Terminal(FakeServer(), tmp_path)


def test_the_example_is_written_out(terminal: Terminal) -> None:
    """`rtour example tour` writes what a learner needs, and says what to do next."""
    result = terminal.run("example", "tour")
    assert result.code == 0
    lines = [line for line in result.err.splitlines() if line.startswith("next: rtour ")]
    assert [line.split()[2] for line in lines] == ["tour", "serve", "deployments"]
    assert len(result.out.splitlines()) == 2
    assert str(terminal.home / "tour") in result.out
    parts = {path.name for path in (terminal.home / "tour").iterdir()}
    assert parts >= {"README.md", "app", "auxiliary", "part1", "part2", "part3", "part4", "part5"}
    stages = {path.name for path in (terminal.home / "tour" / "typescript").iterdir()}
    assert stages >= {"package.json", "tsconfig.json", "app", "part1", "part4", "part5"}
    assert not parts & {"guide", "lessons", "examples"}


def test_a_learners_work_is_not_overwritten(terminal: Terminal) -> None:
    """Writing out again leaves changed files alone, unless the learner agrees."""
    terminal.run("example", "tour")
    cart = terminal.home / "tour" / "app" / "cart_object.py"
    cart.write_text("# mine\n")
    result = terminal.run("example", "tour")
    assert (result.code, cart.read_text()) == (1, "# mine\n")
    assert f"changed by you: {cart}" in result.err


def test_elsewhere_the_next_commands_fit(terminal: Terminal) -> None:
    """Written to another folder, the commands name that folder."""
    result = terminal.run("example", "tour", "--out", "plays/theatre")
    assert "next: rtour tour --folder plays/theatre\n" in result.err
    assert "next: cd plays && rtour serve theatre.app.app:app" in result.err


def test_a_dry_run_lists_the_files(terminal: Terminal) -> None:
    """One file a line, with what would become of it; nothing is written."""
    before = terminal.run("example", "tour", "--dry-run")
    assert not (terminal.home / "tour").exists()
    assert all(line.endswith("new") for line in before.out.splitlines()[1:])
    terminal.run("example", "tour")
    cart = terminal.home / "tour" / "app" / "cart_object.py"
    cart.write_text("# mine\n")
    after = terminal.run("example", "tour", "--dry-run").out.splitlines()
    assert [line.split()[0] for line in after if "changed by you" in line] == [str(cart)]
    assert len(after) == len(before.out.splitlines())


def test_a_folder_that_is_no_tour_is_not_overwritten(terminal: Terminal) -> None:
    """`rtour tour` asks, too, before it writes over what somebody else has put there."""
    readme = terminal.home / "tour" / "README.md"
    readme.parent.mkdir()
    readme.write_text("my holidays\n")
    result = terminal.run(*PLAIN, stdin="q\n")
    assert (result.code, readme.read_text()) == (1, "my holidays\n")
    assert f"changed by you: {readme}" in result.err


def test_status_lists_the_lessons(terminal: Terminal) -> None:
    """Before anything is begun, all lessons are there and none is done; nothing is written."""
    result = terminal.run("tour", "status", "-o", "json")
    lessons = json.loads(result.out)
    assert (result.code, len(lessons), any(each["done"] for each in lessons)) == (0, 25, False)
    assert not (terminal.home / "tour").exists()


def test_a_conversation(terminal: Terminal) -> None:
    """In a pipe the tour is a transcript: checks, hints, the solution, moving, leaving."""
    result = terminal.run(*PLAIN, stdin=CONVERSATION)
    assert (result.code, result.err.splitlines()[0]) == (
        0,
        f"wrote the tour to {terminal.home / 'tour'}",
    )
    for words in (
        "# Getting started",
        "✘ expected  the engine knows CartObject",
        "seen      it knows no service at all",
        "hint      Registering tells the engine",
        "put the solution into your files",
        "'x'? One of these:",
        "$ rtour deployments register localhost:",
        "✔ the engine knows CheckoutService",
        "Lesson 1 is done: Getting started.",
        "# Invoking over HTTP",
        "CartObject\nCheckoutService",
        "✔  1  Getting started",
        "serving CartObject, TicketObject",
        "See you.",
    ):
        assert words in result.out, words
    assert "\x1b" not in result.out


@pytest.mark.slow
def test_what_was_reached_is_kept(terminal: Terminal) -> None:
    """Who leaves and comes back goes on with the next lesson."""
    terminal.run(*PLAIN, stdin="s\nq\n")
    result = terminal.run(*PLAIN, stdin="q\n")
    assert "# Invoking over HTTP" in result.out
    assert "# Getting started" not in result.out


@pytest.mark.slow
def test_single_steps_for_scripts(terminal: Terminal) -> None:
    """`check` fails with what is missing, `solve` mends it, `reset` starts over."""
    tour = ("tour", "--use-random-ports")
    failed = terminal.run(*tour, "check", "1", "-o", "json")
    record = json.loads(failed.out)
    assert (failed.code, record["passed"]) == (1, False)
    assert record["expected"] == "the engine knows CartObject"
    assert terminal.run(*tour, "solve", "1", "--yes").code == 0
    assert terminal.run(*tour, "check", "1").code == 0
    assert terminal.run(*tour, "check", "nothing").code == 3
    assert terminal.run("tour", "reset").code == 1
    assert terminal.run("tour", "reset", "--yes").code == 0
    lessons = json.loads(terminal.run("tour", "status", "-o", "json").out)
    assert not any(each["done"] for each in lessons)


def test_in_a_checkout_the_learner_works_beside_the_source(terminal: Terminal) -> None:
    """There ./tour is what all tours come from: the learner gets a folder that git ignores."""
    (terminal.home / "tour" / "lessons").mkdir(parents=True)
    result = terminal.run("tour", "reset", "--yes", "-o", "json")
    mine = terminal.home / "my_tour"
    assert json.loads(result.out)["folder"] == str(mine)
    assert (mine / ".gitignore").read_text() == "*\n"
    assert [each.name for each in (terminal.home / "tour").iterdir()] == ["lessons"]


def test_a_folder_must_be_a_module_name(terminal: Terminal) -> None:
    """A folder that Python cannot import is refused before anything is written."""
    result = terminal.run("tour", "--folder", "my-tour", "status")
    assert (result.code, result.out) == (2, "")
    assert "cannot be imported" in result.err
