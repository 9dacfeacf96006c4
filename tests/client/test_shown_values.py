"""Payloads in full and in brief: JSON, text, bytes, and far too much of each."""

from __future__ import annotations

import pytest

from rtour.client.wording import MAX_JSON, payload, pretty


def test_json_is_indented_and_text_is_text() -> None:
    """JSON over many lines with its letters; what is no JSON as it is."""
    assert pretty('{"a":"é"}'.encode()) == '{\n  "a": "é"\n}'
    assert pretty(b"plain") == "plain"


def test_bytes_are_a_dump() -> None:
    """Bytes that are no text are shown in hex with what can be read beside."""
    assert pretty(b"\x00\xffAB") == "000000  00 ff 41 42              ..AB"


def test_a_large_value_says_its_size_and_begins() -> None:
    """Of a value beyond the limit only the beginning is made."""
    told = pretty(b'"' + b"x" * MAX_JSON)
    assert told.startswith("256.0 KiB, of which the beginning:")
    assert len(told) < 20_000


@pytest.mark.parametrize("extra", [0, 1, 2, 3])
def test_a_cut_through_a_letter_is_no_binary(extra: int) -> None:
    """Wherever the limit falls in a letter of three bytes, text stays text."""
    value = b"x" * extra + "€".encode() * 300
    assert payload(value).startswith("x" * extra + "€€")
    assert payload(value).endswith("… (900 B)" if not extra else f"… ({900 + extra} B)")


def test_short_binary_is_not_mistaken_for_cut_text() -> None:
    """A few bytes that end in the middle of a letter are bytes."""
    assert payload(b"\x00\xe2\x82") == "0x00e282"
