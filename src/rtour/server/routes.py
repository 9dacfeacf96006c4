"""Where the attempts of an invocation go, and in which mode: pinned, latest, learned.

A deployment may be registered that only speaks versions this server could, and is not set to: its
attempts fail without a request until one of both changes.

A handler that never waits for the server is best served by a request that is complete from the
start: the SDK sees at once that nothing more will come. Which handlers those are is learned from
how their attempts went, and unlearned by the first one that has to wait.
"""

from __future__ import annotations

import msgspec

from rtour.engine.model import Invocation
from rtour.protocol.discovery import (
    MIN_PROTOCOL_VERSION,
    ProtocolMode,
    choose_protocol_version,
)
from rtour.server.attempt import Attempt
from rtour.server.attempt_errors import failure
from rtour.server.attempt_terms import Route
from rtour.server.catalog import Deployment, HandlerMeta
from rtour.server.registry import Registry
from rtour.server.retries import RetryPolicy
from rtour.server.transport import Endpoint

# Attempts in a row that needed nothing from the server before the request is sent complete.
LEARN_AFTER = 8


class RouteSettings(msgspec.Struct, frozen=True):
    """`protocol_version` is the highest that attempts speak."""

    cluster_name: str = "localcluster"
    protocol_version: int = 6
    eager_state: bool = True


class Routes:
    """Looks attempts' routes up in the registry."""

    def __init__(self, registry: Registry, settings: RouteSettings) -> None:
        self._registry = registry
        self._settings = settings
        self._clean: dict[tuple[str, str, str], int] = {}
        # Those of the registry as it was after so many changes; there are few for many attempts.
        self._routes: dict[object, Route] = {}
        self._changes = registry.changes

    def route(self, invocation: Invocation) -> Route:
        """The next attempt's route.

        Raises AttemptFailure RT0011 if nothing serves it, RT0013 if that speaks no version of ours.
        """
        if self._changes != self._registry.changes:
            self._changes = self._registry.changes
            self._routes.clear()
        place = _place(self.place(invocation), invocation)
        learned = self._clean.get(place, 0) >= LEARN_AFTER
        kind = (place, learned, invocation.deployment_id, invocation.protocol_version)
        route = self._routes.get(kind)
        if route is None:
            route = self._routes[kind] = self._route(invocation, learned=learned)
        return route

    def _route(self, invocation: Invocation, *, learned: bool) -> Route:
        deployment, meta = self._find(invocation)
        version = invocation.protocol_version or self._common_version(deployment)
        duplex = (
            deployment.protocol_mode is ProtocolMode.BIDI_STREAM
            and meta.inactivity_timeout_ms > 0
            and not learned
        )
        return Route(
            deployment_id=deployment.id,
            endpoint=_complete_request_endpoint(deployment) if learned else deployment.endpoint,
            protocol_version=version,
            duplex=duplex,
            headers=(
                ("x-restate-cluster-name", self._settings.cluster_name),
                *deployment.additional_headers.items(),
            ),
            inactivity_timeout_ms=meta.inactivity_timeout_ms,
            # What would be tolerated with the request open is so with the request complete.
            abort_timeout_ms=meta.abort_timeout_ms + (meta.inactivity_timeout_ms if learned else 0),
            eager_state=self._settings.eager_state and not meta.lazy_state,
        )

    def _find(self, invocation: Invocation) -> tuple[Deployment, HandlerMeta]:
        target = invocation.target
        if invocation.deployment_id is None:
            deployment = self._registry.latest_deployment(target.service)
            if deployment is None:
                raise failure("RT0011", f"no deployment serves '{target.service}'")
        else:
            deployment = self._registry.deployment(invocation.deployment_id)
            if deployment is None:
                raise failure(
                    "RT0011",
                    f"the deployment {invocation.deployment_id}, which this invocation is bound "
                    "to, was removed: register it again, or resume on another deployment",
                )
        meta = self._registry.handler_on(deployment.id, target.service, target.handler)
        # A handler that its deployment no longer announces may still be there: it decides.
        meta = meta or self._registry.resolve(target.service, target.handler)
        if meta is None:
            raise failure("RT0011", f"no deployment serves '{target.service}/{target.handler}'")
        return deployment, meta

    def _common_version(self, deployment: Deployment) -> int:
        low, high = deployment.min_protocol_version, deployment.max_protocol_version
        highest = self._settings.protocol_version
        version = choose_protocol_version(low, high, highest)
        if version is None:
            raise failure(
                "RT0013",
                f"the deployment {deployment.id} speaks service protocol versions [{low}, {high}], "
                f"this server [{MIN_PROTOCOL_VERSION}, {highest}]: use an SDK of a matching "
                "version, or start the server with RESTATE_EXPERIMENTAL_ENABLE_PROTOCOL_V7=true "
                "if version 7 is what is missing",
            )
        return version

    def place(self, invocation: Invocation) -> str:
        """The id of the deployment that the next attempt would go to, empty if there is none."""
        return invocation.deployment_id or self.place_of(invocation.target.service)

    def place_of(self, service: str) -> str:
        """The same of a new invocation."""
        latest = self._registry.latest_deployment(service)
        return "" if latest is None else latest.id

    def retry_policy(self, invocation: Invocation) -> RetryPolicy:
        target = invocation.target
        meta = None
        if invocation.deployment_id is not None:
            meta = self._registry.handler_on(
                invocation.deployment_id, target.service, target.handler
            )
        meta = meta or self._registry.resolve(target.service, target.handler)
        return self._registry.defaults.retry if meta is None else meta.retry

    def learn(self, invocation: Invocation, attempt: Attempt, *, suspended: bool) -> None:
        """Count attempts that needed no answer; one that did starts the count again."""
        place = _place(attempt.route.deployment_id, invocation)
        if suspended or attempt.notified:
            self._clean.pop(place, None)
        else:
            self._clean[place] = self._clean.get(place, 0) + 1


def _complete_request_endpoint(deployment: Deployment) -> Endpoint:
    """Where requests go that are complete from the start: in the version that is less work."""
    return Endpoint(deployment.uri, "HTTP/1.1") if deployment.also_http1 else deployment.endpoint


def _place(deployment_id: str, invocation: Invocation) -> tuple[str, str, str]:
    return deployment_id, invocation.target.service, invocation.target.handler
