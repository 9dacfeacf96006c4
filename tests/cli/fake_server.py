"""A Restate server in a box: recorded admin answers, and SQL over the recorded tables in SQLite.

It speaks through httpx's `MockTransport`, so the whole command line runs in this process, without
sockets. It remembers every request, and answers operations as the official server did when the
spec was observed (`http-api.md` B6).
"""

from __future__ import annotations

import hashlib
import json
import re
import sqlite3
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx

RECORDED = Path(__file__).parent / "recorded"
ADMIN, INGRESS = "http://admin.test", "http://ingress.test"
NEW_ID = "inv_1aaaaaaaaaaa0000000000000000000000"

UNFINISHED = {"scheduled", "pending", "ready", "running", "backing-off", "suspended", "paused"}
ALLOWED = {
    "cancel": UNFINISHED,
    "kill": UNFINISHED,
    "purge": {"completed"},
    "pause": {"running", "backing-off", "suspended", "paused"},
    "resume": {"running", "backing-off", "suspended", "paused"},
    "restart-as-new": {"completed"},
}
LATER = {"cancel": {"running", "backing-off", "suspended", "paused"}, "pause": {"backing-off"}}


class FakeServer:
    """One server; tests may change its tables and put answers of their own in its way."""

    def __init__(self) -> None:
        self.admin: dict[str, Any] = json.loads((RECORDED / "admin.json").read_text())
        recorded = json.loads((RECORDED / "tables.json").read_text())
        # A little later than recorded, so that times have something to say.
        self.now = datetime.fromisoformat(recorded["now"]) + timedelta(seconds=42)
        self.requests: list[httpx.Request] = []
        self.overrides: dict[tuple[str, str], Callable[[httpx.Request], httpx.Response]] = {}
        self.subscriptions: list[dict[str, Any]] = []
        self.clusters: dict[str, dict[str, str]] = {}
        self._columns: dict[str, dict[str, str]] = recorded["columns"]
        self.db = sqlite3.connect(":memory:")
        self.db.row_factory = sqlite3.Row
        # Bytes are kept as hex here, and DataFusion has more functions than SQLite.
        self.db.create_function("encode", 2, lambda value, _: value)
        self.db.create_function("md5", 1, lambda text: hashlib.md5(text.encode()).hexdigest())
        for table, columns in self._columns.items():
            names = ", ".join(f'"{name}"' for name in columns)
            self.db.execute(f"CREATE TABLE {table} ({names})")
            for row in recorded["rows"][table]:
                self.insert(table, row)
        retry = (self.now + timedelta(seconds=5)).isoformat()
        self.db.execute(
            "UPDATE sys_invocation SET next_retry_at = ? WHERE status = 'backing-off'", [retry]
        )

    def insert(self, table: str, row: dict[str, Any]) -> None:
        """Adds a row; absent columns are NULL."""
        columns = self._columns[table]
        values = [_stored(row.get(name)) for name in columns]
        marks = ", ".join("?" * len(columns))
        self.db.execute(f"INSERT INTO {table} VALUES ({marks})", values)

    def ids(self, status: str) -> list[str]:
        """The invocations in a status, oldest first."""
        found = self.db.execute(
            "SELECT id FROM sys_invocation WHERE status = ? ORDER BY created_at, id", [status]
        )
        return [row["id"] for row in found]

    def id_of(self, target: str) -> str:
        """The oldest invocation of a target."""
        found = self.db.execute(
            "SELECT id FROM sys_invocation WHERE target = ? ORDER BY created_at, id", [target]
        )
        return str(found.fetchone()["id"])

    def transport(self) -> httpx.MockTransport:
        """The way in."""
        return httpx.MockTransport(self._answer)

    def sent(self, method: str, path: str) -> list[Any]:
        """The JSON bodies (or None) of the requests to a path."""
        return [
            json.loads(each.content) if each.content else None
            for each in self.requests
            if each.method == method and unquote(each.url.raw_path.decode()) == path
        ]

    # --- answering ---------------------------------------------------------------------------

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        path = request.url.path
        if override := self.overrides.get((request.method, path)):
            return override(request)
        if str(request.url).startswith(INGRESS):
            return self._ingress(request)
        head = path.strip("/").split("/")[0]
        routes: dict[str, Callable[[httpx.Request, list[str]], httpx.Response]] = {
            "query": self._query,
            "services": self._services,
            "deployments": self._deployments,
            "invocations": self._invocations,
            "subscriptions": self._subscriptions,
            "kafka-clusters": self._clusters,
            "limits": self._rules,
            "rtour": self._time,
        }
        if path == "/health":
            return httpx.Response(200)
        if path in self.admin and request.method == "GET":
            return httpx.Response(200, json=self.admin[path])
        if head not in routes:
            return httpx.Response(404)
        return routes[head](request, path.strip("/").split("/")[1:])

    def _query(self, request: httpx.Request, _: list[str]) -> httpx.Response:
        assert request.headers["accept"] == "application/json"
        sql = json.loads(request.content)["query"]
        if "information_schema.columns" in sql:
            rows = [
                {"table_name": table, "column_name": name}
                for table, columns in self._columns.items()
                for name in columns
            ]
            return httpx.Response(200, json={"rows": rows})
        # `index` is a column in DataFusion and a keyword in SQLite.
        sql = re.sub(r"\bsj\.index\b", 'sj."index"', sql)
        try:
            found = self.db.execute(sql).fetchall()
        except sqlite3.Error as error:
            return _error(500, f"Datafusion error: {error}")
        rows = [
            {name: self._shown(name, row[name]) for name in row.keys() if row[name] is not None}  # noqa: SIM118
            for row in found
        ]
        return httpx.Response(200, json={"rows": rows})

    def _shown(self, name: str, value: Any) -> Any:
        types = {columns[name] for columns in self._columns.values() if name in columns}
        if types == {"Boolean"}:
            return bool(value)
        if any(each.startswith("List") for each in types):
            return json.loads(value)
        return value

    def _services(self, request: httpx.Request, rest: list[str]) -> httpx.Response:
        services = self.admin["/services"]["services"]
        found = next((each for each in services if each["name"] == rest[0]), None)
        if found is None:
            return _error(404, f"The requested service '{rest[0]}' does not exist")
        if request.method == "PATCH":
            found.update({k: v for k, v in json.loads(request.content).items() if v is not None})
        if rest[1:] == ["state"]:
            return self._write_state(rest[0], json.loads(request.content))
        return httpx.Response(200, json=found)

    def _write_state(self, service: str, body: dict[str, Any]) -> httpx.Response:
        key = body["object_key"]
        held = self.db.execute(
            "SELECT 1 FROM sys_keyed_service_status WHERE service_name = ? AND service_key = ?",
            [service, key],
        ).fetchone()
        if held is None:
            self.db.execute(
                "DELETE FROM state WHERE service_name = ? AND service_key = ?", [service, key]
            )
            for name, value in body["new_state"].items():
                row = {"service_name": service, "service_key": key, "key": name}
                self.insert("state", {**row, "value": bytes(value).hex()})
        return httpx.Response(202)

    def _deployments(self, request: httpx.Request, rest: list[str]) -> httpx.Response:
        if request.method == "DELETE":
            return httpx.Response(202)
        if request.method == "GET":
            return _error(404, f"not found in the schema registry: deployment with id '{rest[0]}'")
        body = json.loads(request.content)
        detail = next(v for k, v in self.admin.items() if k.startswith("/deployments/"))
        known = body.get("uri") == detail["uri"]
        names = ("id", "services", "min_protocol_version", "max_protocol_version", "sdk_version")
        answer = {name: detail[name] for name in names}
        if not known:
            answer["id"] = "dp_1aaaaaaaaaaaaaaaaaaaaaa"
        return httpx.Response(200 if known else 201, json=answer)

    def _invocations(self, request: httpx.Request, rest: list[str]) -> httpx.Response:
        identity, operation = rest
        found = self.db.execute(
            "SELECT status FROM sys_invocation WHERE id = ?", [identity]
        ).fetchone()
        if found is None:
            return _error(404, f"The requested invocation '{identity}' does not exist")
        if found["status"] not in ALLOWED[operation]:
            return _error(409, f"The invocation '{identity}' is {found['status']}")
        if operation == "restart-as-new":
            return httpx.Response(200, json={"new_invocation_id": NEW_ID})
        return httpx.Response(202 if found["status"] in LATER.get(operation, ()) else 200)

    def _rules(self, request: httpx.Request, rest: list[str]) -> httpx.Response:
        body = json.loads(request.content)
        if rest == ["rules"]:
            return httpx.Response(200, json=[{**each, "version": 1} for each in body])
        return httpx.Response(200, json=[each["pattern"] for each in body])

    def _time(self, request: httpx.Request, rest: list[str]) -> httpx.Response:
        """A clock that was skipped a while ago, and moves no more."""
        if rest != ["time"]:
            return _error(404, "not found")
        now = self.now + timedelta(minutes=15)
        clock = {"mode": "running", "now": now.isoformat(), "offset_ms": 900_000}
        sleeper = self.ids("suspended")[0]
        due = {"at": now.isoformat(), "in_ms": 90_000, "what": "sleep", "invocation_id": sleeper}
        if request.method == "GET":
            return httpx.Response(200, json=clock | {"next": due})
        action = json.loads(request.content)["action"]
        modes = {"freeze": "frozen", "auto": "auto"}
        skipped = action == "skip"
        moved = {"moved_ms": 900_000 * skipped, "timers": int(skipped), "retries": 0}
        clock["mode"] = modes.get(action, "running")
        return httpx.Response(200, json=clock | {"next": due} | moved)

    def _subscriptions(self, request: httpx.Request, rest: list[str]) -> httpx.Response:
        if request.method == "POST":
            made = {"id": "sub_1aaaaaaaaaaaaaaaaaaaaaa", **json.loads(request.content)}
            self.subscriptions.append(made)
            return httpx.Response(201, json=made)
        if not rest:
            return httpx.Response(200, json={"subscriptions": self.subscriptions})
        found = [each for each in self.subscriptions if each["id"] == rest[0]]
        if not found:
            return _error(404, f"The requested subscription '{rest[0]}' does not exist")
        return httpx.Response(202 if request.method == "DELETE" else 200, json=found[0])

    def _clusters(self, request: httpx.Request, rest: list[str]) -> httpx.Response:
        if request.method == "POST":
            body = json.loads(request.content)
            self.clusters[body["name"]] = body["properties"]
            return httpx.Response(201, json=body)
        if not rest:
            rows = [{"name": k, "properties": v} for k, v in self.clusters.items()]
            return httpx.Response(200, json={"clusters": rows})
        if rest[0] not in self.clusters:
            return _error(404, f"The Kafka cluster '{rest[0]}' does not exist")
        if request.method == "PATCH":
            self.clusters[rest[0]] = json.loads(request.content)["properties"]
        body = {"name": rest[0], "properties": self.clusters[rest[0]], "subscriptions": []}
        return httpx.Response(202 if request.method == "DELETE" else 200, json=body)

    def _ingress(self, request: httpx.Request) -> httpx.Response:
        path = request.url.raw_path.decode().partition("?")[0]
        if path == "/restate/health":
            return httpx.Response(200, json={"services": ["Greeter"]})
        if path.startswith("/restate/awakeables/"):
            return httpx.Response(202)
        if path.endswith("/attach"):
            return _result(path.split("/")[3], b'"Hello Ada"')
        if path.endswith("/send"):
            sent = {"invocationId": NEW_ID, "status": "Accepted"}
            if "delay" in request.url.params:
                sent["executionTime"] = "2030-01-01T00:00:00.000000000Z"
            return httpx.Response(202, json=sent)
        if path.endswith("/refuse"):
            return failed(403, "card was refused")
        return _result(NEW_ID, b'"Hello Ada"')


def failed(code: int, message: str) -> httpx.Response:
    """The answer to a call whose handler ended in a terminal error."""
    return httpx.Response(
        code,
        json={"code": code, "message": message, "source": "invocation"},
        headers={"x-restate-error-source": "invocation", "x-restate-id": NEW_ID},
    )


def _result(invocation_id: str, body: bytes) -> httpx.Response:
    headers = {"content-type": "application/json", "x-restate-id": invocation_id}
    return httpx.Response(200, content=body, headers=headers)


def _error(status: int, message: str) -> httpx.Response:
    return httpx.Response(status, json={"message": message, "restate_code": None})


def _stored(value: Any) -> Any:
    if isinstance(value, int) and value >= 1 << 63:
        return str(value)  # partition keys are unsigned; SQLite's integers are not
    return json.dumps(value) if isinstance(value, (list, dict)) else value
