"""What the functions of the dialect do, and how SQLite comes to know them."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any

from rtour.server.query.dialect.calls import Function
from rtour.server.query.functions import jsons, numbers, postgres, texts, times
from rtour.server.query.functions.aggregates import AGGREGATES

PREFIX = "df_"
FUNCTIONS: dict[str, Function] = {
    **texts.FUNCTIONS,
    **numbers.FUNCTIONS,
    **times.FUNCTIONS,
    **jsons.FUNCTIONS,
    **postgres.FUNCTIONS,
}


class Complaint:
    """What a function raised last: SQLite only says that one did."""

    def __init__(self) -> None:
        self.text: str | None = None

    def heard(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            try:
                return function(*arguments)
            except (ValueError, TypeError, ArithmeticError, LookupError) as error:
                self.text = str(error)
                raise

        return call

    def take(self) -> str | None:
        text, self.text = self.text, None
        return text


def register(connection: sqlite3.Connection) -> Complaint:
    """Make all functions known to the connection."""
    complaint = Complaint()
    for name, function in FUNCTIONS.items():
        if function.python is not None:
            call = complaint.heard(function.python)
            connection.create_function(PREFIX + name, -1, call, deterministic=function.pure)
    for name, (aggregate, arguments) in AGGREGATES.items():
        connection.create_aggregate(PREFIX + name, arguments, aggregate)
    return complaint
