"""Why attempts failed, a number for each reason: thousands fail at once, but for the same few."""

from __future__ import annotations

from typing import Final, NamedTuple

from rtour.engine.model import AttemptError
from rtour.server.activation import Activation

_REASONS_MAX: Final = 1000
_TEXT_MAX: Final = 16_384  # characters; with what is longer, memory would be bounded by nothing


class Reason(NamedTuple):
    """What an activation knows of its latest attempt: the fields of the same names."""

    last_error: AttemptError | None = None
    deployment_id: str | None = None
    sdk: str | None = None


class Reasons:
    """Numbers for reasons. 0 stands for what was too long, or one too many."""

    def __init__(self) -> None:
        self._reasons = [Reason()]
        self._numbers: dict[Reason, int] = {}

    def number_of(self, activation: Activation) -> int:
        error = activation.last_error
        reason = Reason(error, activation.deployment_id, activation.sdk)
        number = self._numbers.get(reason, 0)
        too_long = error is not None and len(error.message) + len(error.stacktrace) > _TEXT_MAX
        if not number and not too_long and len(self._reasons) <= _REASONS_MAX:
            number = self._numbers[reason] = len(self._reasons)
            self._reasons.append(reason)
        return number

    def __getitem__(self, number: int) -> Reason:
        return self._reasons[number]

    def clear(self) -> None:
        """No number is in use any more."""
        del self._reasons[1:]
        self._numbers.clear()
