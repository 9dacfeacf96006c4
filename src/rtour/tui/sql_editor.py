"""A text area that completes names of tables and columns with tab."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.widgets import TextArea

_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*$")
KEYWORDS = ("SELECT", "FROM", "WHERE", "ORDER BY", "GROUP BY", "LIMIT", "COUNT", "LEFT JOIN")


class SqlEditor(TextArea):
    """Completes the word before the cursor; where it could be many, shows which."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("tab", "complete", "Complete", show=False)]

    def __init__(self, text: str, *, id: str, classes: str) -> None:  # noqa: A002
        super().__init__(text, id=id, classes=classes, show_line_numbers=False)
        self._names: Sequence[str] = KEYWORDS

    def know(self, tables: Mapping[str, Sequence[str]]) -> None:
        """Learns the tables and columns of the server."""
        columns = sorted({name for names in tables.values() for name in names})
        self._names = [*sorted(tables), *columns, *KEYWORDS]

    def action_complete(self) -> None:
        row, column = self.cursor_location
        before = self.document.get_line(row)[:column]
        match = _WORD.search(before)
        if match is None:
            self.insert(" ")
            return
        added, choices = completion(match.group(), self._names)
        if added:
            start = (row, column - len(match.group()))
            self.replace(added, start, (row, column))
        elif choices:
            self.notify("  ".join(choices[:30]), title="could be")


def completion(word: str, names: Sequence[str]) -> tuple[str, list[str]]:
    """What the word becomes (empty: nothing more is certain), and what it could be."""
    found = [name for name in names if name.lower().startswith(word.lower())]
    if not found:
        return "", []
    whole = found[0] if len(found) == 1 else _beginning(found)
    if len(whole) > len(word):
        return whole, found
    return "", [name for name in found if name.lower() != word.lower()]


def _beginning(names: Sequence[str]) -> str:
    """What all names begin with."""
    shared = 0
    for letters in zip(*names, strict=False):
        if len(set(letters)) > 1:
            break
        shared += 1
    return names[0][:shared]
