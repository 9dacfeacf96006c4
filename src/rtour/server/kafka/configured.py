"""Clusters that the configuration names, in the official server's shape.

    [[ingress.kafka-clusters]]                  [{name="main",brokers=["localhost:9092"]}]
    name = "main"                               the same as a variable: TOML on one line, where
    brokers = ["localhost:9092"]                words may do without quotes
    "sasl.mechanism" = "PLAIN"

What is not `name` or `brokers` is a property of librdkafka's.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from typing import Any, Final

from rtour.errors import RtourError
from rtour.server.kafka.catalog import BROKERS, Cluster, Properties

EXPECTED: Final = '[{name="main",brokers=["localhost:9092"]}]'
_NAME: Final = re.compile(r"[A-Za-z0-9._~-]+")
# A value without quotes; what precedes a `=` is a key.
_BARE: Final = re.compile(r"(?<=[=\[,])\s*([A-Za-z_][^\s\"'\[\]{},=]*)\s*(?=[,\]}])")


class BadClusters(RtourError):  # noqa: N818 - reads as the fact it reports
    """Something else than a list of clusters; the message says what was expected."""


def parse(text: str) -> tuple[Cluster, ...]:
    """The clusters that a variable names. Raises BadClusters."""
    if not text:
        return ()
    try:
        return read(tomllib.loads(f"clusters = {_BARE.sub(_quoted, text)}")["clusters"])
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise BadClusters(f"expected {EXPECTED}") from error


def read(tables: object) -> tuple[Cluster, ...]:
    """The clusters of a file's array of tables. Raises BadClusters."""
    if not isinstance(tables, list):
        raise BadClusters(f"expected a list of clusters, {EXPECTED}")
    found = tuple(map(_cluster, tables))
    if len({cluster.name for cluster in found}) < len(found):
        raise BadClusters("two clusters have one name")
    return found


def _cluster(table: object) -> Cluster:
    if not isinstance(table, dict):
        raise BadClusters(f"expected a table with name and brokers, {EXPECTED}")
    name, brokers = table.get("name"), table.get("brokers")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise BadClusters("the name of a cluster is made of letters, digits and . _ ~ -")
    if not brokers or not isinstance(brokers, list):
        raise BadClusters(f'the cluster {name} has no brokers = ["host:9092"]')
    rest = {key: value for key, value in table.items() if key not in {"name", "brokers"}}
    properties: Properties = {BROKERS[1]: ",".join(map(str, brokers)), **dict(_flat(rest))}
    return Cluster(name, properties, created_at=0)


def _flat(table: dict[str, Any], within: str = "") -> Iterator[tuple[str, str]]:
    """Properties by their full names: sasl.mechanism without quotes is a table to TOML."""
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{within}{key}.")
        else:
            yield f"{within}{key}", str(value).lower() if isinstance(value, bool) else str(value)


def _quoted(word: re.Match[str]) -> str:
    return word[1] if word[1] in {"true", "false"} else f'"{word[1]}"'
