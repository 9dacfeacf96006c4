"""What can go wrong, as one tree; each error carries Restate's code where Restate has one.

    RtourError
    ├── InvalidId              an id that does not parse (also a ValueError)
    ├── ProtocolError          the peer broke the service protocol (570 to 573)
    │   ├── MessageTooLarge    RT0003
    │   └── FutureTooDeep      RT0025
    ├── ManifestError          META0005, META0012, META0013…: a deployment describes itself badly
    └── InputRejected          a request body its handler does not take

Messages say what happened and what was expected; they are shown to users as they are.
"""


class RtourError(Exception):
    """The root: catch it to catch all that rtour raises on purpose."""

    restate_code: str | None = None


class InvalidId(RtourError, ValueError):  # noqa: N818 - reads as the fact it reports
    """Text or bytes that are no id; the message is Restate's fragment, such as `bad length`."""


class ProtocolError(RtourError):
    """Bytes or messages against the service protocol; `code` goes into an Error message."""

    restate_code = "RT0012"

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class MessageTooLarge(ProtocolError):  # noqa: N818
    """A frame longer than the limit, known from its header alone."""

    restate_code = "RT0003"


class FutureTooDeep(ProtocolError):  # noqa: N818
    """A tree of awaited results nested deeper than anyone may evaluate."""

    restate_code = "RT0025"


class ManifestError(RtourError):
    """A manifest Restate would refuse; `restate_code` is its META code, `status` admin's answer."""

    def __init__(self, message: str, restate_code: str | None = None, status: int = 500) -> None:
        super().__init__(message)
        self.message = message
        self.restate_code = restate_code
        self.status = status


class InputRejected(RtourError):  # noqa: N818
    """The body or content type of a request does not fit the handler's input rules."""
