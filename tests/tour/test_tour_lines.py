"""The guide's words on a narrow screen."""

from __future__ import annotations

from io import StringIO

from rich.console import Console

from rtour.tui.paint import Piece
from rtour.tui.tour_lines import Lines, Told, ran_lines
from tour.guide.guide import Ran


def drawn(lines: list[Told], width: int) -> list[str]:
    """What a terminal of that width shows."""
    out = StringIO()
    Console(file=out, width=width, color_system=None).print(Lines(lines))
    return [each.rstrip() for each in out.getvalue().splitlines()]


def test_a_long_line_goes_on_below_its_own_words() -> None:
    """Marks and labels stand alone in their column; short lines are left as they are."""
    told = [Told(Piece("  hint      one two three four"), 12), Told(Piece("✔ short"), 2)]
    assert drawn(told, 20) == [
        "  hint      one two",
        "            three",
        "            four",
        "✔ short",
    ]


def test_columns_that_do_not_fit_keep_their_distances() -> None:
    """The rest of a table's row goes below it, as wide apart as it was."""
    ran = Ran("rtour inv list", "ID        TARGET\ninv_1     Cart/Mary   now\n", 0)
    assert drawn(ran_lines(ran), 24) == [
        "$ rtour inv list",
        "  ID        TARGET",
        "  inv_1     Cart/Mary",
        "      now",
    ]


def test_of_a_long_output_the_end_is_shown() -> None:
    """With a sign that something is missing."""
    shown = drawn(ran_lines(Ran("seq", "\n".join(map(str, range(99))), 1)), 40)
    assert shown[:3] == ["$ seq", "  …", "  83"]
    assert shown[-1] == "  98"


def test_a_word_longer_than_the_screen_is_broken() -> None:
    """Nothing is lost, however narrow it gets."""
    shown = drawn([Told(Piece("  seen      " + "x" * 30), 12)], 14)
    assert "".join(shown).replace(" ", "") == "seen" + "x" * 30
