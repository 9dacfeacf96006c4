"""Settings of the server and of the command line: files and variables with any text.

The first byte of an input says what the rest is.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random

from rtour.cli import arguments
from rtour.cli.diagnostics import Misuse
from rtour.cli.settings import PROJECT_FILE, resolve
from rtour.errors import RtourError
from rtour.server import settings
from rtour.server.durations import DurationError, parse_delay, parse_duration
from rtour.server.retries import RetryPolicy
from tests.fuzz.target import Check, Target

SERVER = """
data = "d"
host = "::1"
ingress-port = 1
retry_initial_interval = "1h 30m"
retry_exponentiation_factor = 1.5
retry_max_attempts = "unlimited"
allowed_hosts = ["a", "b"]
protocol_v7 = true
[limits]
message_bytes_max = 5
"""
CLIENT = """
[global]
environment = "staging"
[staging]
admin_base_url = "https://[::1]:9070"
ingress_base_url = "localhost:8080"
bearer_token = "t"
"""
DURATIONS = ("1d 2h", "PT1H30M", "1:30:00.5", "1.5 h", "-1s ago", "3 weeks 1ms", "P1W", "9" * 20)
PAIRS = ("a=b", "Name: value", "a:b=c", "=", ":")
DEEP = "data = " + "[" * 3000 + "]" * 3000
NUMBERS = ("9070", "0", "-1", "1e3", "nan", "inf", "٣", "0x1f", "1_000", "true", "off", "none")


def _raw(text: str) -> bytes:
    """Bytes that are no UTF-8 come to programs as Python's surrogates, and are in files as such."""
    return text.encode("utf-8", "surrogateescape")


def _server_file(text: str, folder: Path) -> None:
    file = folder / "server.toml"
    file.write_bytes(_raw(text))
    _checked(settings.load({}, file=file))


def _server_variables(text: str, _folder: Path) -> None:
    """The same text as each of the settings."""
    for name in settings.Settings.__struct_fields__:
        with suppress(settings.ConfigError):
            _checked(settings.load({f"RTOUR_{name.removesuffix('_ms').upper()}": text}))
    for variable in (*settings.OFFICIAL.values(), *settings.OFFICIAL_ADDRESSES.values()):
        with suppress(settings.ConfigError):
            _checked(settings.load({variable: text}))


def _checked(found: settings.Settings) -> None:
    """Settings that were taken can be used."""
    policy = RetryPolicy(
        found.retry_initial_interval_ms,
        found.retry_exponentiation_factor,
        found.retry_max_interval_ms,
    )
    assert policy.delay_ms(3, Random(1)) >= 0
    assert 0 <= found.ingress_port <= 65535
    assert found.shutdown_timeout_ms / 1000 >= 0


def _client_file(text: str, folder: Path) -> None:
    (folder / PROJECT_FILE).write_bytes(_raw(text))
    resolve({}, {"HOME": str(folder)}, folder)


def _client_variables(text: str, folder: Path) -> None:
    for variable in ("RTOUR_ADMIN_URL", "RESTATE_HOST", "RTOUR_ENVIRONMENT", "RTOUR_AUTH_TOKEN"):
        with suppress(Misuse):
            resolve({}, {"HOME": str(folder), variable: text}, folder / "nowhere")


def _arguments(text: str, _folder: Path) -> None:
    for take in (
        lambda: arguments.pairs([text], "--header"),
        lambda: arguments.checked_json(_raw(text), "the body"),
        lambda: arguments.invocation_id(text),
        lambda: arguments.deployment_id(text),
    ):
        with suppress(Misuse):
            take()


def _duration(text: str, _folder: Path) -> None:
    for parse in (parse_delay, parse_duration):
        with suppress(DurationError):
            assert 0 <= parse(text) <= 1 << 53


READERS: tuple[tuple[Callable[[str, Path], None], tuple[str, ...]], ...] = (
    (_server_file, (SERVER, DEEP)),
    (_server_variables, (*NUMBERS, *DURATIONS, "[" * 3000)),
    (_client_file, (CLIENT, DEEP)),
    (_client_variables, ("http://[::1]:9070/", "localhost:0", "unix:/tmp/s", "a b", "h:99999")),
    (_arguments, (*PAIRS, "[" * 5000, '{"a": [1]}', "inv_1a1mlWikgvPI1rXixtTrp3NMDUb0000000")),
    (_duration, DURATIONS),
)


def seeds() -> list[bytes]:
    return [
        bytes([place]) + text.encode() for place, (_, texts) in enumerate(READERS) for text in texts
    ]


@contextmanager
def opened() -> Iterator[Check]:
    with tempfile.TemporaryDirectory(prefix="fuzz-") as temporary:
        folder = Path(temporary)

        def check(data: bytes) -> None:
            read, _ = READERS[(data[:1] or b"\0")[0] % len(READERS)]
            try:
                read(data[1:].decode("utf-8", "surrogateescape"), folder)
            except (RtourError, Misuse) as error:
                assert str(error)

        yield check


TARGET = Target(
    promise="Text is settings that can be used, or refused with a reason.",
    seeds=seeds,
    opened=opened,
    words=(b"nan", b"inf", b"[limits]", b"_ms", b"=", b'"""', b"1979-05-27", b"http://", b"["),
    examples=200,
    bytes_max=2000,
)
