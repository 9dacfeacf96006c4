"""Restate's ids: make and parse them, byte for byte (server-semantics §1).

    inv_1 + b62(partition key u64) + b62(uuid u128)         an invocation; 24 bytes in binary
    dp_1, sub_1 + b62(ULID u128)                            a deployment, a subscription
    sign_1, prom_1 + base64url(24 bytes + index u32)        an awakeable (prom_1: the old kind)

All functions are pure: the clock's milliseconds and random bytes are handed in. xxhash is
imported where it is used, because the SDK parses ids but never places a key in a partition.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from functools import cache, lru_cache
from typing import Final

from rtour.errors import InvalidId

INVOCATION_BYTES: Final = 24
"""Partition key (8, big-endian), then uuid (16, big-endian)."""

BUCKETS: Final = 512
"""Plain services have no key: their invocations are spread over this many partition keys."""

_ALPHABET: Final = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_CODEC_VERSION: Final = "1"
_WIDTHS: Final = {8: 11, 16: 22}  # characters a number of so many bytes takes
# Ids are made for every invocation: ten characters fit a machine word and five half of one, which
# Python divides quickest, and two at a time come from a table.
_TEN: Final = 62**10
_FIVE: Final = 62**5
_FOUR: Final = 62**4
_TWO: Final = 62**2
_PAIRS: Final = [first + second for first in _ALPHABET for second in _ALPHABET]
_PAIR_VALUES: Final = {pair: value for value, pair in enumerate(_PAIRS)}
_PREFIXES: Final = frozenset({"inv", "dp", "sub", "snap", "sign", "prom", "mut", "vq"})


# --- base62 ------------------------------------------------------------------------------------


def b62_encode(number: int, size: int) -> str:
    """A number of `size` bytes; its bytes are swapped first, as Restate does."""
    rest = int.from_bytes(number.to_bytes(size, "big"), "little")
    if size == 8:
        first, last = divmod(rest, _TEN)
        return _ALPHABET[first] + _ten_characters(last)
    first, last = divmod(rest, _TEN)
    first, middle = divmod(first, _TEN)
    return _PAIRS[first] + _ten_characters(middle) + _ten_characters(last)


def _ten_characters(number: int) -> str:
    one, two = divmod(number, _FIVE)
    return (
        f"{_ALPHABET[one // _FOUR]}{_PAIRS[one // _TWO % _TWO]}{_PAIRS[one % _TWO]}"
        f"{_ALPHABET[two // _FOUR]}{_PAIRS[two // _TWO % _TWO]}{_PAIRS[two % _TWO]}"
    )


def b62_decode(text: str, size: int) -> int:
    """The number written by `b62_encode`."""
    try:
        if size == 8:
            number = _PAIR_VALUES["0" + text[0]] * _TEN + _ten_values(text[1:])
        else:
            number = _PAIR_VALUES[text[:2]] * _TEN + _ten_values(text[2:12])
            number = number * _TEN + _ten_values(text[12:])
    except KeyError:
        raise InvalidId("base62 decode error") from None
    if number >> (8 * size):
        raise InvalidId("base62 decode error")
    return int.from_bytes(number.to_bytes(size, "little"), "big")


def _ten_values(text: str) -> int:
    values = _PAIR_VALUES
    number = values[text[0:2]] * _TWO + values[text[2:4]]
    number = (number * _TWO + values[text[4:6]]) * _TWO + values[text[6:8]]
    return number * _TWO + values[text[8:10]]


def _payload(text: str, prefix: str) -> str:
    """What follows `<prefix>_1`; the order of checks is Restate's, as are the messages."""
    if not text:
        raise InvalidId("bad length")
    found, underscore, rest = text.partition("_")
    if not underscore:
        raise InvalidId("bad format")
    if found not in _PREFIXES:
        raise InvalidId(f"unrecognized resource type: {found}")
    if not rest:
        raise InvalidId("bad length")
    if rest[0] != _CODEC_VERSION:
        raise InvalidId("unrecognized codec version")
    if found != prefix:
        raise InvalidId("id doesn't match the expected type")
    return rest[1:]


def _numbers(payload: str, *sizes: int) -> list[int]:
    """The numbers of these byte sizes, one after the other, and nothing else."""
    numbers = []
    for size in sizes:
        width = _WIDTHS[size]
        if len(payload) < width:
            raise InvalidId("bad length")
        numbers.append(b62_decode(payload[:width], size))
        payload = payload[width:]
    if payload:
        raise InvalidId("bad length")
    return numbers


# --- invocations -------------------------------------------------------------------------------


# The binary forms of the ids made last: an invocation's first attempt needs its own.
_made: dict[str, bytes] = {}
_MADE_MAX: Final = 1024


def make_invocation_id(partition_key: int, uuid: int) -> str:
    text = f"inv_1{_partition_characters(partition_key)}{b62_encode(uuid, 16)}"
    if len(_made) >= _MADE_MAX:
        _made.clear()
    _made[text] = _binary(partition_key, uuid)
    return text


@lru_cache(maxsize=1024)
def _partition_characters(partition_key: int) -> str:
    return b62_encode(partition_key, 8)


def _binary(partition_key: int, uuid: int) -> bytes:
    return partition_key.to_bytes(8, "big") + uuid.to_bytes(16, "big")


def parse_invocation_id(text: str) -> tuple[int, int]:
    """(partition key, uuid); InvalidId when it is none."""
    partition_key, uuid = _numbers(_payload(text, "inv"), 8, 16)
    return partition_key, uuid


def invocation_id_to_bytes(text: str) -> bytes:
    """The binary form, as Start carries it."""
    return _made.get(text) or _binary(*parse_invocation_id(text))


def invocation_id_from_bytes(raw: bytes) -> str:
    if len(raw) != INVOCATION_BYTES:
        raise InvalidId("bad length")
    return make_invocation_id(int.from_bytes(raw[:8], "big"), int.from_bytes(raw[8:], "big"))


# --- deployments and subscriptions ---------------------------------------------------------------


def deployment_id(uuid: int) -> str:
    return "dp_1" + b62_encode(uuid, 16)


def parse_deployment_id(text: str) -> int:
    return _numbers(_payload(text, "dp"), 16)[0]


def subscription_id(uuid: int) -> str:
    return "sub_1" + b62_encode(uuid, 16)


def parse_subscription_id(text: str) -> int:
    return _numbers(_payload(text, "sub"), 16)[0]


# --- awakeables --------------------------------------------------------------------------------


def awakeable_id(invocation_id: str, signal_index: int) -> str:
    raw = invocation_id_to_bytes(invocation_id) + signal_index.to_bytes(4, "big")
    return "sign_1" + base64.urlsafe_b64encode(raw).decode().rstrip("=")


def parse_awakeable_id(text: str) -> tuple[str, int]:
    """(invocation id, signal index); `prom_1` ids hold a journal index in its place."""
    kind = "prom" if text.startswith("prom_") else "sign"
    payload = _payload(text, kind).rstrip("=")
    try:
        raw = base64.b64decode(payload + "=" * (-len(payload) % 4), altchars=b"-_", validate=True)
    except ValueError:  # binascii.Error is one, non-ASCII text another
        raise InvalidId("base62 decode error") from None  # Restate says so of base64, too
    if len(raw) != INVOCATION_BYTES + 4:
        raise InvalidId("bad length")
    return (
        invocation_id_from_bytes(raw[:INVOCATION_BYTES]),
        int.from_bytes(raw[INVOCATION_BYTES:], "big"),
    )


# --- partition keys ----------------------------------------------------------------------------


def key_partition(key: str) -> int:
    """Where a virtual object or workflow of this key lives: the service's name plays no part."""
    return _xxh3(key.encode() + b"\xff")  # Rust ends a hashed string with 0xFF


@lru_cache(maxsize=8 * BUCKETS)
def service_partition(service: str, bucket: int) -> int:
    """Where a plain service's invocations of one bucket live."""
    return _xxh3(
        service.encode() + b"\xff" + b"unscoped/service\xff" + bucket.to_bytes(8, "little")
    )


def idempotent_bucket(idempotency_key: str) -> int:
    """The same key comes to the same bucket, so that a repeated request meets the first."""
    return key_partition(idempotency_key) % BUCKETS


def _xxh3(data: bytes) -> int:
    return _hash()(data)


@cache
def _hash() -> Callable[[bytes], int]:
    from xxhash import xxh3_64_intdigest  # noqa: PLC0415 - the SDK installs without it

    return xxh3_64_intdigest


# --- uuids -------------------------------------------------------------------------------------


def idempotent_uuid(service: str, key: str | None, handler: str, idempotency_key: str) -> int:
    """The same request has the same uuid: duplicates are found by id alone."""
    parts = ["ik", service, *([] if key is None else [key]), handler, idempotency_key]
    return _digest(parts)


def workflow_uuid(service: str, key: str) -> int:
    """A workflow runs once per key, hence its `run` has one uuid."""
    return _digest(["wf", service, key])


def _digest(parts: list[str]) -> int:
    return int.from_bytes(hashlib.sha256(",".join(parts).encode()).digest()[:16], "big")


def ulid(ms: int, entropy: bytes) -> int:
    """48 bits of time, 80 bits of entropy: sorts by time."""
    assert len(entropy) == 10, f"{len(entropy)} bytes of entropy instead of 10"
    assert 0 <= ms < 1 << 48, f"{ms} ms do not fit 48 bits"
    return ms << 80 | int.from_bytes(entropy, "big")


def ulid_time_ms(uuid: int) -> int:
    return uuid >> 80


# --- hashes of contents ------------------------------------------------------------------------


def random_seed(id_bytes: bytes) -> int:
    """The seed of an invocation's random numbers: the same for all its attempts.

    The last half of its uuid, which is random or a hash. Restate's own is another function of the
    same bytes; SDKs only need it to be stable.
    """
    return int.from_bytes(id_bytes[16:], "big")


def state_version(state: dict[bytes, bytes]) -> str:
    """The fingerprint of an object's whole state, for compare-and-set by the admin API."""
    digest = hashlib.sha256()
    for index, key in enumerate(sorted(state)):
        digest.update(index.to_bytes(8, "big"))
        digest.update(b"\x01" + key + b"\x02" + state[key] + b"\x03")
    return base64.urlsafe_b64encode(digest.digest()).decode().rstrip("=")
