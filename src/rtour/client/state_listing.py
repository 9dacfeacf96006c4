"""A window of all state: one row per value, over all objects; of large values the beginning.

service:Cart key:Mary name:tickets object:Cart/Mary some text
"""

from __future__ import annotations

import msgspec

from rtour.client.filtering import contains, words
from rtour.client.heads import STATE_COLUMNS
from rtour.client.model import StateRow
from rtour.client.query import Query, quote, select, state_row

_FIELDS = {"service": "service_name", "key": "service_key", "name": "key"}


class StateListing(msgspec.Struct, frozen=True):
    """Rows `first` to `first + count` of what a filter lets through."""

    filter: str
    first: int
    count: int

    def sql(self) -> str:
        """The statement that reads it."""
        order = "service_name, service_key, key"
        conditions = state_conditions(self.filter)
        return select(STATE_COLUMNS, "state", conditions, order, self.count, self.first)


def state_conditions(text: str) -> list[str]:
    """SQL conditions for what people type."""
    return [_condition(word) for word in words(text)]


async def read_state_window(query: Query, wanted: StateListing) -> list[StateRow]:
    """The values of a window."""
    return [state_row(row) for row in await query.rows(wanted.sql())]


async def count_state(query: Query, text: str) -> int:
    """How many values there are."""
    return await query.count("state", state_conditions(text))


def _condition(word: str) -> str:
    field, colon, value = word.partition(":")
    if colon and value and field == "object":
        service, _, key = value.partition("/")
        return f"(service_name = {quote(service)} AND service_key = {quote(key)})"
    if colon and value and field in _FIELDS:
        return contains(_FIELDS[field], value)
    either = (contains(column, word) for column in _FIELDS.values())
    return f"({' OR '.join(either)})"
