"""Traces: what happens to invocations, as OpenTelemetry spans sent to a collector.

    tracer ── attempts, commands, lifecycle ── spans ── exporter ── otlp, otlp_json ── delivery
      ▲ what attempts and the ingress do, and every decision of the engine

Nothing here decides anything, and the rest of the server does without: where no endpoint is
configured none of these modules is even imported. A collector that is down, slow or silent costs
spans, which are counted, and never an invocation's time.
"""
