"""What people type after `/` in a list of invocations, as SQL conditions.

    status:running,paused service:Cart key:Mary handler:add deployment:dp_1… is:unfinished text

Words with a field narrow that field; other words must all stand somewhere in the target or start
the id. Capitals do not matter; `%` and `_` mean themselves.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence

from rtour.client.query import STATUSES, in_list, quote

_RESULTS = {"failed": "failure", "succeeded": "success"}


def conditions(text: str) -> list[str]:
    """SQL conditions over the alias `inv`; a misspelt field is looked for as text."""
    found = []
    for word in words(text):
        field, colon, value = word.partition(":")
        maker = _FIELDS.get(field) if colon and value else None
        found.append(maker(value.split(",")) if maker else _anywhere(word))
    return found


def list_options(text: str) -> list[str] | None:
    """The same for `rtour invocations list`; None where it has no option for what was typed."""
    options, everything = [], True
    for word in words(text):
        field, _, value = word.partition(":")
        if field in ("service", "handler", "key", "deployment") and value:
            options += [f"--{field}", value]
        elif word == "is:unfinished":
            everything = False
        elif field == "status" and value:
            named = [
                each for part in value.split(",") for each in STATUSES if each.startswith(part)
            ]
            results = [result for each, result in _RESULTS.items() if each == value]
            if len(named) + len(results) == 0 or (named and results):
                return None
            options += ["--status", ",".join(named or ["completed"])]
            options += [each for result in results for each in ("--completion-result", result)]
            everything = False
        else:
            return None
    return [*options, "--all"] if everything else options


def contains(column: str, text: str) -> str:
    """`column` holds `text` somewhere, in capitals or not."""
    escaped = text.lower().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    plain = escaped == text.lower()
    return f"LOWER({column}) LIKE {quote(f'%{escaped}%')}" + ("" if plain else " ESCAPE '\\'")


def words(text: str) -> list[str]:
    """What was typed, word by word; quotes keep words together."""
    try:
        return shlex.split(text)
    except ValueError:
        # A quote that is still open: somebody is typing.
        return text.split()


def _anywhere(word: str) -> str:
    if word.startswith("inv_"):
        return f"inv.id LIKE {quote(f'{word}%')}"
    return contains("inv.target", word)


def _status(values: Sequence[str]) -> str:
    """Statuses by their beginning; `failed` and `succeeded` are kinds of completed."""
    parts = []
    for value in values:
        for word, result in _RESULTS.items():
            if word.startswith(value):
                parts.append(
                    f"(inv.status = 'completed' AND inv.completion_result = {quote(result)})"
                )
        named = [status for status in STATUSES if status.startswith(value)]
        if named:
            parts.append(in_list("inv.status", named))
    return f"({' OR '.join(parts)})" if parts else "inv.status = ''"


def _column(column: str) -> Callable[[Sequence[str]], str]:
    def condition(values: Sequence[str]) -> str:
        return f"({' OR '.join(contains(column, value) for value in values)})"

    return condition


def _deployment(values: Sequence[str]) -> str:
    either = (
        in_list(f"inv.{column}_deployment_id", values) for column in ("pinned", "last_attempt")
    )
    return f"({' OR '.join(either)})"


_FIELDS: dict[str, Callable[[Sequence[str]], str]] = {
    "status": _status,
    "service": _column("inv.target_service_name"),
    "key": _column("inv.target_service_key"),
    "handler": _column("inv.target_handler_name"),
    "deployment": _deployment,
    "is": lambda values: "inv.status != 'completed'" if values == ["unfinished"] else "1 = 0",
    "id": lambda values: in_list("inv.id", values),
}
