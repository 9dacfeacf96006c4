"""Tracing put together from the settings: the tracer, what watches decisions, the exporter."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from random import Random

from msgspec.structs import replace

from rtour.clock import Clock
from rtour.engine.view import View
from rtour.redaction import Redactor
from rtour.server.export_reading import ExportReading
from rtour.server.settings import Settings
from rtour.server.tasks import TaskSet
from rtour.server.tracing.delivery import Delivery, destination, pairs
from rtour.server.tracing.exporter import Exporter
from rtour.server.tracing.lifecycle import Lifecycle
from rtour.server.tracing.masking import Masked
from rtour.server.tracing.spans import Attributes
from rtour.server.tracing.tracer import Tracer
from rtour.server.transport import HttpTransport, Transport


class Tracing:
    """Spans of one server. Raises BadTracingEndpoint for settings that make no sense."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        random: Random,
        view: View,
        cluster_name: str,
        transport: Transport | None = None,
    ) -> None:
        assert settings.tracing_endpoint is not None, "tracing is off"
        headers = settings.tracing_headers
        self._transport = transport or HttpTransport()  # its own: nothing waits behind a collector
        deliver = Delivery(
            destination(settings.tracing_endpoint),
            pairs(headers.reveal() if headers else None),
            _resource(settings, cluster_name),
            _version(),
            self._transport,
        )
        self._redact = Redactor(settings.redacted_headers)
        masked = Masked(self._redact)
        self.exporter = Exporter(
            lambda span: deliver.encode(masked(span)), deliver, settings.tracing_endpoint
        )
        self.tracer = Tracer(
            clock,
            random,
            self.exporter.offer,
            settings.tracing_sample_ratio,
            self.exporter.counts,
        )
        self.watch = Lifecycle(self.tracer, view)
        self._tasks = TaskSet()

    def reading(self) -> ExportReading:
        """How the export goes, without credentials."""
        reading = self.exporter.reading()
        where, error = (
            None if text is None else self._redact(text)
            for text in (reading.endpoint, reading.error)
        )
        return replace(reading, endpoint=where, error=error)

    def start(self) -> None:
        """Begin to export."""
        self._tasks.spawn(self.exporter.run(), "span exporter")

    async def close(self) -> None:
        """Export what is left."""
        await self._tasks.cancel_all()
        await self.exporter.close()
        await self._transport.close()


def _resource(settings: Settings, cluster_name: str) -> Attributes:
    """Who sends the spans; OTEL_RESOURCE_ATTRIBUTES may say otherwise."""
    ours = {
        "service.name": "rtour",
        "service.namespace": "rtour",
        "service.instance.id": f"{cluster_name}/node",
        "service.version": _version(),
    }
    return tuple((ours | dict(pairs(settings.tracing_resource_attributes))).items())


def _version() -> str:
    try:
        return version("rtour")
    except PackageNotFoundError:
        return "unknown"
