"""What an SDK and a server agree on: versions of discovery and of the protocol, and the mode.

docs/reference/sdks.md is written from what is recorded of this.
"""

from __future__ import annotations

from tests.conformance.endpoints import SETUPS
from tests.conformance.scenarios.catalogue import scenario
from tests.conformance.world import World

DISCOVERY_VERSIONS = range(1, 6)
NEGOTIATED = (
    "sdk_version",
    "protocol_type",
    "http_version",
    "min_protocol_version",
    "max_protocol_version",
)
MANIFEST = "application/vnd.restate.endpointmanifest.v{}+json"


@scenario(setups=SETUPS)
async def sdk_is_negotiated(w: World) -> None:
    """The versions an SDK offers, which of them the server takes, and how it says so."""
    offered = {}
    for version in DISCOVERY_VERSIONS:
        answer = await w.site.endpoint.get("/discover", accept=MANIFEST.format(version))
        if answer.status_code == 200:
            offered[version] = answer.json()
    manifest = offered[max(offered)]
    w.note("discovery", sorted(offered))
    w.note("mode", manifest["protocolMode"])
    w.note("protocol", [manifest["minProtocolVersion"], manifest["maxProtocolVersion"]])
    deployment = (await w.admin("GET", f"/deployments/{w.site.deployment_id}")).json()
    w.note("deployment", {name: deployment.get(name) for name in NEGOTIATED})
    answer = await w.ingress("POST", "/Svc/echo", 1)
    rows = await w.sql(
        "SELECT pinned_service_protocol_version AS pinned FROM sys_invocation"
        f" WHERE id = '{answer.headers['x-restate-id']}'"
    )
    w.note("pinned", rows)
