"""Ids: the vectors observed on Restate, round trips, and its words for what does not parse."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtour import ids
from rtour.errors import InvalidId

RAW = bytes.fromhex("ade80fc5ddaa14e70da3b58e338eaa1cd71c1f3e8694ccec")
TEXT = "inv_1jQ2jrgLYm057cPGjNoLgUUtxmIyM6QRwV"
COUNTING = bytes(range(1, 25))
U64 = st.integers(0, 2**64 - 1)
U128 = st.integers(0, 2**128 - 1)


def test_an_invocation_id_observed_on_restate() -> None:
    """Binary and text of one invocation id, as the official server sent both."""
    assert ids.invocation_id_from_bytes(RAW) == TEXT
    assert ids.invocation_id_to_bytes(TEXT) == RAW


def test_a_random_seed_is_stable_and_of_the_id() -> None:
    """The same id has the same 64-bit seed in every process, another id another one."""
    assert ids.random_seed(RAW) == int.from_bytes(RAW[16:], "big")
    assert ids.random_seed(RAW) != ids.random_seed(COUNTING)


def test_an_awakeable_id_observed_on_restate() -> None:
    """Id bytes 01 to 18 and signal 17, as the official SDK writes them."""
    handle = ids.awakeable_id(ids.invocation_id_from_bytes(COUNTING), 17)
    assert handle == "sign_1AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYAAAAEQ"


def test_the_version_of_an_empty_state() -> None:
    """Restate's fingerprint of no state at all; and every key, value and order counts."""
    assert ids.state_version({}) == "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"
    one = ids.state_version({b"a": b"1", b"b": b"2"})
    assert one == ids.state_version({b"b": b"2", b"a": b"1"})
    assert (
        len({one, ids.state_version({b"a": b"12", b"b": b""}), ids.state_version({b"a": b"1"})})
        == 3
    )


@given(U64, U128)
def test_invocation_ids_come_back(partition_key: int, uuid: int) -> None:
    """Text and bytes keep both numbers, and the text has Restate's length."""
    text = ids.make_invocation_id(partition_key, uuid)
    assert len(text) == 38
    assert ids.parse_invocation_id(text) == (partition_key, uuid)
    raw = ids.invocation_id_to_bytes(text)
    assert raw == partition_key.to_bytes(8, "big") + uuid.to_bytes(16, "big")
    assert ids.invocation_id_from_bytes(raw) == text


@given(U64, U128, U128)
def test_ids_of_one_partition_key_start_alike(partition_key: int, one: int, other: int) -> None:
    """The first 16 characters depend on the partition key only."""
    first, second = (ids.make_invocation_id(partition_key, uuid) for uuid in (one, other))
    assert first[:16] == second[:16]


@given(U128)
def test_deployment_and_subscription_ids_come_back(uuid: int) -> None:
    """Both are ULIDs in 22 characters."""
    deployment, subscription = ids.deployment_id(uuid), ids.subscription_id(uuid)
    assert (len(deployment), len(subscription)) == (26, 27)
    assert ids.parse_deployment_id(deployment) == uuid
    assert ids.parse_subscription_id(subscription) == uuid


@given(U64, U128, st.integers(0, 2**32 - 1))
def test_awakeable_ids_come_back(partition_key: int, uuid: int, index: int) -> None:
    """Old and new kinds give invocation and index, with padding or without."""
    invocation = ids.make_invocation_id(partition_key, uuid)
    handle = ids.awakeable_id(invocation, index)
    assert len(handle) == 44
    old = handle.replace("sign_1", "prom_1")
    for text in (handle, handle + "==", old, old + "="):
        assert ids.parse_awakeable_id(text) == (invocation, index)


PAYLOAD = TEXT[5:]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "bad length"),
        ("foo", "bad format"),
        ("foo_1" + PAYLOAD, "unrecognized resource type: foo"),
        ("inv_", "bad length"),
        ("inv_2" + PAYLOAD, "unrecognized codec version"),
        ("dp_2" + PAYLOAD, "unrecognized codec version"),
        ("dp_1" + PAYLOAD, "id doesn't match the expected type"),
        ("inv_1" + PAYLOAD[:-1], "bad length"),
        ("inv_1" + PAYLOAD[:5], "bad length"),
        ("inv_1" + PAYLOAD + "0", "bad length"),
        ("inv_1!" + PAYLOAD[1:], "base62 decode error"),
        ("inv_1é" + PAYLOAD[1:], "base62 decode error"),
        ("inv_1" + "Z" * 33, "base62 decode error"),
        ("inv_1" + "0" * 11 + "Z" * 22, "base62 decode error"),
    ],
)
def test_invocation_ids_that_do_not_parse(text: str, message: str) -> None:
    """The complaint is Restate's, since clients see it."""
    with pytest.raises(InvalidId) as raised:
        ids.parse_invocation_id(text)
    assert str(raised.value) == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("zzz", "bad format"),
        (TEXT, "id doesn't match the expected type"),
        ("sign_2AQID", "unrecognized codec version"),
        ("sign_1AQID", "bad length"),
        ("prom_1AQID", "bad length"),
        ("sign_1" + "!" * 38, "base62 decode error"),
        ("sign_1" + "é" * 38, "base62 decode error"),
        ("sign_1A", "base62 decode error"),
        ("sign_1", "bad length"),
    ],
)
def test_awakeable_ids_that_do_not_parse(text: str, message: str) -> None:
    """The same words as for invocations; awakeables hold base64, which Restate calls base62."""
    with pytest.raises(InvalidId) as raised:
        ids.parse_awakeable_id(text)
    assert str(raised.value) == message


@given(st.text(max_size=50) | st.text("inv_1dpsgorm_=-", max_size=50))
def test_any_text_parses_or_is_invalid(text: str) -> None:
    """No text makes a parser raise anything but InvalidId."""
    for parse in (
        ids.parse_invocation_id,
        ids.parse_awakeable_id,
        ids.parse_deployment_id,
        ids.parse_subscription_id,
    ):
        try:
            parsed = parse(text)
        except InvalidId as error:
            parsed = str(error)
        assert parsed is not None


@pytest.mark.parametrize("size", [0, 23, 25])
def test_binary_ids_have_24_bytes(size: int) -> None:
    """Nothing else is an invocation id."""
    with pytest.raises(InvalidId, match="bad length"):
        ids.invocation_id_from_bytes(bytes(size))


def test_partition_keys_are_restates() -> None:
    """XXH3 of the key with Rust's 0xFF after it; computed with the reference library's own hash."""
    import xxhash

    assert ids.key_partition("Ada") == xxhash.xxh3_64(b"Ada\xff").intdigest()
    assert ids.idempotent_bucket("k1") == xxhash.xxh3_64(b"k1\xff").intdigest() % 512
    expected = xxhash.xxh3_64(b"Greeter\xffunscoped/service\xff" + (7).to_bytes(8, "little"))
    assert ids.service_partition("Greeter", 7) == expected.intdigest()


def test_idempotent_and_workflow_uuids_are_hashes_of_their_target() -> None:
    """Half a SHA-256 of the parts joined by commas; a key of None is no part, an empty one is."""
    import hashlib

    def half(text: str) -> int:
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "big")

    assert ids.idempotent_uuid("S", None, "h", "k") == half("ik,S,h,k")
    assert ids.idempotent_uuid("S", "", "h", "k") == half("ik,S,,h,k")
    assert ids.idempotent_uuid("O", "Ada", "h", "k") == half("ik,O,Ada,h,k")
    assert ids.workflow_uuid("W", "k") == half("wf,W,k")


@given(st.integers(0, 2**48 - 1), st.binary(min_size=10, max_size=10))
def test_ulids_carry_their_time(ms: int, entropy: bytes) -> None:
    """48 bits of time above 80 bits of entropy."""
    uuid = ids.ulid(ms, entropy)
    assert ids.ulid_time_ms(uuid) == ms
    assert uuid.to_bytes(16, "big")[6:] == entropy


@pytest.mark.parametrize(("ms", "entropy"), [(0, b"short"), (1 << 48, bytes(10)), (-1, bytes(10))])
def test_ulids_of_wrong_parts_are_our_mistake(ms: int, entropy: bytes) -> None:
    """A wrong amount of entropy or an impossible time is caught at once."""
    with pytest.raises(AssertionError):
        ids.ulid(ms, entropy)


def test_parsing_needs_no_hash_library() -> None:
    """The SDK installs without xxhash, so importing and parsing must not load it."""
    code = (
        "import sys; from rtour import ids; ids.parse_invocation_id(sys.argv[1]); "
        "assert 'xxhash' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, TEXT], check=True, timeout=30)
