"""Settings: where they come from, what wins, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rtour.server.kafka.catalog import BROKERS, Cluster
from rtour.server.settings import ConfigError, Limits, Settings, load
from rtour.server.tokens import Secret


def test_nothing_set_is_the_defaults() -> None:
    """Without any source the defaults hold, which listen on loopback only."""
    assert load({}) == Settings()
    assert Settings().host == "127.0.0.1"


def test_flags_win_over_variables_over_official_ones_over_the_file(tmp_path: Path) -> None:
    """Each source overrides the next, setting by setting."""
    file = tmp_path / "rtour.toml"
    file.write_text(
        'data = "file"\nlog_level = "error"\nabort_timeout = "1s"\ncleanup-interval = "1s"\n'
    )
    environment = {
        "RESTATE_BASE_DIR": "official",
        "RESTATE_WORKER__INVOKER__ABORT_TIMEOUT": "2s",
        "RTOUR_ABORT_TIMEOUT": "3s",
        "RTOUR_DATA": "ours",
    }
    settings = load(environment, file=file, flags={"data": "flag", "log_level": None})
    assert (settings.data, settings.abort_timeout_ms) == ("flag", 3000)
    assert (settings.log_level, settings.cleanup_interval_ms) == ("error", 1000)
    assert load(environment, file=file).data == "ours"
    del environment["RTOUR_DATA"]
    assert load(environment, file=file).data == "official"


OFFICIAL = [
    ("RESTATE_BASE_DIR", "/d", "data", "/d"),
    ("RESTATE_LOG_FILTER", "warn,restate=info", "log_level", "warn,restate=info"),
    ("RESTATE_LOG_FORMAT", "json", "log_format", "json"),
    ("RESTATE_LOG_FORMAT", "compact", "log_format", "human"),
    ("RESTATE_BIND_IP", "0.0.0.0", "host", "0.0.0.0"),
    (
        "RESTATE_DEFAULT_RETRY_POLICY__INITIAL_INTERVAL",
        "PT0.1S",
        "retry_initial_interval_ms",
        100,
    ),
    (
        "RESTATE_DEFAULT_RETRY_POLICY__EXPONENTIATION_FACTOR",
        "1.5",
        "retry_exponentiation_factor",
        1.5,
    ),
    ("RESTATE_DEFAULT_RETRY_POLICY__MAX_INTERVAL", "5s", "retry_max_interval_ms", 5000),
    ("RESTATE_DEFAULT_RETRY_POLICY__MAX_ATTEMPTS", "5", "retry_max_attempts", 5),
    ("RESTATE_DEFAULT_RETRY_POLICY__MAX_ATTEMPTS", "unlimited", "retry_max_attempts", None),
    ("RESTATE_DEFAULT_RETRY_POLICY__ON_MAX_ATTEMPTS", "kill", "retry_on_max_attempts", "kill"),
    ("RESTATE_WORKER__INVOKER__INACTIVITY_TIMEOUT", "0s", "inactivity_timeout_ms", 0),
    ("RESTATE_WORKER__INVOKER__ABORT_TIMEOUT", "1 min", "abort_timeout_ms", 60_000),
    ("RESTATE_DEFAULT_IDEMPOTENCY_RETENTION", "1h", "idempotency_retention_ms", 3_600_000),
    (
        "RESTATE_DEFAULT_WORKFLOW_COMPLETION_RETENTION",
        "2h",
        "workflow_completion_retention_ms",
        7_200_000,
    ),
    ("RESTATE_DEFAULT_JOURNAL_RETENTION", "0s", "journal_retention_ms", 0),
    ("RESTATE_WORKER__CLEANUP_INTERVAL", "4s", "cleanup_interval_ms", 4000),
    ("RESTATE_WORKER__INVOKER__DISABLE_EAGER_STATE", "true", "disable_eager_state", True),
    ("RESTATE_EXPERIMENTAL_ENABLE_PROTOCOL_V7", "true", "protocol_v7", True),
    (
        "RESTATE_REQUEST_IDENTITY_PRIVATE_KEY_PEM_FILE",
        "/k",
        "request_identity_key_file",
        "/k",
    ),
    ("RESTATE_TRACING_ENDPOINT", "http://t", "tracing_endpoint", "http://t"),
]


@pytest.mark.parametrize(("variable", "text", "name", "value"), OFFICIAL)
def test_official_variables_are_understood(
    variable: str, text: str, name: str, value: object
) -> None:
    """Scripts for the official server need no change."""
    assert getattr(load({variable: text}), name) == value


def test_official_addresses_bind_each_port_by_itself() -> None:
    """An ingress for everyone does not open the admin port, nor the other way round."""
    settings = load(
        {
            "RESTATE_INGRESS__BIND_ADDRESS": "0.0.0.0:1",
            "RESTATE_ADMIN__BIND_ADDRESS": "[::1]:2",
        }
    )
    assert (settings.ingress_host, settings.ingress_port) == ("0.0.0.0", 1)
    assert (settings.admin_host, settings.admin_port) == ("::1", 2)
    assert settings.host == "127.0.0.1"


@pytest.mark.parametrize("word", ["off", "none", "OFF"])
def test_the_postgres_port_can_be_off(word: str) -> None:
    """As a variable and as a flag."""
    assert load({"RTOUR_PG_PORT": word}).pg_port is None
    assert load({}, flags={"pg_port": word}).pg_port is None
    assert load({}, flags={"pg_port": "5"}).pg_port == 5


def test_a_variable_can_name_the_file(tmp_path: Path) -> None:
    """`RTOUR_CONFIG` is what `--config` is, and gives way to it."""
    (tmp_path / "a.toml").write_text("ingress_port = 1\n[limits]\nconcurrent_attempts = 7\n")
    (tmp_path / "b.toml").write_text("ingress_port = 2\n")
    environment = {"RTOUR_CONFIG": str(tmp_path / "a.toml")}
    settings = load(environment)
    assert (settings.ingress_port, settings.limits) == (1, Limits(concurrent_attempts=7))
    assert load(environment, file=tmp_path / "b.toml").ingress_port == 2


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"RTOUR_INGRESS_PORT": "x"}, "RTOUR_INGRESS_PORT: cannot use 'x' for ingress_port"),
        ({"RTOUR_ADMIN_PORT": "65536"}, "no port"),
        ({"RESTATE_INGRESS__BIND_ADDRESS": "nowhere"}, "RESTATE_INGRESS__BIND_ADDRESS"),
        ({"RTOUR_ABORT_TIMEOUT": "soon"}, "RTOUR_ABORT_TIMEOUT"),
        ({"RTOUR_EPHEMERAL": "maybe"}, "expected true or false"),
        ({"RTOUR_LOG_LEVEL": "loud"}, "log_level: 'loud' names no level"),
        ({"RESTATE_LOG_FILTER": "info,rtour.sever=debug"}, "there is no rtour.sever; there are"),
        ({"RTOUR_LOG_FORMAT": "xml"}, "log_format"),
        ({"RTOUR_RETRY_ON_MAX_ATTEMPTS": "give up"}, "expected pause or kill"),
        ({"RTOUR_CONFIG": "/nowhere.toml"}, "/nowhere.toml"),
    ],
)
def test_what_cannot_be_used_says_where_it_came_from(
    environment: dict[str, str], said: str
) -> None:
    """A bad value names its variable."""
    with pytest.raises(ConfigError, match=said):
        load(environment)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("prot = 1", "no setting 'prot'"),
        ("= 1", "not valid TOML"),
        ("[limits]\nconcurent_attempts = 1", "limits"),
        ('ingress_port = "x"', "ingress_port"),
    ],
)
def test_a_mistake_in_the_file_is_refused(tmp_path: Path, text: str, said: str) -> None:
    """Misspelt keys are refused, not passed over."""
    file = tmp_path / "rtour.toml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=said):
        load({}, file=file)


def test_every_setting_has_a_variable() -> None:
    """Whatever a file can say, but the limits, the environment can say."""
    texts: dict[type, tuple[str, Any]] = {
        bool: ("true", True),
        int: ("7", 7),
        float: ("0.5", 0.5),
        str: ("kept", "kept"),
        type(None): ("kept", "kept"),
        tuple: ("a, b", ("a", "b")),
    }
    special = {
        "log_level": "debug",
        "log_format": "json",
        "retry_on_max_attempts": "kill",
        "check_data": "first",
    }
    for name in Settings.__struct_fields__:
        if name == "limits":
            continue
        text, value = texts[type(getattr(Settings(), name))]
        if name.endswith("_token") or name == "tracing_headers":
            text, value = "a secret", Secret("a secret")
        if name in special:
            text = value = special[name]
        if name == "kafka_clusters":
            text, value = "[{name=a,brokers=[b]}]", (Cluster("a", {BROKERS[1]: "b"}, 0),)
        if name.endswith("_ms"):
            text, value = "7ms", 7
        variable = f"RTOUR_{name.removesuffix('_ms').upper()}"
        assert getattr(load({variable: text}), name) == value, variable
