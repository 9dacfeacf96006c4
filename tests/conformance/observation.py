"""What a scenario saw, in a form that two servers can be compared in.

Everything that legitimately differs from run to run is replaced by a name: ids by their order of
appearance, times, ports and the scenario's own random key suffix by a placeholder.
"""

from __future__ import annotations

import json
import re
from functools import partial
from typing import Any

import httpx

SELECTED_HEADERS = (
    "content-type",
    "x-restate-id",
    "x-restate-error-source",
    "idempotency-expires",
    "location",
    "allow",
    "retry-after",
    "access-control-allow-origin",
    "access-control-allow-methods",
    "access-control-allow-headers",
    "access-control-allow-credentials",
)

# Where a trace begins in a message; what follows differs between any two builds.
_TRACE = re.compile(r"\n(\s+at |Traceback|Stack backtrace:|\s*\d+: ).*", re.DOTALL)

_PATTERNS = (
    ("inv", re.compile(r"inv_1[0-9A-Za-z]{33}")),
    ("dp", re.compile(r"dp_1[0-9A-Za-z]{22}")),
    ("sign", re.compile(r"sign_1[0-9A-Za-z_-]{38}")),
)
_PLACEHOLDERS = (
    (re.compile(r"(?:127\.0\.0\.1|localhost):\d+"), "<address>"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|\+00:00)"), "<time>"),
    (re.compile(r"\b0[0-9A-HJKMNP-TV-Z]{25}\b"), "<ulid>"),
)


class Normaliser:
    """Replaces what differs between runs; one per scenario, so that ids keep their numbers."""

    def __init__(self, suffix: str) -> None:
        self._suffix = suffix
        self._numbers: dict[str, str] = {}

    def value(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            kept = {name: each for name, each in value.items() if name != "stacktrace"}
            return {self.text(name): self.value(each) for name, each in kept.items()}
        if isinstance(value, (list, tuple)):
            return [self.value(each) for each in value]
        return value

    def text(self, text: str) -> str:
        text = _TRACE.sub("", text).replace(self._suffix, "")
        for prefix, pattern in _PATTERNS:
            text = pattern.sub(partial(self._numbered, prefix), text)
        for pattern, placeholder in _PLACEHOLDERS:
            text = pattern.sub(placeholder, text)
        return text

    def _numbered(self, prefix: str, found: re.Match[str]) -> str:
        identity = found[0]
        if identity not in self._numbers:
            taken = sum(1 for name in self._numbers.values() if name.startswith(prefix + "#"))
            self._numbers[identity] = f"{prefix}#{taken + 1}"
        return self._numbers[identity]


def body_of(answer: httpx.Response) -> Any:
    """JSON where it says so, text where it is text, hex otherwise."""
    if not answer.content:
        return None
    if answer.headers.get("content-type", "").startswith("application/json"):
        return json.loads(answer.content)
    try:
        return answer.content.decode()
    except UnicodeDecodeError:
        return answer.content.hex()


def answer_as_data(answer: httpx.Response) -> dict[str, Any]:
    """Status, the headers clients rely on, and the body; CORS only where an origin was given."""
    headers = {name: answer.headers[name] for name in SELECTED_HEADERS if name in answer.headers}
    if "access-control-allow-origin" not in headers:
        headers = {name: each for name, each in headers.items() if not name.startswith("access")}
    return {"status": answer.status_code, "headers": headers, "body": body_of(answer)}


Observation = dict[str, Any]


def leaves(observation: Any, path: str = "") -> dict[str, Any]:
    """The observation as `step/status`, `step/body/code`, … → value."""
    if isinstance(observation, dict) and observation:
        items = [(str(name), each) for name, each in observation.items()]
    elif isinstance(observation, list) and observation:
        items = [(str(index), each) for index, each in enumerate(observation)]
    else:
        return {path: observation}
    found: dict[str, Any] = {}
    for name, each in items:
        found.update(leaves(each, f"{path}/{name}" if path else name))
    return found
