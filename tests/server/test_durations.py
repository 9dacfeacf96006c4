"""Durations in and out, with the words of the official server."""

from __future__ import annotations

import pytest

from rtour.server.durations import DurationError, friendly, parse_delay, parse_duration

FRIENDLY = 'failed to parse input in the "friendly" duration format: '
NO_UNIT = (
    FRIENDLY
    + "expected to find unit designator suffix (e.g., `years` or `secs`) after parsing integer"
)
NO_NUMBER = (
    FRIENDLY + "expected duration to start with a unit value (a decimal integer) after an optional "
    "sign, but no integer was found"
)
NEGATIVE = "negative signed durations cannot be converted to an unsigned duration"
TOO_BIG_UNIT = "please use units of days or smaller"


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("10s", 10_000),
        ("60 sec", 60_000),
        ("5min", 300_000),
        ("500ms", 500),
        ("100 millis", 100),
        ("1.5s", 1500),
        ("1 hour 30m", 5_400_000),
        ("1 hour, 2 minutes", 3_720_000),
        ("1hours30mins", 5_400_000),
        ("1d 3 h", 97_200_000),
        ("2 days", 172_800_000),
        ("1 week", 604_800_000),
        ("1:30:00", 5_400_000),
        ("1d 1:30:00", 91_800_000),
        ("1ms 3us", 1),
        ("0s", 0),
        ("0", 0),
        ("PT1H30M", 5_400_000),
        ("P1D", 86_400_000),
        ("P1W", 604_800_000),
        ("PT1.5S", 1500),
        ("pt0s", 0),
        ("P1DT12H", 129_600_000),
    ],
)
def test_accepted(text: str, ms: int) -> None:
    """Both formats are read as the official server reads them."""
    assert parse_duration(text) == ms


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", ('an empty string is not a valid duration in either the ISO 8601 format or Jiff\'s '
         '"friendly" format')),
        ("5", NO_UNIT),
        ("1h2", NO_UNIT),
        ("1_s", NO_UNIT),
        ("1e3s", NO_UNIT),
        ("abc", NO_NUMBER),
        ("+1s", NO_NUMBER),
        ("-1s", NEGATIVE),
        ("-PT1S", NEGATIVE),
        ("1s ago", NEGATIVE),
        ("1mo", TOO_BIG_UNIT),
        ("1 month", TOO_BIG_UNIT),
        ("1y", TOO_BIG_UNIT),
        ("P1M", TOO_BIG_UNIT),
        ("P1DT", ("found a time designator (`T` or `t`) in an ISO 8601 duration string, but did "
         "not find any time units")),
    ],
)  # fmt: skip
def test_refused_in_official_words(text: str, message: str) -> None:
    """What cannot be read is refused in the official server's words."""
    with pytest.raises(DurationError) as caught:
        parse_duration(text)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    "text",
    [
        "-",
        "1s 1h",
        "1s 1s",
        "1.5s 2ms",
        "1.5d",
        "P",
        "PT",
        "P1H",
        "PT1D",
        "9" * 300 + "s",
        "99999999999999999999d",
        "P1S",
        "1:3:00",
        "s",
        " ",
        "\u0661s",
    ],
)
def test_refused(text: str) -> None:
    """Units out of order, fractions of days, absurd lengths and other digits are refused."""
    with pytest.raises(DurationError):
        parse_duration(text)


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (0, "0s"),
        (500, "500ms"),
        (1500, "1s 500ms"),
        (60_000, "1m"),
        (90_000, "1m 30s"),
        (3_660_001, "1h 1m 1ms"),
        (86_400_000, "1d"),
        (129_600_000, "1d 12h"),
        (604_800_000, "7d"),
    ],
)
def test_friendly(ms: int, text: str) -> None:
    """Durations are shown compactly, and read back as what they were."""
    assert friendly(ms) == text
    assert parse_duration(text) == ms


def test_bare_delay() -> None:
    """A delay may be bare milliseconds; anything else is a duration."""
    assert parse_delay("1500") == 1500
    assert parse_delay("2s") == 2000
    with pytest.raises(DurationError):
        parse_delay("-5")
