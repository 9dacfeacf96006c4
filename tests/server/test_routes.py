"""Where attempts go, and what is learned about handlers from how their attempts went."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from rtour.engine.model import FromIngress, Invocation, Status, Target
from rtour.protocol.discovery import ProtocolMode
from rtour.server.attempt_errors import AttemptFailure
from rtour.server.catalog import Changes, Deployment, ServiceDefaults, ServiceRevision
from rtour.server.registry import Registry
from rtour.server.routes import LEARN_AFTER, Routes, RouteSettings
from tests.server.rooms import manifest

SERVICES = tuple(ServiceRevision(revision=1, manifest=one) for one in manifest().services)
DEPLOYMENT = Deployment(
    id="dp_1",
    uri="http://service/",
    http_version="HTTP/2.0",
    created_at=0,
    protocol_mode=ProtocolMode.BIDI_STREAM,
    min_protocol_version=5,
    max_protocol_version=7,
    additional_headers={"a": "b"},
    also_http1=True,
    services=SERVICES,
)
INVOCATION = Invocation(
    id="inv_1",
    number=1,
    target=Target("Greeter", "greet"),
    status=Status.INVOKED,
    source=FromIngress(),
    created_at=0,
    modified_at=0,
)


def routes(deployment: Deployment = DEPLOYMENT, **settings: Any) -> Routes:
    registry = Registry(ServiceDefaults(inactivity_timeout_ms=1000, abort_timeout_ms=2000))
    registry.put(deployment)
    return Routes(registry, RouteSettings(**settings))


def ended(routes: Routes, *, notified: bool = False, suspended: bool = False) -> None:
    """One more attempt has ended by itself."""
    attempt: Any = SimpleNamespace(route=routes.route(INVOCATION), notified=notified)
    routes.learn(INVOCATION, attempt, suspended=suspended)


@pytest.mark.parametrize(
    ("highest", "allowed", "pinned", "version"),
    [(7, 6, None, 6), (7, 7, None, 7), (5, 7, None, 5), (7, 7, 6, 6)],
)
def test_the_version_is_what_both_speak_until_it_is_pinned(
    highest: int, allowed: int, pinned: int | None, version: int
) -> None:
    """The highest that deployment and server have in common; then it stays."""
    found = routes(replace(DEPLOYMENT, max_protocol_version=highest), protocol_version=allowed)
    assert found.route(replace(INVOCATION, protocol_version=pinned)).protocol_version == version


@pytest.mark.parametrize(("low", "high", "allowed"), [(7, 7, 6), (7, 8, 6), (8, 9, 7), (1, 4, 7)])
def test_without_a_common_version_nothing_is_asked(low: int, high: int, allowed: int) -> None:
    """The attempt fails at once, naming both ranges; what is pinned goes on as it began."""
    odd = replace(DEPLOYMENT, min_protocol_version=low, max_protocol_version=high)
    found = routes(odd, protocol_version=allowed)
    with pytest.raises(AttemptFailure, match=rf"\[{low}, {high}\].*\[5, {allowed}\]") as refused:
        found.route(INVOCATION)
    assert refused.value.error.doc_code == "RT0013"
    assert found.route(replace(INVOCATION, protocol_version=7)).protocol_version == 7


def test_a_handler_that_never_waits_gets_complete_requests() -> None:
    """In HTTP/1.1 where that is spoken, with as much time in all as before."""
    found = routes()
    before = found.route(INVOCATION)
    assert (before.duplex, before.endpoint.http_version) == (True, "HTTP/2.0")
    assert before.headers == (("x-restate-cluster-name", "localcluster"), ("a", "b"))
    for _ in range(LEARN_AFTER):
        assert found.route(INVOCATION) == before
        ended(found)
    learned = found.route(INVOCATION)
    assert (learned.duplex, learned.endpoint.http_version) == (False, "HTTP/1.1")
    assert learned.abort_timeout_ms == before.inactivity_timeout_ms + before.abort_timeout_ms
    other = replace(INVOCATION, target=Target("Greeter", "any"))
    assert found.route(other).duplex


@pytest.mark.parametrize("needs", [{"suspended": True}, {"notified": True}])
def test_one_attempt_that_has_to_wait_is_enough_to_unlearn(needs: dict[str, bool]) -> None:
    """The count begins anew, before and after the lesson."""
    found = routes()
    for rounds in (LEARN_AFTER - 1, LEARN_AFTER):
        for _ in range(rounds):
            ended(found)
        ended(found, **needs)
        assert found.route(INVOCATION).duplex


def test_modes_that_never_keep_the_request_open() -> None:
    """Request-response deployments, and an inactivity timeout of nothing."""
    one_way = replace(DEPLOYMENT, protocol_mode=ProtocolMode.REQUEST_RESPONSE)
    assert not routes(one_way).route(INVOCATION).duplex
    hasty = replace(SERVICES[0], changes=Changes(inactivity_timeout_ms=0))
    assert not routes(replace(DEPLOYMENT, services=(hasty,))).route(INVOCATION).duplex


def test_eager_state_is_the_servers_and_the_services_choice() -> None:
    """Either may say no."""
    assert routes().route(INVOCATION).eager_state
    assert not routes(eager_state=False).route(INVOCATION).eager_state
    lazy = msgspec.structs.replace(SERVICES[0].manifest, enable_lazy_state=True)
    deployment = replace(DEPLOYMENT, services=(replace(SERVICES[0], manifest=lazy),))
    assert not routes(deployment).route(INVOCATION).eager_state


@pytest.mark.parametrize(
    "lost",
    [
        replace(INVOCATION, deployment_id="dp_2"),
        replace(INVOCATION, target=Target("Nobody", "greet")),
        replace(INVOCATION, target=Target("Greeter", "unheard")),
    ],
)
def test_what_nothing_serves_is_tried_again(lost: Invocation) -> None:
    """A deployment that was removed, a service or handler that was never there: RT0011."""
    with pytest.raises(AttemptFailure) as caught:
        routes().route(lost)
    assert caught.value.error.doc_code == "RT0011"


def test_a_change_of_the_registry_is_a_change_of_the_route() -> None:
    """Routes are made once for many attempts, and anew when a deployment is another one."""
    registry = Registry(ServiceDefaults())
    registry.put(DEPLOYMENT)
    routes = Routes(registry, RouteSettings())
    before = routes.route(INVOCATION)
    assert routes.route(INVOCATION) is before
    registry.put(replace(DEPLOYMENT, uri="http://moved/", additional_headers={}))
    after = routes.route(INVOCATION)
    assert (before.endpoint.uri, after.endpoint.uri) == ("http://service/", "http://moved/")
    assert len(after.headers) == len(before.headers) - 1
    registry.remove(DEPLOYMENT.id)
    with pytest.raises(AttemptFailure):
        routes.route(INVOCATION)
