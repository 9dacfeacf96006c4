"""The same thing as a command: what to type, fetch or query to get what a screen shows."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping

import msgspec

from rtour.client.ingress import Target


class Equivalents(msgspec.Struct, frozen=True, kw_only=True):
    """Commands by kind; absent ones are empty."""

    rtour: tuple[str, ...] = ()
    curl: tuple[str, ...] = ()
    sql: tuple[str, ...] = ()

    def commands(self) -> list[tuple[str, str]]:
        """All of them, each with its kind."""
        kinds = (("rtour", self.rtour), ("curl", self.curl), ("SQL", self.sql))
        return [(kind, text) for kind, texts in kinds for text in texts]


def rtour(*words: str) -> str:
    """A command line of ours."""
    return shlex.join(("rtour", *words))


def curl(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
) -> str:
    """A curl command; a body that is no text goes in as octal escapes of printf."""
    parts = ["curl"] if method == "GET" else ["curl", "-X", method]
    parts.append(shlex.quote(url))
    for name, value in (headers or {}).items():
        parts += ["-H", shlex.quote(f"{name}: {value}")]
    if body is None:
        return " ".join(parts)
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        octal = "".join(f"\\{byte:03o}" for byte in body)
        return f"printf '{octal}' | {' '.join(parts)} --data-binary @-"
    return " ".join([*parts, "--data-raw", shlex.quote(text)])


def curl_query(admin_url: str, sql: str) -> str:
    """A query of the admin API."""
    headers = {"content-type": "application/json", "accept": "application/json"}
    body = json.dumps({"query": sql}, ensure_ascii=False).encode()
    return curl("POST", f"{admin_url}/query", headers=headers, body=body)


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """A call of a handler, before it is made."""

    target: Target
    body: bytes | None = None
    headers: Mapping[str, str] = {}
    send: bool = False
    delay: str | None = None

    def curl(self, ingress_url: str) -> str:
        """As curl."""
        path = self.target.path + ("/send" if self.send else "")
        path += f"?delay={self.delay}" if self.send and self.delay else ""
        return curl("POST", f"{ingress_url}{path}", headers=self.headers, body=self.body)

    def rtour(self) -> str:
        """As our own command."""
        words = ["send" if self.send else "call", str(self.target)]
        if self.body is not None:
            words.append(self.body.decode("utf-8", "backslashreplace"))
        if self.send and self.delay:
            words += ["--delay", self.delay]
        for name, value in self.headers.items():
            if name == "idempotency-key":
                words += ["--idempotency-key", value]
            elif name != "content-type" or value != "application/json":
                words += ["-H", f"{name}={value}"]
        return rtour(*words)
