"""The metrics of both servers after the same doings: names, types and labels."""

from __future__ import annotations

import re
import runpy
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from tests.conformance.program import op
from tests.conformance.servers import QUICK, Kind
from tests.conformance.sites import site
from tests.conformance.waiting import eventually

pytestmark = pytest.mark.oracle

LEFT_OUT: dict[str, str] = runpy.run_path(
    str(Path(__file__).parents[2] / "docs" / "reference" / "metrics.py")
)["LEFT_OUT"]
# Of partitions, which rtour has none of; of quantiles and buckets; and why a connection closed.
NOT_OURS = {"partition", "partition_id", "invoker_id", "leader", "quantile", "le"}
NOT_TOLD = {("restate_ingress_http_connection_dropped_total", "status")}
# Numbers that one server has by its nature and the other by what was done are not compared.
SAME = (
    ("restate_ingress_requests_total", 'status="completed"'),
    ("restate_ingress_request_duration_seconds_count", 'rpc_service="CartObject"'),
    ("restate_invoker_client_requests_total", 'status_code="200"'),
    ("restate_invoker_invocation_tasks_total", 'status="completed"'),
    ("restate_usage_leader_journal_entry_count_total", 'entry="Command/Call"'),
    ("restate_usage_leader_journal_entry_count_total", 'entry="Completion/Call"'),
    ("restate_usage_leader_journal_entry_count_total", 'entry="Completion/CallInvocationId"'),
    ("restate_usage_leader_journal_entry_count_total", 'entry="Command/Run"'),
    ("restate_usage_leader_journal_entry_count_total", 'entry="Completion/Run"'),
    ("restate_usage_leader_journal_entry_count_total", 'entry="Command/GetEagerState"'),
    ("restate_usage_leader_journal_entry_count_total", 'entry="Completion/Sleep"'),
    ("restate_usage_leader_action_count_total", 'action="RegisterTimer"'),
    ("restate_usage_leader_action_count_total", 'action="NewOutboxMessage"'),
    ("restate_usage_leader_action_count_total", 'action="Invoke"'),
    ("restate_usage_leader_action_count_total", 'action="IngressResponse"'),
)


class Exposed(msgspec.Struct, frozen=True):
    """What a server exposes: types and labels by name, and the samples."""

    types: dict[str, str]
    labels: dict[str, set[str]]
    samples: list[tuple[str, str, float]]

    def sum(self, name: str, label: str) -> float:
        return sum(value for of, labels, value in self.samples if of == name and label in labels)


def parsed(text: str) -> Exposed:
    types = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE))
    exposed = Exposed(types, {name: set() for name in types}, [])
    for name, labels, value in re.findall(r"^(\w+)\{(.*)\} (\S+)$", text, re.MULTILINE):
        exposed.samples.append((name, labels, float(value)))
        family = name if name in types else re.sub("_(bucket|sum|count)$", "", name)
        exposed.labels[family] |= set(re.findall(r'(\w+)="', labels))
    return exposed


async def exposed_by(kind: Kind, folder: Path) -> Exposed:
    """After a checkout and a sleep, once all has been told."""
    async with site(kind, "python", folder, QUICK) as here, httpx.AsyncClient(timeout=30) as client:
        bodies: list[tuple[str, dict[str, Any]]] = [
            ("CartObject/mary/addTicket", {"json": "seat2B"}),
            ("CartObject/mary/checkout", {}),
            ("Svc/run", {"json": [op("sleep", ms=10)]}),
        ]
        for path, body in bodies:
            answer = await client.post(f"{here.server.ingress_url}/{path}", **body)
            assert answer.status_code == 200, answer.text

        async def ask() -> Exposed:
            return parsed((await client.get(here.server.metrics_url)).text)

        return await eventually("all attempts are told", ask, _all_ended)


def _all_ended(exposed: Exposed) -> bool:
    """Of six invocations, the delayed one has not begun; the official server tells late."""
    ended = exposed.sum("restate_invoker_invocation_tasks_total", 'status="completed"')
    return ended >= 6 and exposed.sum("restate_ingress_requests_total", 'status="completed"') >= 3


async def test_each_metric_is_had_or_left_out_for_a_reason(tmp_path: Path) -> None:
    """What the official server exposes rtour does, with its type and labels; or the page says why.

    And what both count, they count alike.
    """
    official = await exposed_by("official", tmp_path / "official")
    ours = await exposed_by("rtour", tmp_path / "rtour")
    missing = [
        name
        for name in official.types
        if name not in ours.types and not any(fnmatch(name, pattern) for pattern in LEFT_OUT)
    ]
    assert not missing
    for name in official.types.keys() & ours.types.keys():
        kinds = official.types[name], ours.types[name]
        assert kinds[0] == kinds[1] or kinds == ("summary", "histogram"), name
        wanted = {(name, label) for label in official.labels[name] - NOT_OURS} - NOT_TOLD
        assert wanted <= {(name, label) for label in ours.labels[name]}
    for name, label in SAME:
        assert ours.sum(name, label) == official.sum(name, label) > 0, (name, label)
