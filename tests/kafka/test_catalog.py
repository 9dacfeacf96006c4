"""Properties: merged, forced, and without secrets when they are shown."""

from __future__ import annotations

import pytest

from rtour.server.kafka.catalog import (
    Cluster,
    Subscription,
    changed,
    consumer_properties,
    shown,
    with_defaults,
)


def test_options_win_over_the_cluster_and_nobody_over_the_server() -> None:
    """An offset that is committed before its record is durable would lose the record."""
    cluster = Cluster(
        "main", {"bootstrap.servers": "a", "client.id": "c", "enable.auto.commit": "false"}, 0
    )
    options = {"client.id": "mine", "enable.auto.offset.store": "true"}
    subscription = Subscription("sub_1", "kafka://main/t", "service://S/h", options)
    assert consumer_properties(cluster, subscription) == {
        "bootstrap.servers": "a",
        "client.id": "mine",
        "enable.auto.commit": "true",
        "enable.auto.offset.store": "false",
    }


def test_a_subscription_has_a_group_of_its_own() -> None:
    """Unless it names one."""
    assert with_defaults("sub_1", {}) == {"client.id": "restate", "group.id": "sub_1"}
    assert with_defaults("sub_1", {"group.id": "mine"})["group.id"] == "mine"


@pytest.mark.parametrize(
    "name",
    [
        *("sasl.password", "SASL.PASSWORD", "sasl.username", "ssl.key.pem", "ssl.key.location"),
        *("ssl.keystore.location", "my.secret", "sasl.oauthbearer.config", "ssl.key.password"),
        "sasl.oauthbearer.token.endpoint.url",
        "sasl.oauthbearer.assertion.private.key.passphrase",
    ],
)
def test_secrets_are_hidden(name: str) -> None:
    """All that the official server hides."""
    assert shown({name: "hunter2"}) == {name: "***"}


@pytest.mark.parametrize(
    "name", ["bootstrap.servers", "ssl.ca.pem", "sasl.mechanism", "sasl.kerberos.keytab"]
)
def test_the_rest_is_shown(name: str) -> None:
    """As it is."""
    assert shown({name: "x"}) == {name: "x"}


def test_a_hidden_value_that_comes_back_stays_as_it_was() -> None:
    """Who edits what was shown does not lose the password; a new one counts."""
    before = {"sasl.password": "hunter2", "bootstrap.servers": "a"}
    assert changed(before, {"sasl.password": "***", "bootstrap.servers": "b"}) == {
        "sasl.password": "hunter2",
        "bootstrap.servers": "b",
    }
    assert changed(before, {"sasl.password": "new"}) == {"sasl.password": "new"}
    assert changed({}, {"ssl.key.pem": "***"}) == {"ssl.key.pem": "***"}
