"""A last coat on values before they go into the journal, such as encryption.

A codec sees bytes only, after the serde on the way out and before it on the way in. `encode` is
called where the handler acts and must not wait; `decode` may ask a key service. Encrypted bytes
differ each time, hence with a codec values are not compared in replays.
"""

from __future__ import annotations

import abc
import asyncio
from collections.abc import Awaitable, Callable


class JournalValueCodec(abc.ABC):
    """Encodes all values: inputs, outputs, state, results, arguments of calls."""

    @abc.abstractmethod
    def encode(self, buf: bytes) -> bytes: ...

    @abc.abstractmethod
    async def decode(self, buf: bytes) -> bytes: ...


JournalValueCodecProvider = Callable[[], Awaitable[JournalValueCodec]]


class CodecSource:
    """The codec of an endpoint; a provider is asked once, by the first invocation."""

    def __init__(self, given: JournalValueCodec | JournalValueCodecProvider) -> None:
        self._given = given
        self._codec = given if isinstance(given, JournalValueCodec) else None
        self._asking = asyncio.Lock()

    async def get(self) -> JournalValueCodec:
        if self._codec is None:
            async with self._asking:
                if self._codec is None and not isinstance(self._given, JournalValueCodec):
                    self._codec = await self._given()
        assert self._codec is not None, "a provider gave no codec"
        return self._codec
