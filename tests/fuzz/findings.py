"""Where inputs that broke a promise are kept, one for each place where the code gave way."""

from __future__ import annotations

import hashlib
import traceback
from pathlib import Path

from tests.fuzz.target import Check


class Findings:
    """Tries inputs, and keeps those whose failure is a new one."""

    def __init__(self, folder: Path, check: Check) -> None:
        self._folder = folder
        self._check = check
        self._known: set[str] = set()
        self.tried = 0

    def attempt(self, data: bytes) -> bool:
        """Whether the promise held for this input."""
        self.tried += 1
        try:
            self._check(data)
        except Exception as error:  # noqa: BLE001 - whatever comes, it is a finding
            self._keep(data, error)
            return False
        return True

    def attempt_guided(self, data: bytes) -> None:
        """The same for a fuzzer, which takes exceptions and answers for its own."""
        self.attempt(data)

    def _keep(self, data: bytes, error: Exception) -> None:
        place = _place(error)
        if place in self._known:
            return
        self._known.add(place)
        self._folder.mkdir(parents=True, exist_ok=True)
        name = f"{type(error).__name__}-{hashlib.sha256(place.encode()).hexdigest()[:10]}"
        (self._folder / name).write_bytes(data)
        story = "".join(traceback.format_exception(error))
        (self._folder / f"{name}.txt").write_text(f"{data[:4000]!r}\n\n{story}")


def _place(error: BaseException) -> str:
    """The kind of an error and the last lines of code on the way to it: much alike is one."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "rtour" in frame.filename or "tests" in frame.filename]
    last = [f"{Path(frame.filename).name}:{frame.lineno}" for frame in ours[-2:]]
    inner = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    words = str(error)[-80:] if isinstance(error, AssertionError) else ""
    return " ".join([type(error).__name__, *last, inner, words])
