"""Serve all services on one loopback port, given as the only argument."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import restate
from hypercorn.asyncio import serve
from hypercorn.config import Config

from tests.conformance.services.python import everything, ledger, tickets

# What the official docs tell hypercorn: a connection to the server lives for ever.
WITHOUT_LIMIT = 2147483647


def configured(port: int) -> Config:
    config = Config()
    config.bind = [f"127.0.0.1:{port}"]
    config.h2_max_concurrent_streams = WITHOUT_LIMIT
    config.keep_alive_max_requests = WITHOUT_LIMIT
    config.keep_alive_timeout = WITHOUT_LIMIT
    config.graceful_timeout = 0
    return config


def main() -> None:
    app: Any = restate.app([*everything.ALL, *tickets.ALL, *ledger.ALL])
    asyncio.run(serve(app, configured(int(sys.argv[1]))))


if __name__ == "__main__":
    main()
