"""Sandboxes of one function: started when an event needs one, ended when none did for a while."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import threading
import time
from collections import deque
from contextlib import suppress
from typing import IO, Any

import msgspec


class Function(msgspec.Struct, frozen=True):
    """What is served, and within which limits."""

    spec: str
    name: str
    concurrency: int = 4
    timeout_s: float = 900.0
    keep_warm_s: float = 60.0

    @property
    def arn(self) -> str:
        """A qualified name in AWS's form, of an account and a region that do not exist."""
        return f"arn:aws:lambda:local:000000000000:function:{self.name}:latest"


class Unavailable(Exception):  # noqa: N818 - reads as the fact it reports
    """As many events are handled as may be at once."""


class Sandbox:
    """One process. Used by one thread at a time."""

    def __init__(self, function: Function) -> None:
        environment = {
            "AWS_LAMBDA_FUNCTION_NAME": function.name,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_REGION": "local",
        }
        self.idle_since = time.monotonic()
        self._process = subprocess.Popen(  # noqa: S603 - the user's own handler
            [sys.executable, "-m", "rtour.sdk.lambda_local.sandbox", function.spec],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **environment},
            text=True,
            encoding="utf-8",
        )
        self._function = function
        self._started = False

    def handle(self, event: Any, request_id: str) -> dict[str, Any]:
        """`{"answer": …}`, or `{"error": …}` in Lambda's words."""
        timer = threading.Timer(self._function.timeout_s, self.end)
        timer.start()
        try:
            return self._handle(event, request_id)
        except (OSError, ValueError):
            return self._ended(request_id, timed_out=not timer.is_alive())
        finally:
            timer.cancel()

    def _handle(self, event: Any, request_id: str) -> dict[str, Any]:
        if not self._started:
            greeting = self._read()
            if "error" in greeting:
                self.end()
                return greeting
            self._started = True
        request = {
            "event": event,
            "request_id": request_id,
            "function": self._function.name,
            "arn": self._function.arn,
        }
        print(json.dumps(request), file=self._pipe(self._process.stdin), flush=True)
        return self._read()

    def _read(self) -> dict[str, Any]:
        line = self._pipe(self._process.stdout).readline()
        answer: dict[str, Any] = json.loads(line)
        return answer

    @staticmethod
    def _pipe(pipe: IO[str] | None) -> IO[str]:
        assert pipe is not None, "made with pipes"
        return pipe

    def _ended(self, request_id: str, *, timed_out: bool) -> dict[str, Any]:
        code = self._process.wait()
        if timed_out:
            words = f"Task timed out after {self._function.timeout_s:.2f} seconds"
            return {"error": {"errorType": "Sandbox.Timedout", "errorMessage": words}}
        words = f"RequestId: {request_id} Error: Runtime exited with exit status {code}"
        return {"error": {"errorType": "Runtime.ExitError", "errorMessage": words}}

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def end(self) -> None:
        """Kill the process."""
        self._process.kill()

    def close(self) -> None:
        """End it, and leave nothing behind."""
        self.end()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(OSError):
                self._pipe(pipe).close()


class Pool:
    """Hands events to sandboxes. Threads may call `handle` side by side."""

    def __init__(self, function: Function) -> None:
        self.function = function
        self.cold_starts = 0
        self._numbers = itertools.count(1)
        self._turns = threading.BoundedSemaphore(function.concurrency)
        self._lock = threading.Lock()
        self._idle: deque[Sandbox] = deque()
        self._closed = threading.Event()
        self._reaper = threading.Thread(target=self._reap, daemon=True)
        self._reaper.start()

    def handle(self, event: Any) -> dict[str, Any]:
        """What the handler answered. Raises Unavailable."""
        if not self._turns.acquire(blocking=False):
            raise Unavailable
        try:
            sandbox = self._take()
            answer = sandbox.handle(event, f"local-{next(self._numbers)}")
            self._put_back(sandbox)
            return answer
        finally:
            self._turns.release()

    def _take(self) -> Sandbox:
        with self._lock:
            while self._idle:
                sandbox = self._idle.pop()
                if sandbox.alive:
                    return sandbox
                sandbox.close()
            self.cold_starts += 1
        return Sandbox(self.function)

    def _put_back(self, sandbox: Sandbox) -> None:
        if not sandbox.alive or self.function.keep_warm_s <= 0 or self._closed.is_set():
            sandbox.close()
            return
        sandbox.idle_since = time.monotonic()
        with self._lock:
            self._idle.append(sandbox)

    @property
    def warm(self) -> int:
        """How many sandboxes wait for an event."""
        with self._lock:
            return len(self._idle)

    def _reap(self) -> None:
        pause = min(1.0, max(0.05, self.function.keep_warm_s / 4))
        while not self._closed.wait(pause):
            limit = time.monotonic() - self.function.keep_warm_s
            with self._lock:
                old = [sandbox for sandbox in self._idle if sandbox.idle_since <= limit]
                for sandbox in old:
                    self._idle.remove(sandbox)
            for sandbox in old:
                sandbox.close()

    def close(self) -> None:
        """End all sandboxes that are idle; the others end with their event."""
        self._closed.set()
        self._reaper.join()
        with self._lock:
            idle, self._idle = self._idle, deque()
        for sandbox in idle:
            sandbox.close()
