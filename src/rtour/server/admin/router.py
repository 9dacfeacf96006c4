"""How a request finds its endpoint: version prefix, path, method."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable
from typing import Final
from urllib.parse import unquote

import msgspec

from rtour.server.admin.bodies import AdminError
from rtour.server.admin.routes import ROUTES
from rtour.server.web import Reply

Endpoint = Callable[..., Awaitable[Reply]]

OLDEST: Final = 2
NEWEST: Final = 4
_PREFIX: Final = re.compile(r"v(\d{1,3})")


class Found(msgspec.Struct, frozen=True):
    """The endpoint of a request, and its path parameters."""

    endpoint: Endpoint
    version: int
    parameters: tuple[str, ...]


class MethodNotAllowedError(AdminError):
    """There is such a path, but not with this method."""

    def __init__(self, allowed: Iterable[str]) -> None:
        self.allowed = ",".join(sorted(allowed))
        super().__init__(405, f"method not allowed, expected one of: {self.allowed}")


class Router:
    """Finds endpoints; `owners` are the objects whose methods serve them."""

    def __init__(self, owners: Iterable[object]) -> None:
        served = list(owners)
        self._table: list[tuple[list[str], dict[str, Endpoint]]] = []
        by_pattern: dict[str, dict[str, Endpoint]] = {}
        for route in ROUTES:
            owner = next(owner for owner in served if hasattr(owner, route.name))
            by_pattern.setdefault(route.pattern, {})[route.method] = getattr(owner, route.name)
        for pattern, methods in by_pattern.items():
            if "GET" in methods:
                methods["HEAD"] = methods["GET"]
            self._table.append((pattern.split("/")[1:], methods))

    def find(self, method: str, path: str) -> Found:
        version, parts = _version(path.split("/")[1:] or [""])
        for pattern, methods in self._table:
            if len(pattern) != len(parts):
                continue
            parameters = _match(pattern, parts)
            if parameters is None:
                continue
            endpoint = methods.get(method)
            if endpoint is None:
                raise MethodNotAllowedError(methods)
            return Found(endpoint, version, parameters)
        raise AdminError(404, f"there is nothing at {path}; see /openapi for what there is")


def _match(pattern: list[str], parts: list[str]) -> tuple[str, ...] | None:
    parameters = []
    for wanted, part in zip(pattern, parts, strict=True):
        if wanted.startswith("{"):
            parameters.append(unquote(part))
        elif wanted != part:
            return None
    return tuple(parameters)


def _version(parts: list[str]) -> tuple[int, list[str]]:
    """The API version of a path, and the rest; without a prefix the newest."""
    prefix = _PREFIX.fullmatch(parts[0])
    if prefix is None:
        return NEWEST, parts
    version = int(prefix[1])
    if version == OLDEST - 1:
        raise AdminError(
            400,
            f"Unsupported Admin API version V{version}. This server supports versions between "
            f"V{OLDEST} and V{NEWEST}.",
        )
    if not OLDEST <= version <= NEWEST:
        raise AdminError(404, f"there is no version {version} of this API, the newest is {NEWEST}")
    return version, parts[1:]
