"""The endpoints of the admin API as a table."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from rtour.server.admin import bodies, models


class Route(msgspec.Struct, frozen=True):
    """One endpoint. `name` is its operation id and the name of the method that serves it.

    `query` names its parameters; `takes` and `gives` are the types of its bodies; `statuses` are
    those of success, `errors` those of refusals.
    """

    method: str
    pattern: str
    name: str
    summary: str
    tag: str
    statuses: tuple[int, ...] = (200,)
    errors: tuple[int, ...] = ()
    query: tuple[str, ...] = ()
    takes: Any = None
    gives: Any = None


_LOOKUP = (400, 404)
_CONTROL = (400, 404, 409)

ROUTES: Final = (
    Route("GET", "/health", "health", "Is the server up?", "health"),
    Route(
        "GET",
        "/version",
        "version",
        "Versions of the server and of this API",
        "version",
        gives=models.VersionInformation,
    ),
    Route("GET", "/cluster-health", "cluster_health", "Health of the cluster", "health"),
    Route("GET", "/openapi", "openapi", "This document", "health"),
    Route(
        "GET",
        "/deployments",
        "list_deployments",
        "All deployments",
        "deployment",
        gives=models.Deployments,
    ),
    Route(
        "POST",
        "/deployments",
        "create_deployment",
        "Register a deployment: ask it what it serves, and remember that",
        "deployment",
        statuses=(200, 201),
        errors=(400, 409, 415, 422, 500),
        takes=bodies.RegisterBody,
        gives=models.Registered,
    ),
    Route(
        "GET",
        "/deployments/{deployment}",
        "get_deployment",
        "A deployment and its services",
        "deployment",
        errors=_LOOKUP,
        gives=models.DeploymentDetail,
    ),
    Route(
        "PATCH",
        "/deployments/{deployment}",
        "update_deployment",
        "Change the address or headers of a deployment",
        "deployment",
        errors=(400, 404, 409, 500),
        takes=bodies.UpdateBody,
        gives=models.DeploymentDetail,
    ),
    Route(
        "PUT",
        "/deployments/{deployment}",
        "replace_deployment",
        "Deprecated: as PATCH with overwrite, in API version 2 only",
        "deployment",
        errors=(400, 404, 405),
        takes=bodies.RegisterBody,
        gives=models.DeploymentDetail,
    ),
    Route(
        "DELETE",
        "/deployments/{deployment}",
        "delete_deployment",
        "Forget a deployment",
        "deployment",
        statuses=(202,),
        errors=(400, 404, 501),
        query=("force",),
    ),
    Route("GET", "/services", "list_services", "All services", "service", gives=models.Services),
    Route(
        "GET",
        "/services/{service}",
        "get_service",
        "A service at its latest revision",
        "service",
        errors=(404,),
        gives=models.ServiceMetadata,
    ),
    Route(
        "PATCH",
        "/services/{service}",
        "modify_service",
        "Change settings of a service until it is registered again",
        "service",
        errors=(400, 404, 422),
        takes=bodies.ServiceBody,
        gives=models.ServiceMetadata,
    ),
    Route(
        "GET",
        "/services/{service}/handlers",
        "list_service_handlers",
        "The handlers of a service",
        "service_handler",
        errors=(404,),
        gives=models.Handlers,
    ),
    Route(
        "GET",
        "/services/{service}/handlers/{handler}",
        "get_service_handler",
        "A handler",
        "service_handler",
        errors=(404,),
        gives=models.HandlerMetadata,
    ),
    Route(
        "GET",
        "/services/{service}/openapi",
        "get_service_openapi",
        "How to call a service, as an OpenAPI document",
        "service",
        errors=(404,),
    ),
    Route(
        "POST",
        "/services/{service}/state",
        "modify_service_state",
        "Replace all state of one object",
        "service",
        statuses=(202,),
        errors=(400, 404, 422),
        takes=bodies.StateBody,
    ),
    Route(
        "DELETE",
        "/invocations/{invocation_id}",
        "delete_invocation",
        "Deprecated: cancel, kill or purge an invocation",
        "invocation",
        statuses=(202,),
        errors=(400,),
        query=("mode",),
    ),
    Route(
        "PATCH",
        "/invocations/{invocation_id}/cancel",
        "cancel_invocation",
        "Ask an invocation to stop",
        "invocation",
        statuses=(200, 202),
        errors=_CONTROL,
    ),
    Route(
        "PATCH",
        "/invocations/{invocation_id}/kill",
        "kill_invocation",
        "End an invocation and all it called, running none of its code",
        "invocation",
        errors=_CONTROL,
    ),
    Route(
        "PATCH",
        "/invocations/{invocation_id}/pause",
        "pause_invocation",
        "Stop trying when the current attempt ends",
        "invocation",
        statuses=(200, 202),
        errors=_CONTROL,
    ),
    Route(
        "PATCH",
        "/invocations/{invocation_id}/purge",
        "purge_invocation",
        "Forget a completed invocation",
        "invocation",
        errors=_CONTROL,
    ),
    Route(
        "PATCH",
        "/invocations/{invocation_id}/purge-journal",
        "purge_journal",
        "Forget the journal of a completed invocation, keep its result",
        "invocation",
        errors=_CONTROL,
    ),
    Route(
        "PATCH",
        "/invocations/{invocation_id}/resume",
        "resume_invocation",
        "Try a paused, suspended or waiting invocation now",
        "invocation",
        errors=(400, 404, 409, 425),
        query=("deployment",),
    ),
    Route(
        "PATCH",
        "/invocations/{invocation_id}/restart-as-new",
        "restart_as_new_invocation",
        "Run a completed invocation again, as a new one",
        "invocation",
        errors=(400, 404, 409, 410, 422, 425),
        query=("from", "deployment"),
        gives=models.Restarted,
    ),
    Route(
        "POST",
        "/internal/invocations_batch_operations/{operation}",
        "batch",
        "An operation on up to 1000 invocations",
        "invocation",
        errors=(400, 404, 422),
        takes=bodies.BatchBody,
        gives=models.BatchResult,
    ),
    Route(
        "POST",
        "/query",
        "query",
        "SQL over invocations, journals, state and what is registered",
        "introspection",
        errors=(400, 415, 422, 500),
        takes=bodies.QueryBody,
    ),
    Route(
        "GET",
        "/rtour/time",
        "show_time",
        "The server's clock, and what is waited for next",
        "time",
        gives=models.TimeInformation,
    ),
    Route(
        "POST",
        "/rtour/time",
        "drive_time",
        "Skip time, stop the clock, let it go; for servers with --dev-clock",
        "time",
        errors=(400, 409, 422),
        takes=bodies.TimeBody,
        gives=models.TimeMoved,
    ),
    Route("GET", "/subscriptions", "list_subscriptions", "All subscriptions", "subscription"),
    Route(
        "POST",
        "/subscriptions",
        "create_subscription",
        "Feed a handler from a Kafka topic",
        "subscription",
        statuses=(201,),
        errors=(400, 422),
        takes=bodies.SubscriptionBody,
    ),
    Route(
        "GET",
        "/subscriptions/{subscription}",
        "get_subscription",
        "A subscription",
        "subscription",
        errors=_LOOKUP,
    ),
    Route(
        "DELETE",
        "/subscriptions/{subscription}",
        "delete_subscription",
        "End a subscription",
        "subscription",
        statuses=(202,),
        errors=_LOOKUP,
    ),
    Route("GET", "/kafka-clusters", "list_kafka_clusters", "All Kafka clusters", "kafka_cluster"),
    Route(
        "POST",
        "/kafka-clusters",
        "create_kafka_cluster",
        "Add a Kafka cluster",
        "kafka_cluster",
        statuses=(201,),
        errors=(400, 422, 501),
        takes=bodies.ClusterBody,
    ),
    Route(
        "GET",
        "/kafka-clusters/{cluster_name}",
        "get_kafka_cluster",
        "A Kafka cluster",
        "kafka_cluster",
        errors=(404,),
    ),
    Route(
        "PATCH",
        "/kafka-clusters/{cluster_name}",
        "update_kafka_cluster",
        "Change the properties of a Kafka cluster",
        "kafka_cluster",
        errors=_LOOKUP,
        takes=bodies.PropertiesBody,
    ),
    Route(
        "DELETE",
        "/kafka-clusters/{cluster_name}",
        "delete_kafka_cluster",
        "Forget a Kafka cluster",
        "kafka_cluster",
        statuses=(202,),
        errors=(404,),
    ),
    Route("PUT", "/limits/rules", "upsert_rules", "Set flow-control rules", "rule"),
    Route("POST", "/limits/rules/bulk-delete", "bulk_delete_rules", "Remove rules", "rule"),
    Route("POST", "/vqueues/{vqueue_id}/pause", "pause_vqueue", "Pause a queue", "vqueue"),
    Route("POST", "/vqueues/{vqueue_id}/resume", "resume_vqueue", "Resume a queue", "vqueue"),
)
