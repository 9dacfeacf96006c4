"""OpenTelemetry in handlers, under the official SDK's module name."""

from rtour.sdk.tracing import RestateTracer, RestateTracerProvider, handler_span

__all__ = ["RestateTracer", "RestateTracerProvider", "handler_span"]
