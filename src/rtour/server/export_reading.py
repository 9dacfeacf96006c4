"""How the export of spans is doing, as the admin port tells it; known without any tracing."""

from __future__ import annotations

import msgspec


class ExportReading(msgspec.Struct, frozen=True):
    """`state` is off, exporting or failing; then `error` says why nothing gets through.

    Spans are counted since the server started: exported, lost, and waiting now.
    """

    state: str
    endpoint: str | None = None
    error: str | None = None
    exported: int = 0
    lost: int = 0
    waiting: int = 0


def off() -> ExportReading:
    """No endpoint is set."""
    return ExportReading("off")
