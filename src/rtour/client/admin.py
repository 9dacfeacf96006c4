"""The admin API: deployments, services, invocation operations, state, Kafka."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar
from urllib.parse import quote

import msgspec

from rtour.client.failures import (
    ClientError,
    Incompatible,
    NotFound,
    ServerFailed,
    Unreachable,
)
from rtour.client.model import (
    Deployment,
    DeploymentDetail,
    ExportReading,
    KafkaCluster,
    Operated,
    Registration,
    Service,
    Subscription,
    SubscriptionReading,
    Version,
)
from rtour.client.transport import Answer, Origin

T = TypeVar("T")

OLDEST_ADMIN_API = 2
NEWEST_ADMIN_API = 4
OPERATIONS = ("cancel", "kill", "purge", "pause", "resume", "restart-as-new")


class Admin:
    """Typed calls of the admin API."""

    def __init__(self, origin: Origin) -> None:
        self.origin = origin

    async def version(self) -> Version:
        """The server's versions; raises `Unreachable` when this is no Restate admin API."""
        answer = await self.origin.send("GET", "/version", headers={"accept": "application/json"})
        if answer.status in (401, 403):
            raise self.origin.failure(answer)
        try:
            version = _decode(answer, Version)
        except ClientError as error:
            raise Unreachable(
                f"{self.origin.base_url} answers, but not as a Restate admin API",
                expected="the admin URL (port 9070 by default), not the ingress (8080)",
                hint="`rtour info` shows where the URL comes from; --admin-url overrides it",
                status=answer.status,
            ) from error
        _check_versions(version)
        return version

    async def healthy(self) -> bool:
        """Whether the admin API reports itself healthy."""
        return (await self.origin.send("GET", "/health")).ok

    async def deployments(self) -> list[Deployment]:
        """All deployments, oldest first."""
        answer = await self.origin.json("GET", "/deployments")
        rows = _decode_field(answer, "deployments", list[Deployment])
        return sorted(rows, key=lambda deployment: (deployment.created_at, deployment.id))

    async def deployment(self, deployment_id: str) -> DeploymentDetail:
        """One deployment with its services in full."""
        answer = await self.origin.json("GET", f"/deployments/{_segment(deployment_id)}")
        return _decode(answer, DeploymentDetail)

    async def register(self, request: Mapping[str, Any]) -> Registration:
        """Registers (or, with `dry_run`, tries) a deployment; see `http-api.md` B4."""
        answer = await self.origin.json("POST", "/deployments", body=dict(request))
        registration = _decode(answer, Registration)
        return msgspec.structs.replace(registration, created=answer.status == 201)

    async def remove_deployment(self, deployment_id: str) -> None:
        """Removes it, whoever still runs on it (the server knows only the forced kind)."""
        path = f"/deployments/{_segment(deployment_id)}"
        await self.origin.json("DELETE", path, params={"force": "true"})

    async def services(self) -> list[Service]:
        """All services at their latest revision, by name."""
        answer = await self.origin.json("GET", "/services")
        rows = _decode_field(answer, "services", list[Service])
        return sorted((_in_order(row) for row in rows), key=lambda service: service.name)

    async def service(self, name: str) -> Service:
        """One service."""
        answer = await self.origin.json("GET", f"/services/{_segment(name)}")
        return _in_order(_decode(answer, Service))

    async def configure_service(self, name: str, changes: Mapping[str, Any]) -> Service:
        """Changes retention, timeouts or visibility."""
        path = f"/services/{_segment(name)}"
        answer = await self.origin.json("PATCH", path, body=dict(changes))
        return _in_order(_decode(answer, Service))

    async def write_state(
        self, service: str, key: str, state: Mapping[str, bytes], version: str | None
    ) -> None:
        """Replaces the whole state of a key, if it still has `version` (None: whatever it is)."""
        body = {
            "version": version,
            "object_key": key,
            "new_state": {name: list(value) for name, value in state.items()},
        }
        await self.origin.json("POST", f"/services/{_segment(service)}/state", body=body)

    async def operate(
        self, operation: str, invocation_id: str, params: Mapping[str, str] | None = None
    ) -> Operated:
        """One of `OPERATIONS` on one invocation."""
        assert operation in OPERATIONS
        path = f"/invocations/{_segment(invocation_id)}/{operation}"
        answer = await self.origin.json("PATCH", path, params=params)
        restarted = operation == "restart-as-new"
        return Operated(
            complete=answer.status != 202,
            new_invocation_id=_decode_field(answer, "new_invocation_id", str)
            if restarted
            else None,
        )

    async def write_rule(self, rule: Mapping[str, Any], version: int | None) -> None:
        """Makes a rule, or with `version` changes it if it still has that version."""
        precondition: dict[str, Any] = {"type": "does_not_exist"}
        if version is not None:
            precondition = {"type": "matches", "version": version}
        await self.origin.json(
            "PUT", "/limits/rules", body=[{**rule, "precondition": precondition}]
        )

    async def delete_rule(self, pattern: str, version: int) -> None:
        """Deletes a rule if it still has that version."""
        body = [{"pattern": pattern, "expected_version": version}]
        await self.origin.json("POST", "/limits/rules/bulk-delete", body=body)

    async def subscriptions(self, params: Mapping[str, str]) -> list[Subscription]:
        """Subscriptions, filtered by `source` and `sink`."""
        answer = await self.origin.json("GET", "/subscriptions", params=params)
        return _decode_field(answer, "subscriptions", list[Subscription])

    async def subscription(self, subscription_id: str) -> Subscription:
        """One subscription."""
        answer = await self.origin.json("GET", f"/subscriptions/{_segment(subscription_id)}")
        return _decode(answer, Subscription)

    async def subscription_reading(self, subscription_id: str) -> SubscriptionReading | None:
        """How a subscription's reader is doing; None where the server does not tell."""
        return (await self.subscription_readings()).get(subscription_id)

    async def subscription_readings(self) -> dict[str, SubscriptionReading]:
        """How all readers are doing, by subscription; none where the server does not tell."""
        return {one.subscription_id: one for one in await self._readings() or ()}

    async def exporting(self) -> ExportReading | None:
        """How the export of spans is doing; None where the server does not tell."""
        try:
            answer = await self.origin.json("GET", "/rtour/tracing")
        except NotFound:
            return None
        return _decode(answer, ExportReading)

    async def keeps_hidden_properties(self) -> bool:
        """Whether a change of `***` leaves a Kafka secret as it is; else it would be stored."""
        return await self._readings() is not None

    async def _readings(self) -> list[SubscriptionReading] | None:
        """Only rtour's server has them."""
        try:
            answer = await self.origin.json("GET", "/rtour/subscriptions")
        except NotFound:
            return None
        return _decode_field(answer, "readings", list[SubscriptionReading])

    async def subscribe(self, source: str, sink: str, options: Mapping[str, str]) -> Subscription:
        """Feeds a topic to a handler."""
        body = {"source": source, "sink": sink, "options": dict(options)}
        return _decode(await self.origin.json("POST", "/subscriptions", body=body), Subscription)

    async def unsubscribe(self, subscription_id: str) -> None:
        """Ends a subscription."""
        await self.origin.json("DELETE", f"/subscriptions/{_segment(subscription_id)}")

    async def kafka_clusters(self) -> list[KafkaCluster]:
        """All Kafka clusters the server knows."""
        answer = await self.origin.json("GET", "/kafka-clusters")
        return _decode_field(answer, "clusters", list[KafkaCluster])

    async def kafka_cluster(self, name: str) -> KafkaCluster:
        """One Kafka cluster with its subscriptions."""
        params = {"include_subscriptions": "true"}
        answer = await self.origin.json("GET", f"/kafka-clusters/{_segment(name)}", params=params)
        return _decode(answer, KafkaCluster)

    async def create_kafka_cluster(self, name: str, properties: Mapping[str, str]) -> None:
        """Makes a Kafka cluster known."""
        body = {"name": name, "properties": dict(properties)}
        await self.origin.json("POST", "/kafka-clusters", body=body)

    async def update_kafka_cluster(self, name: str, properties: Mapping[str, str]) -> None:
        """Replaces a Kafka cluster's properties."""
        path = f"/kafka-clusters/{_segment(name)}"
        await self.origin.json("PATCH", path, body={"properties": dict(properties)})

    async def remove_kafka_cluster(self, name: str, *, force: bool) -> None:
        """Forgets a Kafka cluster; with `force` also one that subscriptions read from."""
        params = {"force": "true"} if force else {}
        await self.origin.json("DELETE", f"/kafka-clusters/{_segment(name)}", params=params)


def _segment(value: str) -> str:
    return quote(value, safe="")


def _in_order(service: Service) -> Service:
    """The server lists handlers in random order; people and snapshots want one order."""
    handlers = sorted(service.handlers, key=lambda handler: handler.name)
    return msgspec.structs.replace(service, handlers=handlers)


def _decode(answer: Answer, shape: type[T]) -> T:
    try:
        return msgspec.json.decode(answer.body, type=shape)
    except msgspec.DecodeError as error:
        raise ServerFailed(
            f"the server's answer is not what was expected: {error}",
            expected=f"JSON of a {getattr(shape, '__name__', shape)}",
            hint="compare versions with `rtour info`",
            status=answer.status,
        ) from error


def _decode_field(answer: Answer, field: str, shape: type[T]) -> T:
    raw = _decode(answer, dict[str, msgspec.Raw]).get(field)
    if raw is None:
        raise ServerFailed(f"the server's answer has no '{field}'")
    return _decode(Answer(answer.status, answer.headers, bytes(raw)), shape)


def _check_versions(version: Version) -> None:
    if (
        version.min_admin_api_version <= NEWEST_ADMIN_API
        and version.max_admin_api_version >= OLDEST_ADMIN_API
    ):
        return
    theirs = f"{version.min_admin_api_version} to {version.max_admin_api_version}"
    raise Incompatible(
        f"server {version.version} speaks admin API {theirs}",
        expected=f"a server that speaks one of {OLDEST_ADMIN_API} to {NEWEST_ADMIN_API}",
        hint="update rtour or the server",
    )
