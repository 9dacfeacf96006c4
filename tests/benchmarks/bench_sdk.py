"""What an invocation costs the service: our SDK on its own server, the official one on hypercorn.

    python tests/benchmarks/bench_sdk.py [--invocations 2000]

Both serve the same handlers. A load generator plays the server's part over one h2c connection with
32 streams at a time, and the CPU time of the *service's* process is read from /proc, so that the
generator's own cost does not count. Rounds alternate between the two; the best of each is printed.

The load generator speaks protocol v6, the version that Restate's server speaks by default.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ngh2

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from rtour.protocol import messages as m
from rtour.protocol.framing import Decoder, decode, encode
from tests.conformance.processes import Child, free_port

VERSION = 6
CONCURRENT = 32
PER_CONNECTION = 900
"""Hypercorn ends a connection after 1000 requests."""

SERVICES = """
import importlib, sys
sdk = importlib.import_module(sys.argv[1])
bench = sdk.Service("Bench")

@bench.handler()
async def noop(ctx, arg):
    return arg

async def work():
    return 1

@bench.handler()
async def run(ctx, arg):
    return await ctx.run_typed("step", work)

@bench.handler()
async def ten_runs(ctx, arg):
    for _ in range(10):
        await ctx.run_typed("step", work)
    return arg

app = sdk.app([bench])
if sys.argv[1] == "rtour":
    sdk.serve(app, host="127.0.0.1", port=int(sys.argv[2]))
else:
    import asyncio, hypercorn.asyncio
    from hypercorn.config import Config
    config = Config()
    config.bind = [f"127.0.0.1:{sys.argv[2]}"]
    asyncio.run(hypercorn.asyncio.serve(app, config))
"""


class Service:
    """One SDK's process."""

    def __init__(self, sdk: str, folder: Path) -> None:
        script = folder / "services.py"
        script.write_text(SERVICES)
        self.port = free_port()
        command = [sys.executable, str(script), sdk, str(self.port)]
        self._child = Child(command, folder / f"{sdk}.log", {})

    async def started(self) -> None:
        for _ in range(400):
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", self.port)
            except ConnectionError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                return
        raise RuntimeError(self._child.log_tail())

    def cpu_s(self) -> float:
        """User and system time of the service itself, not of `timeout` that guards it."""
        leader = self._child._process.pid
        child = Path(f"/proc/{leader}/task/{leader}/children").read_text().split()[0]
        fields = Path(f"/proc/{child}/stat").read_text().rsplit(") ", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self) -> None:
        self._child.kill()


class Load(asyncio.Protocol):
    """One connection on which invocations run, `CONCURRENT` at a time."""

    def __init__(self, handler: str, count: int) -> None:
        self.done = asyncio.get_running_loop().create_future()
        self._handler = handler
        self._left_to_start = self._left_to_end = count
        self._http = ngh2.Connection(ngh2.Role.CLIENT)
        self._decoders: dict[int, Decoder] = {}

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._http.initiate_connection({ngh2.Setting.INITIAL_WINDOW_SIZE: 1 << 20})
        for _ in range(CONCURRENT):
            self._start()
        self._flush()

    def _start(self) -> None:
        if not self._left_to_start:
            return
        self._left_to_start -= 1
        content_type = f"application/vnd.restate.invocation.v{VERSION}".encode()
        stream = self._http.send_request(
            [
                (b":method", b"POST"),
                (b":scheme", b"http"),
                (b":authority", b"bench"),
                (b":path", f"/invoke/Bench/{self._handler}".encode()),
                (b"content-type", content_type),
                (b"accept", content_type),
            ]
        )
        self._decoders[stream] = Decoder()
        start = m.Start(bytes(range(24)), "inv_1bench", 1, partial_state=True, random_seed=1)
        opening = encode(start, VERSION) + encode(m.Input(value=b'"x"'), VERSION)
        self._http.send_data(stream, opening)

    def data_received(self, data: bytes) -> None:
        self._http.receive_data(data)
        for event in self._http.events():
            if isinstance(event, ngh2.DataReceived):
                self._on_data(event.stream_id, event.data)
            elif isinstance(event, ngh2.StreamClosed):
                assert event.error_code == 0, event
                self._left_to_end -= 1
                self._start()
        self._flush()
        if not self._left_to_end and not self.done.done():
            self.done.set_result(None)
            self._transport.close()

    def _on_data(self, stream: int, data: bytes) -> None:
        decoder = self._decoders[stream]
        decoder.feed(data)
        while (frame := decoder.next_frame()) is not None:
            message = decode(frame.type, frame.payload, VERSION)
            if isinstance(message, m.ProposeRunCompletion):
                completion = m.Notification(
                    m.MessageType.RUN_COMPLETION, message.result_completion_id, message.result
                )
                self._http.send_data(stream, encode(completion, VERSION))
            elif isinstance(message, m.End):
                self._http.end_stream(stream)
            assert not isinstance(message, m.Error | m.Suspension), message

    def _flush(self) -> None:
        data = self._http.data_to_send()
        if data:
            self._transport.write(data)

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(error or ConnectionError("closed by the service"))


async def measure(service: Service, handler: str, invocations: int) -> float:
    """CPU microseconds per invocation."""
    before = service.cpu_s()
    for count in _portions(invocations):
        _, load = await asyncio.get_running_loop().create_connection(
            lambda count=count: Load(handler, count), "127.0.0.1", service.port
        )
        await asyncio.wait_for(load.done, 120)
    return (service.cpu_s() - before) / invocations * 1e6


def _portions(total: int) -> Iterator[int]:
    while total > 0:
        yield min(total, PER_CONNECTION)
        total -= PER_CONNECTION


async def bench(invocations: int, rounds: int) -> dict[str, dict[str, float]]:
    with tempfile.TemporaryDirectory() as folder:
        services = {sdk: Service(sdk, Path(folder)) for sdk in ("rtour", "restate")}
        try:
            return await _rounds(services, invocations, rounds)
        finally:
            for service in services.values():
                service.stop()


async def _rounds(
    services: dict[str, Service], invocations: int, rounds: int
) -> dict[str, dict[str, float]]:
    best: dict[str, dict[str, float]] = {sdk: {} for sdk in services}
    for service in services.values():
        await service.started()
        await measure(service, "run", 200)
    for _ in range(rounds):
        for handler, share in (("noop", 1.0), ("run", 0.5), ("ten_runs", 0.1)):
            for sdk, service in services.items():
                cost = await measure(service, handler, max(100, int(invocations * share)))
                best[sdk][handler] = min(cost, best[sdk].get(handler, cost))
    return best


def summary(best: dict[str, dict[str, float]]) -> dict[str, Any]:
    """Per no-op, and per step: what nine more steps cost, divided by nine."""
    costs = {
        sdk: {
            "noop_us": round(handlers["noop"], 1),
            "step_us": round((handlers["ten_runs"] - handlers["run"]) / 9, 1),
        }
        for sdk, handlers in best.items()
    }
    return {
        **costs,
        "noop_ratio": round(costs["rtour"]["noop_us"] / costs["restate"]["noop_us"], 3),
        "step_ratio": round(costs["rtour"]["step_us"] / costs["restate"]["step_us"], 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="CPU per invocation of both SDKs")
    parser.add_argument("--invocations", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    print(json.dumps(summary(asyncio.run(bench(options.invocations, options.rounds))), indent=2))


if __name__ == "__main__":
    main()
