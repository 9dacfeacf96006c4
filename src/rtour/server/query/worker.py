"""A process that answers one question after another: `python -m rtour.server.query.worker FILE`.

SQL has a process of its own so that it can do the server no harm: the event loop shares neither
the interpreter nor the processor with it, for it runs at a lower priority, and whatever a
statement gets into, the process can be ended. It ends by itself when its stdin does.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from rtour.server.query import failures, frames, json_rows
from rtour.server.query.dialect.kinds import Output
from rtour.server.query.failures import QueryFailed
from rtour.server.query.running import Runner

_NICENESS = 10
# Small pieces are put together: each costs the server a turn of its loop.
_PIECE_BYTES = 64 * 1024


Encode = Callable[[Sequence[Output], Iterable[Sequence[Sequence[Any]]]], Iterator[bytes]]


class Worker:
    """Questions in, frames out."""

    def __init__(self, runner: Runner, source: BinaryIO, sink: BinaryIO) -> None:
        self._runner = runner
        self._source = source
        self._sink = sink
        self._decode = msgspec.msgpack.Decoder(frames.Question).decode

    def serve(self) -> None:
        """Say that all is loaded, then answer until there are no more questions."""
        self._sink.write(frames.frame(frames.END))
        self._sink.flush()
        while header := self._source.read(frames.HEADER.size):
            _, length = frames.HEADER.unpack(header)
            self._answer(self._decode(self._source.read(length)))
            self._sink.flush()

    def _answer(self, question: frames.Question) -> None:
        try:
            pieces = self._pieces(question)
            for piece in _gathered(pieces):
                self._sink.write(frames.frame(frames.DATA, piece))
                self._sink.flush()
        except Exception as error:  # noqa: BLE001 - a bug costs one statement
            if not isinstance(error, QueryFailed):
                traceback.print_exc()
                error = failures.internal(error)
            failed = frames.Failed(error.status, error.message, error.sqlstate)
            self._sink.write(frames.frame(frames.FAILED, msgspec.msgpack.encode(failed)))
        else:
            self._sink.write(frames.frame(frames.END))

    def _pieces(self, question: frames.Question) -> Iterable[bytes]:
        if question.bound is not None:
            from rtour.server.query.postgres import answering  # noqa: PLC0415 - few ask so

            return answering.pieces(self._runner, question)
        statement = self._runner.statement(question.sql)
        rows = self._runner.run(
            statement,
            {"now": question.now_ms},
            question.live,
            timeout_ms=question.timeout_ms,
            rows_max=question.rows_max,
        )
        return _encoder(question.encoding)(statement.columns, rows)


def _encoder(encoding: frames.Encoding) -> Encode:
    if encoding == "json":
        return json_rows.encode
    from rtour.server.query import arrow_rows  # noqa: PLC0415 - loads a native library

    return arrow_rows.encode


def _gathered(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in larger pieces; nothing before the first row is known to be there."""
    held: list[bytes] = []
    size = 0
    for piece in pieces:
        held.append(piece)
        size += len(piece)
        if size >= _PIECE_BYTES:
            yield b"".join(held)
            held.clear()
            size = 0
    if held:
        yield b"".join(held)


def main(arguments: Sequence[str]) -> None:
    """Serve on the stdin and stdout that the server gave."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the server's terminal means the server
    source, sink = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    logging.getLogger("sqlglot").setLevel(logging.ERROR)  # it warns of what we refuse
    os.dup2(2, 1)  # whatever is printed is not a frame
    from rtour.server.query.postgres import catalog as postgres  # noqa: PLC0415

    runner = Runner(Path(arguments[0]), postgres.TABLES)
    with suppress(OSError, AttributeError):
        os.nice(_NICENESS)  # only now: somebody waits for what is loaded
    with suppress(BrokenPipeError):
        Worker(runner, source, sink).serve()
    runner.close()


if __name__ == "__main__":
    main(sys.argv[1:])
