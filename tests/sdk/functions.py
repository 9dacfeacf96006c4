"""Lambda handlers for tests: what they return says how they ran."""

from __future__ import annotations

import os
import sys
from typing import Any

import rtour

greeter = rtour.Service("Greeter")


@greeter.handler()
async def greet(_ctx: rtour.Context, name: str) -> str:
    """Answers with the process that ran it."""
    return f"Hello {name} from {os.getpid()}"


app = rtour.app([greeter])


def tell(event: Any, context: Any) -> Any:
    """The event and its context, and the process."""
    return {
        "event": event,
        "function": context.function_name,
        "arn": context.invoked_function_arn,
        "environment": os.environ["AWS_LAMBDA_FUNCTION_NAME"],
        "pid": os.getpid(),
    }


def fail(_event: Any, _context: Any) -> Any:
    """Raises."""
    raise ValueError("no such seat")


def leave(_event: Any, _context: Any) -> Any:
    """Ends its process."""
    os._exit(3)


def chatter(event: Any, _context: Any) -> Any:
    """Prints on what it takes for stdout."""
    sys.stdout.write("not an answer\n")
    return event


def hang(_event: Any, _context: Any) -> Any:
    """Never answers."""
    sys.stdin.read()
    while True:
        pass


no_handler = "text"
