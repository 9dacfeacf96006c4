"""What some official SDKs cannot do, by scenario; on the official server as little as on ours.

What an SDK merely does in another way is played, and recorded in the way of that SDK.
docs/reference/sdks.md shows this table.
"""

from __future__ import annotations

from tests.conformance.endpoints import Setup

_JAVA = {
    "cancel_twice": "a handler that caught one cancellation never sees a second",
    "signal_by_name": "it has no signals",
}

UNPLAYABLE: dict[Setup, dict[str, str]] = {
    "rust": {
        "state_of_a_plain_service": "its types offer no state to services",
        "state_written_by_a_shared_handler": "its types offer shared handlers no writing",
    },
    "java": _JAVA,
    "java-http1": _JAVA,
}
