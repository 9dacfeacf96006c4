"""The same load by wrk, where it is installed: it takes less of the cores that are measured."""

from __future__ import annotations

import math
import re
import shutil
import signal
import subprocess
import tempfile
from time import monotonic
from urllib.parse import urlsplit

from tests.benchmarks.loads import Load, Report

SCRIPT = """\
wrk.method = "POST"
wrk.body = '%(body)s'
wrk.headers["content-type"] = "application/json"
local turn = 0
%(request)s
done = function(summary, latency)
  local failures = summary.errors.status + summary.errors.timeout + summary.errors.read
  io.write(string.format("REPORT %%d %%d %%f %%f %%f\\n", summary.requests, failures,
    summary.duration / 1e6, latency:percentile(50) / 1000, latency:percentile(99) / 1000))
end
"""
# Without it wrk makes the request once and sends the same bytes again and again.
MANY_KEYS = """\
request = function()
  turn = turn + 1
  return wrk.format(nil, (string.gsub("%(path)s", "{key}", "k" .. turn %% %(keys)d)))
end
"""


def installed() -> bool:
    return shutil.which("wrk") is not None


def run(load: Load) -> Report:
    """What is under way when the time is up is not waited for, and not counted."""
    parts = urlsplit(load.url)
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    url = f"{parts.scheme}://{parts.netloc}{path.replace('{key}', 'k0')}"
    request = MANY_KEYS % {"path": path, "keys": load.keys} if load.keys > 1 else ""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(SCRIPT % {"body": load.body, "request": request})
        script.flush()
        # It takes whole seconds only: a longer load than ours, which we end as ctrl-c does.
        command = ["wrk", "-t1", f"-c{load.connections}", f"-d{math.floor(load.seconds) + 1}s"]
        began = monotonic()
        said = _ended_after(load.seconds, [*command, "--timeout", "30s", "-s", script.name, url])
    found = re.search(r"^REPORT (\S+) (\S+) (\S+) (\S+) (\S+)$", said, re.MULTILINE)
    assert found is not None, said
    requests, failures, took, p50, p99 = map(float, found.groups())
    return Report(int(requests), int(failures), took, p50, p99, began)


def _ended_after(seconds: float, command: list[str]) -> str:
    """What the command says when it is interrupted; the report has the time that it took."""
    wrk = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    with wrk:
        try:
            return wrk.communicate(timeout=seconds)[0]
        except subprocess.TimeoutExpired:
            wrk.send_signal(signal.SIGINT)
            return wrk.communicate()[0]
