"""The same load by wrk, where it is installed: it takes less of the cores that are measured."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from urllib.parse import urlsplit

SCRIPT = """\
wrk.method = "POST"
wrk.body = '"x"'
wrk.headers["content-type"] = "application/json"
local turn = 0
request = function()
  turn = turn + 1
  return wrk.format(nil, (string.gsub("%(path)s", "{key}", "k" .. turn %% %(keys)d)))
end
done = function(summary, latency)
  local failures = summary.errors.status + summary.errors.timeout + summary.errors.read
  io.write(string.format("REPORT %%d %%d %%f %%f %%f\\n", summary.requests, failures,
    summary.duration / 1e6, latency:percentile(50) / 1000, latency:percentile(99) / 1000))
end
"""


def installed() -> bool:
    return shutil.which("wrk") is not None


def load(url: str, connections: int, seconds: float, keys: int) -> dict[str, float]:
    """As `tests.benchmarks.load.load` reports it."""
    parts = urlsplit(url)
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(SCRIPT % {"path": parts.path, "keys": keys})
        script.flush()
        command = ["wrk", "-t1", f"-c{connections}", f"-d{round(seconds)}s", "--timeout", "30s"]
        command += ["-s", script.name, f"{parts.scheme}://{parts.netloc}/"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = re.search(r"^REPORT (\S+) (\S+) (\S+) (\S+) (\S+)$", done.stdout, re.MULTILINE)
    assert found is not None, done.stdout + done.stderr
    requests, failures, took, p50, p99 = map(float, found.groups())
    return {
        "requests": requests,
        "failures": failures,
        "seconds": took,
        "p50_ms": p50,
        "p99_ms": p99,
    }
