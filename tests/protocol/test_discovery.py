"""Who speaks which version, and what each manifest version can say (spec §1.1)."""

from __future__ import annotations

from typing import Any

import pytest

from rtour.errors import ManifestError
from rtour.protocol import discovery as d


def test_the_accept_header_is_restates() -> None:
    """Ascending, a comma and a space between, as the official server sends it."""
    prefix = "application/vnd.restate.endpointmanifest"
    assert d.accept_header(4) == ", ".join(f"{prefix}.v{v}+json" for v in (1, 2, 3, 4))
    assert d.accept_header().endswith(".v5+json")


@pytest.mark.parametrize(
    ("accept", "version"),
    [
        (d.accept_header(), 5),
        (d.accept_header(4), 4),
        (d.manifest_content_type(3), 3),
        (f"text/html, {d.manifest_content_type(2)};q=0.5", 2),
        (d.manifest_content_type(6), None),
        ("application/json", None),
        ("", 2),
        (None, 2),
    ],
)
def test_the_sdk_answers_the_highest_version_offered(accept: str | None, version: int) -> None:
    """Found as a substring, as SDKs do; without a header version 2."""
    assert d.choose_manifest_version(accept) == version


@pytest.mark.parametrize(
    ("minimum", "maximum", "highest", "version"),
    [(5, 7, 7, 7), (5, 7, 6, 6), (1, 99, 7, 7), (5, 5, 7, 5), (7, 9, 6, None), (1, 4, 7, None)],
)
def test_the_highest_common_protocol_version(
    minimum: int, maximum: int, highest: int, version: int | None
) -> None:
    """Within what both sides and the server's configuration allow."""
    assert d.choose_protocol_version(minimum, maximum, highest) == version


@pytest.mark.parametrize("version", [5, 6, 7])
def test_invocation_content_types_come_back(version: int) -> None:
    """The content type of an invocation names its version."""
    assert d.invocation_version(d.invocation_content_type(version)) == version


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "",
        "application/json",
        d.invocation_content_type(4),
        d.invocation_content_type(8),
        d.invocation_content_type(7) + "; charset=utf-8",
        d.invocation_content_type(70),
    ],
)
def test_other_invocation_content_types_have_no_version(content_type: str | None) -> None:
    """Anything but the exact names of V5 to V7 is for a 415."""
    assert d.invocation_version(content_type) is None


@pytest.mark.parametrize(
    ("field", "value", "since"),
    [
        ("documentation", "x", 2),
        ("metadata", {}, 2),
        ("inactivity_timeout_ms", 0, 3),
        ("enable_lazy_state", False, 3),
        ("workflow_completion_retention_ms", 1, 3),
        ("retry_policy_max_attempts", 1, 4),
        ("eager_state_keys_whitelist", ("k",), 5),
    ],
)
def test_options_newer_than_the_version_are_refused(field: str, value: Any, since: int) -> None:
    """The SDK says which option the server is too old for, on services and on handlers."""
    option = {field: value}
    on_handler = d.Handler(name="h", **option)
    services = [d.Service(name="S", ty=d.ServiceType.WORKFLOW, handlers=(on_handler,))]
    if field != "workflow_completion_retention_ms":
        services.append(d.Service(name="S", ty=d.ServiceType.WORKFLOW, handlers=(), **option))
    for owner in services:
        manifest = d.Manifest(min_protocol_version=5, max_protocol_version=7, services=(owner,))
        assert d.encode_manifest(manifest, since)
        with pytest.raises(ManifestError, match=f"needs discovery version {since}"):
            d.encode_manifest(manifest, since - 1)


def test_lambda_compression_is_dropped_for_old_servers() -> None:
    """It is an offer, so versions before 4 just do not hear of it."""
    manifest = d.Manifest(
        min_protocol_version=5, max_protocol_version=7, services=(), lambda_compression="zstd"
    )
    assert b"zstd" in d.encode_manifest(manifest, 4)
    assert b"zstd" not in d.encode_manifest(manifest, 3)
