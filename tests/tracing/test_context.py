"""W3C trace context: what is taken from others, and what is given to them."""

from __future__ import annotations

import pytest

from rtour.engine.model import Trace
from rtour.ids import make_invocation_id
from rtour.server.trace_context import SpanContext, own_trace, parse

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.mark.parametrize(("flags", "sampled"), [("01", True), ("00", False), ("03", True)])
def test_a_context_comes_back_from_its_header(flags: str, sampled: bool) -> None:
    """Ids, whether to record, and the state of other vendors are kept."""
    context = parse(Trace(f"00-{TRACE}-{SPAN}-{flags}", "vendor=1"))
    assert context == SpanContext(bytes.fromhex(TRACE), bytes.fromhex(SPAN), sampled, "vendor=1")
    assert parse(context.trace) == context


def test_later_versions_may_say_more() -> None:
    """What follows the flags is theirs, and no reason to lose the trace."""
    context = parse(Trace(f"cc-{TRACE}-{SPAN}-01-what-will-be"))
    assert context is not None
    assert context.header == f"00-{TRACE}-{SPAN}-01"


@pytest.mark.parametrize(
    "header",
    [
        "",
        "nonsense",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01-more",
        f"00-{TRACE}-{SPAN}",
    ],
)
def test_an_invalid_header_is_no_context(header: str) -> None:
    """The trace then begins here, as the recommendation asks."""
    assert parse(Trace(header)) is None
    assert parse(None) is None


def test_an_invocation_has_ids_of_its_own() -> None:
    """Its uuid is its trace id where it starts a trace, and its end is the start span's id."""
    uuid = 0x0123456789ABCDEF_0011223344556677
    context = own_trace(make_invocation_id(5, uuid), sampled=True)
    assert context.header == "00-0123456789abcdef0011223344556677-0011223344556677-01"
