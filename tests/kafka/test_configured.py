"""Clusters of the configuration, as the official server reads them (asked of 1.7.12)."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from rtour.server.kafka.catalog import Cluster
from rtour.server.kafka.configured import BadClusters, parse, read
from rtour.server.settings import ConfigError, load

FILE = """
[[ingress.kafka-clusters]]
name = "one"
brokers = ["PLAINTEXT://a:1"]
"sasl.mechanism" = "PLAIN"
"session.timeout.ms" = "6000"

[[ingress.kafka-clusters]]
name = "two"
brokers = ["a:1", "b:2"]
"""
ONE = Cluster(
    "one",
    {
        "metadata.broker.list": "PLAINTEXT://a:1",
        "sasl.mechanism": "PLAIN",
        "session.timeout.ms": "6000",
    },
    0,
)
TWO = Cluster("two", {"metadata.broker.list": "a:1,b:2"}, 0)


def test_a_file_names_clusters(tmp_path: Path) -> None:
    """As the official server's file does, or by our setting's name."""
    file = tmp_path / "rtour.toml"
    file.write_text(FILE)
    assert load({}, file=file).kafka_clusters == (ONE, TWO)
    file.write_text(FILE.replace("ingress.kafka-clusters", "kafka_clusters"))
    assert load({}, file=file).kafka_clusters == (ONE, TWO)


LINE = """[{name="one",brokers=["PLAINTEXT://a:1"],"sasl.mechanism"="PLAIN",\
session.timeout.ms=6000}]"""


@pytest.mark.parametrize(
    ("text", "clusters"),
    [
        ("", ()),
        ('[{name="two",brokers=["a:1","b:2"]}]', (TWO,)),
        ("[{name=two, brokers=[a:1, b:2]}]", (TWO,)),
        (LINE, (ONE,)),
        (
            "[{name=x,brokers=[a],enable.partition.eof=true}]",
            (Cluster("x", {"metadata.broker.list": "a", "enable.partition.eof": "true"}, 0),),
        ),
    ],
)
def test_a_variable_names_clusters(text: str, clusters: tuple[Cluster, ...]) -> None:
    """On one line, with quotes or without."""
    assert parse(text) == clusters
    assert load({"RESTATE_INGRESS__KAFKA_CLUSTERS": text}).kafka_clusters == clusters
    assert load({"RTOUR_KAFKA_CLUSTERS": text}).kafka_clusters == clusters


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("main", 'expected [{name="main",brokers=["localhost:9092"]}]'),
        ('{"name":"a"}', "expected [{"),
        ("[a]", "expected a table with name and brokers"),
        ("[{name=a}]", "the cluster a has no brokers"),
        ("[{brokers=[a]}]", "the name of a cluster"),
        ("[{name=a,brokers=[x]},{name=a,brokers=[y]}]", "two clusters have one name"),
    ],
)
def test_what_names_no_clusters_is_refused(text: str, said: str) -> None:
    """With the variable, and what was expected there."""
    with pytest.raises(ConfigError) as caught:
        load({"RESTATE_INGRESS__KAFKA_CLUSTERS": text})
    assert str(caught.value).startswith("RESTATE_INGRESS__KAFKA_CLUSTERS: ")
    assert said in str(caught.value)


def test_nothing_else_stands_below_ingress(tmp_path: Path) -> None:
    """What is not understood is not passed over."""
    file = tmp_path / "rtour.toml"
    file.write_text('[ingress]\nbind-address = "x"\n')
    with pytest.raises(ConfigError, match="expected kafka-clusters alone"):
        load({}, file=file)
    with pytest.raises(BadClusters, match="expected a list"):
        read(tomllib.loads("[clusters]\n")["clusters"])
