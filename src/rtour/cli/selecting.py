"""Which invocations are meant: ids, targets or stdin become SQL conditions.

A word is an invocation id, or a target with `/`: `Service`, `Service/handler`, `Object/key`,
`Object/key/handler`. Unlike the official CLI's LIKE patterns, names are compared exactly, so a
`%` or a quote in a key means itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import msgspec

from rtour.cli.arguments import invocation_id
from rtour.cli.diagnostics import Misuse
from rtour.client.query import STATUSES, in_list, quote

_ID = re.compile(r"inv_1[0-9A-Za-z]{33}")
_IDLIKE = re.compile(r"inv_[0-9A-Za-z]*$")


class Selection(msgspec.Struct, frozen=True):
    """What the words of a command line select."""

    ids: tuple[str, ...]
    conditions: tuple[str, ...]

    @property
    def condition(self) -> str:
        """One SQL condition for all of it, over the alias `inv`."""
        parts = list(self.conditions)
        if self.ids:
            parts.append(in_list("inv.id", self.ids))
        return f"({' OR '.join(parts)})"


class Filters(msgspec.Struct, frozen=True, kw_only=True):
    """The filters of `invocations list`."""

    services: Sequence[str] = ()
    handlers: Sequence[str] = ()
    keys: Sequence[str] = ()
    deployments: Sequence[str] = ()
    statuses: Sequence[str] = ()
    all: bool = False
    completion_result: str | None = None
    virtual_objects_only: bool = False
    zombie: bool = False

    def conditions(self) -> list[str]:
        """SQL conditions over the alias `inv`."""
        found = [
            in_list(f"inv.target_{column}", values)
            for column, values in (
                ("service_name", self.services),
                ("handler_name", self.handlers),
                ("service_key", self.keys),
            )
            if values
        ]
        if self.deployments:
            either = (
                in_list(f"inv.{column}_deployment_id", self.deployments)
                for column in ("pinned", "last_attempt")
            )
            found.append(f"({' OR '.join(either)})")
        if self.virtual_objects_only:
            found.append("inv.target_service_ty = 'virtual_object'")
        if self.zombie:
            found.append(
                "inv.pinned_deployment_id IS NOT NULL"
                " AND inv.pinned_deployment_id NOT IN (SELECT id FROM sys_deployment)"
            )
        return found + self._status_conditions()

    def _status_conditions(self) -> list[str]:
        unknown = [status for status in self.statuses if status not in STATUSES]
        if unknown:
            raise Misuse(f"no status '{unknown[0]}'", expected=f"one of {', '.join(STATUSES)}")
        if self.completion_result:
            if self.completion_result not in ("success", "failure"):
                raise Misuse(
                    f"no completion result '{self.completion_result}'",
                    expected="success or failure",
                )
            result = quote(self.completion_result)
            return ["inv.status = 'completed'", f"inv.completion_result = {result}"]
        if self.statuses:
            return [in_list("inv.status", self.statuses)]
        return [] if self.all else ["inv.status != 'completed'"]


def select(words: Iterable[str]) -> Selection:
    """Words to a selection."""
    ids: dict[str, None] = {}
    conditions = []
    for word in words:
        if _IDLIKE.match(word):
            ids[invocation_id(word)] = None
        else:
            conditions.append(_target(word))
    return Selection(tuple(ids), tuple(conditions))


def ids_in(text: str) -> list[str]:
    """The invocation ids in what another command wrote: JSON, JSON lines, a table, plain ids.

    From JSON only the field `id` counts, so that the ids of callers are not cancelled as well;
    from text, the first id of each line.
    """
    objects = _objects(text)
    if objects is not None:
        found = [str(row["id"]) for row in objects if row.get("id")]
    else:
        found = [match.group() for line in text.splitlines() if (match := _ID.search(line))]
    return list(dict.fromkeys(found))


def _objects(text: str) -> list[dict[str, object]] | None:
    try:
        value = msgspec.json.decode(text)
        rows = value if isinstance(value, list) else [value]
    except msgspec.DecodeError:
        try:
            rows = [msgspec.json.decode(line) for line in text.splitlines() if line.strip()]
        except msgspec.DecodeError:
            return None
    return [row for row in rows if isinstance(row, dict)]


def _target(word: str) -> str:
    service, _, rest = word.partition("/")
    if not service:
        raise Misuse(
            f"'{word}' selects nothing",
            expected="an invocation id, Service, Service/handler, Object/key or Object/key/handler",
        )
    name = f"inv.target_service_name = {quote(service)}"
    if not rest:
        return name
    key, slash, handler = rest.rpartition("/")
    if not slash:
        return (
            f"({name} AND ((inv.target_service_ty = 'service'"
            f" AND inv.target_handler_name = {quote(rest)})"
            f" OR (inv.target_service_ty != 'service' AND inv.target_service_key = {quote(rest)})))"
        )
    return (
        f"({name} AND inv.target_service_key = {quote(key)}"
        f" AND inv.target_handler_name = {quote(handler)})"
    )
