"""The version of a key's state, as Restate computes it (`http-api.md` B7).

The server drops, silently, a mutation whose version is not that of the state it finds, so the
client must compute the very same hash.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping

_SEPARATORS = (b"\x01", b"\x02", b"\x03")


def state_version(state: Mapping[str, bytes]) -> str:
    """URL-safe base64 without padding of a SHA-256 over the entries, sorted by key."""
    digest = hashlib.sha256()
    before_key, before_value, after = _SEPARATORS
    for position, (key, value) in enumerate(sorted(state.items(), key=lambda kv: kv[0].encode())):
        digest.update(position.to_bytes(8, "big"))
        digest.update(before_key + key.encode() + before_value + value + after)
    return base64.urlsafe_b64encode(digest.digest()).rstrip(b"=").decode()
