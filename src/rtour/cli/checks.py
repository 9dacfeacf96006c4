"""The checks of `rtour doctor`, each a function that answers findings."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from importlib.util import find_spec
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from rtour.cli import data_folder
from rtour.cli.finding import Finding
from rtour.cli.registering import absolute
from rtour.cli.settings import config_home, state_home, user_file
from rtour.cli.wording import plural

if TYPE_CHECKING:
    from rtour.cli.session import Session
    from rtour.client import Client

OLDEST_PYTHON = (3, 11)
# What each extra of the package stands for: a module that comes with it, and what it is for.
EXTRAS = {
    "sqlite_utils": ("server", "rtour server, rtour up"),
    "textual": ("tui", "rtour ui, rtour tour"),
}
REACH_S = 1.0
MANIFEST = "application/vnd.restate.endpointmanifest.v3+json"


async def all_checks(session: Session, client: Client, endpoints: list[str]) -> list[Finding]:
    """All checks, in the order in which one would fix things."""
    found = [*_installation(), *_folders(session), *_data(session)]
    admin = await _admin(session, client)
    found += admin
    if all(each.level != "problem" for each in admin):
        found += await _guarded("ingress", _ingress, client)
        found += await _guarded("deployments", _deployments, client)
        found += await _guarded("invocations", _invocations, client)
        found += await _guarded("subscriptions", _subscriptions, client)
        found += await _guarded("tracing", _tracing, client)
    for endpoint in endpoints:
        found.append(await _endpoint(absolute(endpoint)))
    return found


def _installation() -> list[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    found = [Finding("ok", "Python", version)]
    if sys.version_info < OLDEST_PYTHON:
        found = [Finding("problem", "Python", version, "use Python 3.11 or newer")]
    for module, (extra, purpose) in EXTRAS.items():
        if find_spec(module):
            found.append(Finding("ok", f"extra '{extra}'", "installed"))
        else:
            advice = f"pip install 'rtour[{extra}]' for {purpose}"
            found.append(Finding("warning", f"extra '{extra}'", "not installed", advice))
    return found


def _folders(session: Session) -> list[Finding]:
    env = session.world.env
    found = []
    for what, path in (("config folder", config_home(env)), ("state folder", state_home(env))):
        parent = next(each for each in (path, *path.parents) if each.exists())
        if os.access(parent, os.W_OK):
            found.append(Finding("ok", what, str(path)))
        else:
            advice = f"make {parent} writable, or set XDG_CONFIG_HOME and XDG_STATE_HOME"
            found.append(Finding("warning", what, f"{path} cannot be written", advice))
    file = user_file(env)
    if file.is_file() and file.stat().st_mode & 0o077 and "bearer_token" in file.read_text("utf-8"):
        advice = f"chmod 600 {file}"
        found.append(Finding("warning", "config file", "others can read your token", advice))
    return found


def _data(session: Session) -> list[Finding]:
    # Without the extra there is no server here, and it was just said so.
    return data_folder.look(session) if find_spec("sqlite_utils") else []


async def _admin(session: Session, client: Client) -> list[Finding]:
    from rtour.client import ClientError  # noqa: PLC0415

    url = session.settings.admin_url
    where = f"{url.value} (from {url.origin})"
    try:
        version = await client.admin.version()
        healthy = await client.admin.healthy()
    except ClientError as error:
        taken = await _port(url.value or "")
        advice = error.hint or "start a server: rtour up"
        return [Finding("problem", "admin API", f"{error}{taken}", advice)]
    found = [Finding("ok", "admin API", f"{where}, version {version.version}")]
    if not healthy:
        found.append(Finding("problem", "health", "the server says it is not healthy", "its log"))
    return found


async def _ingress(client: Client) -> list[Finding]:
    answer = await client.ingress.origin.send("GET", "/restate/health")
    url = client.connection.ingress_url
    if answer.ok:
        return [Finding("ok", "ingress", url)]
    advice = "is this the ingress URL? `rtour info` shows where it comes from"
    return [Finding("problem", "ingress", f"{url} answers with {answer.status}", advice)]


async def _deployments(client: Client) -> list[Finding]:
    deployments = await client.admin.deployments()
    if not deployments:
        advice = "rtour deployments register localhost:9080"
        return [Finding("warning", "deployments", "none is registered", advice)]
    return list(
        await asyncio.gather(
            *(_endpoint(each.uri) for each in deployments if each.uri is not None),
        )
    )


async def _invocations(client: Client) -> list[Finding]:
    rows = await client.query.counts(
        "status", "sys_invocation", ["status != 'completed'"], "status"
    )
    counts = {row["status"]: int(row["n"]) for row in rows}
    found = []
    for status in ("paused", "backing-off"):
        if counts.get(status):
            finding = f"{plural(counts[status], 'invocation')} {status}"
            advice = f"rtour invocations list --status {status}"
            found.append(Finding("warning", "invocations", finding, advice))
    gone = await client.query.count(
        "sys_invocation",
        [
            "status != 'completed'",
            "pinned_deployment_id IS NOT NULL",
            "pinned_deployment_id NOT IN (SELECT id FROM sys_deployment)",
        ],
    )
    if gone:
        finding = f"{plural(gone, 'invocation')} bound to a deployment that is gone"
        found.append(Finding("warning", "invocations", finding, "rtour invocations list --zombie"))
    return found or [Finding("ok", "invocations", "none is stuck")]


async def _subscriptions(client: Client) -> list[Finding]:
    """Those that read nothing, or not all; a server that does not tell is not asked again."""
    readings = await client.admin.subscription_readings()
    found = []
    for id_, reading in readings.items():
        what, advice = f"subscription {id_}", f"rtour subscriptions describe {id_}"
        if reading.error is not None:
            found.append(Finding("warning", what, f"reads nothing: {reading.error}", advice))
        for partition, reason in reading.held.items():
            finding = f"partition {partition} waits: {reason}"
            found.append(Finding("warning", what, finding, advice))
    if readings and not found:
        found.append(Finding("ok", "subscriptions", f"all {len(readings)} read"))
    return found


async def _tracing(client: Client) -> list[Finding]:
    exporting = await client.admin.exporting()
    if exporting is None or exporting.state == "off":
        return []
    if exporting.error is None:
        finding = f"{plural(exporting.exported, 'span')} exported to {exporting.endpoint}"
        return [Finding("ok", "tracing", finding)]
    finding = (
        f"no spans get to {exporting.endpoint}: {exporting.error}; "
        f"{exporting.waiting} wait, {exporting.lost} were lost"
    )
    advice = "start the collector, or set --tracing-endpoint; invocations go on meanwhile"
    return [Finding("warning", "tracing", finding, advice)]


async def _guarded(
    what: str, check: Callable[[Client], Awaitable[list[Finding]]], client: Client
) -> list[Finding]:
    from rtour.client import ClientError  # noqa: PLC0415

    try:
        return await check(client)
    except ClientError as error:
        return [Finding("problem", what, str(error), error.hint)]


async def _endpoint(url: str) -> Finding:
    """Asks an endpoint for its manifest, as a server would; HTTP/1.1 first, then HTTP/2."""
    import httpx  # noqa: PLC0415

    problem = ""
    for http1 in (True, False):
        try:
            async with httpx.AsyncClient(
                http1=http1, http2=not http1, timeout=REACH_S, trust_env=False
            ) as http:
                answer = await http.get(f"{url.rstrip('/')}/discover", headers={"accept": MANIFEST})
        except (httpx.HTTPError, ImportError) as error:
            problem = problem or str(error) or type(error).__name__
            continue
        if answer.is_success:
            names = [each.get("name", "?") for each in answer.json().get("services", [])]
            return Finding("ok", f"endpoint {url}", f"serves {', '.join(names) or 'nothing'}")
        problem = f"answers with {answer.status_code}"
    advice = "start the service; the server may see another network than this machine"
    return Finding("warning", f"endpoint {url}", f"no manifest from here: {problem}", advice)


async def _port(url: str) -> str:
    """Whether anything at all listens at a URL."""
    parts = urlsplit(url)
    try:
        async with asyncio.timeout(REACH_S):
            _, writer = await asyncio.open_connection(parts.hostname, parts.port or 80)
    except (OSError, TimeoutError):
        return "; nothing listens there"
    writer.close()
    return "; something listens there"
