"""`rtour lambda-local`: a Lambda handler on this machine, behind Lambda's own Invoke API."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import Annotated

import typer

from rtour.cli.diagnostics import CliError

_HELP = {
    "handler": "Where the handler is: module:attribute; what `rtour.app(...)` returned will do.",
    "port": "Port to listen on, on loopback.",
    "name": "The function's name; the module's by default.",
    "concurrency": "Events handled at once, each in a process of its own.",
    "timeout": "Seconds after which a handler is killed.",
    "keep-warm": "Seconds for which an idle process is kept; 0 for a cold start each time.",
}


def lambda_local(
    handler: Annotated[str, typer.Argument(help=_HELP["handler"], metavar="MODULE:HANDLER")],
    port: Annotated[int, typer.Option("--port", help=_HELP["port"])] = 9001,
    name: Annotated[str | None, typer.Option("--name", help=_HELP["name"])] = None,
    concurrency: Annotated[
        int, typer.Option("--concurrency", min=1, help=_HELP["concurrency"])
    ] = 4,
    timeout: Annotated[float, typer.Option("--timeout", min=0.1, help=_HELP["timeout"])] = 900.0,
    keep_warm: Annotated[
        float, typer.Option("--keep-warm", min=0.0, help=_HELP["keep-warm"])
    ] = 60.0,
) -> None:
    """Serve an AWS Lambda handler on this machine, until ctrl-c.

    A server started with --lambda-endpoint calls it: register the ARN that is shown.
    """
    from rtour.sdk.lambda_local import Function, LambdaApi, Pool  # noqa: PLC0415 - light --help

    module = handler.partition(":")[0]
    function = Function(handler, name or module.rpartition(".")[2], concurrency, timeout, keep_warm)
    pool = Pool(function)
    try:
        api = LambdaApi(("127.0.0.1", port), pool)
    except OSError as error:
        raise CliError(
            f"Cannot listen on 127.0.0.1:{port}: {error.strerror}.", hint="choose another --port"
        ) from error
    sys.stderr.write(
        f"Serving {handler} as the Lambda function {function.name} on {api.url}\n"
        f"  rtour server --lambda-endpoint {api.url}\n"
        f"  rtour deployments register {function.arn}\n"
    )
    with suppress(KeyboardInterrupt):
        api.serve_forever()
    api.server_close()
    pool.close()
