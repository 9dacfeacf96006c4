"""The services as one Lambda function, on the official SDK: `rtour lambda-local …function:app`."""

from __future__ import annotations

import restate

from tests.conformance.services.python import everything, ledger

app = restate.app([*everything.ALL, *ledger.ALL])
