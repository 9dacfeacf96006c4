"""What of the settings is about the outside: how deployments are reached, and where spans go."""

from __future__ import annotations

import logging
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from rtour.clock import Clock
from rtour.server.counts import ConnectionCounts
from rtour.server.identity import Sign, Signer, unsigned
from rtour.server.settings import Settings
from rtour.server.transport import HttpTransport, Transport
from rtour.server.transport.aws_lambda import LambdaTransport
from rtour.server.transport.aws_signing import calls_to

if TYPE_CHECKING:
    from rtour.engine.view import View
    from rtour.server.tracing.setup import Tracing

log = logging.getLogger("rtour.server")


def signing(settings: Settings, clock: Clock) -> Sign:
    """How requests to deployments are signed. The public key is told, since services need it."""
    if not settings.request_identity_key_file:
        return unsigned
    signer = Signer(Path(settings.request_identity_key_file), clock)
    log.info("Requests to deployments are signed, their public key is %s", signer.key_id)
    return signer.headers


def transport_to(settings: Settings, counts: ConnectionCounts) -> Transport:
    """To deployments behind URLs, and to those that are Lambda functions."""
    http = HttpTransport(ca_file=settings.deployment_ca_file, counts=counts)
    return LambdaTransport(http, calls_to(settings.lambda_endpoint))


def tracing_to(
    settings: Settings, clock: Clock, random: Random, view: View, cluster_name: str
) -> Tracing | None:
    """What makes spans, if an endpoint wants them; else not even its modules are loaded."""
    if settings.tracing_endpoint is None:
        return None
    from rtour.server.tracing.setup import Tracing  # noqa: PLC0415

    return Tracing(settings, clock, random, view, cluster_name)
