"""One Lambda execution environment: `python -m rtour.sdk.lambda_local.sandbox MODULE:HANDLER`.

Events come as lines of JSON on stdin, answers go as lines of JSON to stdout. Like the real one it
handles one event at a time, on its main thread, and does nothing in between.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import traceback
from collections.abc import Callable
from typing import Any, TextIO

import msgspec

Handler = Callable[[Any, Any], Any]


class Context(msgspec.Struct, frozen=True):
    """What a handler is told besides the event, of what the real context has."""

    aws_request_id: str
    function_name: str
    invoked_function_arn: str
    function_version: str = "$LATEST"
    memory_limit_in_mb: str = "0"


def load(spec: str) -> Handler:
    """The handler at `module:attribute`. Raises TypeError if it is none."""
    module, _, name = spec.partition(":")
    sys.path.insert(0, os.getcwd())  # noqa: PTH109 - as python -m does, and Lambda
    found: Any = importlib.import_module(module)
    for part in (name or "handler").split("."):
        found = getattr(found, part)
    if not callable(found):
        raise TypeError(f"{spec} is a {type(found).__name__}, no Lambda handler")
    handler: Handler = found
    return handler


def serve(handler: Handler, source: TextIO, sink: TextIO) -> None:
    """Answer events until there are no more."""
    for line in source:
        request = json.loads(line)
        print(json.dumps(_answer(handler, request)), file=sink, flush=True)


def _answer(handler: Handler, request: dict[str, Any]) -> dict[str, Any]:
    context = Context(request["request_id"], request["function"], request["arn"])
    try:
        return {"answer": handler(request["event"], context)}
    except Exception as error:  # noqa: BLE001 - the caller is told, the sandbox goes on
        return {"error": failure(error)}


def failure(error: BaseException) -> dict[str, Any]:
    """An error as Lambda reports it."""
    return {
        "errorMessage": str(error),
        "errorType": type(error).__name__,
        "stackTrace": traceback.format_tb(error.__traceback__),
    }


def main() -> None:
    """Load the handler, say so, serve."""
    sink = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever is printed is not an answer
    source = os.fdopen(os.dup(0), encoding="utf-8")
    try:
        handler = load(sys.argv[1])
    except BaseException as error:
        print(json.dumps({"error": failure(error)}), file=sink, flush=True)
        raise SystemExit(1) from error
    print(json.dumps({"ready": True}), file=sink, flush=True)
    serve(handler, source, sink)


if __name__ == "__main__":
    main()
