"""An attempt that was ordered, of an invocation that is killed before the attempt begins."""

from __future__ import annotations

import asyncio
import logging

import pytest

from rtour.engine.commands import Invoke, Kill
from rtour.engine.model import FromIngress
from tests.server.rig import Rig, greeter
from tests.virtual_time import VirtualClock, run


def test_an_attempt_whose_journal_is_gone_fails_quietly(caplog: pytest.LogCaptureFixture) -> None:
    """It opens no exchange, is no error of the server's, and leaves nothing behind."""

    async def main(clock: VirtualClock) -> None:
        rig = Rig(clock)
        id_ = rig.preconditions_id()
        rig.processor.propose(Invoke(id_, greeter(), FromIngress()))
        await asyncio.sleep(0)  # applied, and its commit begun
        rig.processor.propose(Kill(id_))
        await rig.settled()
        assert rig.transport.waiting == 0
        assert rig.storage.view.invocation(id_) is None
        assert not list(rig.invoker.activations())

    with caplog.at_level(logging.ERROR, "rtour"):
        run(main)
    assert not caplog.records
