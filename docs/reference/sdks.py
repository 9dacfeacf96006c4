"""Write reference/sdks.md from what the conformance tests recorded of the official SDKs.

    python -m docs.reference.sdks

tests/docs/test_sdks_page.py fails while the page is not what this prints.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.conformance.unplayable import UNPLAYABLE

PAGE = Path(__file__).with_suffix(".md")
RECORDED = Path(__file__).parents[2] / "tests" / "conformance" / "recorded"

HEAD = """\
# The official SDKs

<!-- Written by docs/reference/sdks.py from tests/conformance/recorded: do not edit. -->

`nox -s conformance` runs the same services on each of these SDKs, unmodified, first on the official
server and then on rtour. What clients, journals, state and rows of `sys_*` tables show in each
scenario must be the same on both, apart from what `tests/conformance/known_differences.py` lists
with its reason. Go, Rust and Java services are compiled on demand; where `go`, `cargo` or `mvn` is
missing, their tests are skipped with a sentence.

| SDK | version | discovery | protocol offered | used | mode | scenarios |
|---|---|---|---|---|---|---|
"""

TITLES = {
    "python": "Python, `restate-sdk`",
    "python-http1": "the same over HTTP/1.1",
    "typescript": "TypeScript, `@restatedev/restate-sdk`",
    "go": "Go, `github.com/restatedev/sdk-go`",
    "rust": "Rust, `restate-sdk`",
    "java": "Java, `dev.restate:sdk-java-http`",
    "java-http1": "the same over HTTP/1.1",
}
MODES = {"BidiStream": "both ways at once", "RequestResponse": "request, then response"}

NOTES = """
*Discovery* lists the versions of the manifest in which the SDK can say all options of these
services; both servers take 1 to 4. *Protocol offered* is the range of versions of the service
protocol that the SDK offers; *used* is what both servers choose of it. rtour speaks 5, 6 and 7 and,
as the official server does, takes 7 only with `RESTATE_EXPERIMENTAL_ENABLE_PROTOCOL_V7=true`. With
*request, then response* every wait is a suspension and every resumption a replay; scenarios about
waiting are played.
"""

LEFT_OUT = """
## What is not played

Some SDKs have no way to do what a scenario looks at.

| SDK | scenario | why |
|---|---|---|
"""


def page() -> str:
    """The whole page, ending in a newline."""
    left_out = [
        f"| {TITLES[setup]} | `{scenario}` | {why} |"
        for setup, scenarios in UNPLAYABLE.items()
        if not setup.endswith("-http1")
        for scenario, why in scenarios.items()
    ]
    table = HEAD + "\n".join(_rows()) + "\n"
    return table + NOTES + LEFT_OUT + "\n".join(left_out) + "\n"


def _rows() -> Iterator[str]:
    for setup, title in TITLES.items():
        seen: dict[str, Any] = json.loads((RECORDED / f"{setup}.json").read_text())
        agreed = seen["sdk_is_negotiated"]
        deployment = agreed["deployment"]
        version = deployment["sdk_version"].rpartition("/")[2].partition("_")[0]
        cells = (
            title,
            version.removeprefix("v"),
            ", ".join(map(str, agreed["discovery"])),
            " to ".join(map(str, agreed["protocol"])),
            str(agreed["pinned"][0]["pinned"]),
            f"{MODES[deployment['protocol_type']]} ({deployment['http_version']})",
            str(len(seen)),
        )
        yield f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
