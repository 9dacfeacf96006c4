"""The shape of the ingress's errors."""

from __future__ import annotations

import httpx


def refused(response: httpx.Response, source: str = "ingress") -> tuple[int, str]:
    """Status and message of an error, its shape checked."""
    body = response.json()
    assert body["source"] == source
    assert response.headers["x-restate-error-source"] == source
    assert response.headers["content-type"] == "application/json"
    return response.status_code, body["message"]
