"""The admin API: deployments, services, invocations, state (http-api.md part B).

app          prefixes, routing, errors
routes       the table of endpoints, which the OpenAPI document is written from
bodies       what requests say
models       what answers look like
deployments, services, invocations, batches, kafka, flow_control, time    the endpoints, by noun
"""

from rtour.server.admin.app import Admin

__all__ = ["Admin"]
