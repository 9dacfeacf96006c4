"""PostgreSQL's catalog over Restate's tables, as far as its clients look into it."""

from __future__ import annotations

import sqlite3

from rtour.server.query.catalog import Described

TABLES: tuple[Described, ...] = ()


def register(connection: sqlite3.Connection) -> None:
    """Make the functions of the catalog known."""
