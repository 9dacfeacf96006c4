"""Collectors for tests: real gRPC and HTTP servers that decode OTLP with the official schema."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import grpc
from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as service
from opentelemetry.proto.trace.v1 import trace_pb2

SERVICE = "opentelemetry.proto.collector.trace.v1.TraceService"
NAMES = {0: "unset", 1: "ok", 2: "error"}


class Told:
    """One span as a collector got it, its attributes as plain values."""

    def __init__(self, span: trace_pb2.Span, resource: dict[str, Any], scope: str) -> None:
        self.raw = span
        self.resource = resource
        self.scope = scope
        self.name = span.name
        self.trace_id = span.trace_id.hex()
        self.span_id = span.span_id.hex()
        self.parent_id = span.parent_span_id.hex()
        self.start = span.start_time_unix_nano
        self.end = span.end_time_unix_nano
        self.status = NAMES[span.status.code]
        self.message = span.status.message
        self.attributes = plain(span.attributes)
        self.events = [
            (event.name.rpartition(".")[2], plain(event.attributes)) for event in span.events
        ]
        self.links = [(link.trace_id.hex(), link.span_id.hex()) for link in span.links]

    @property
    def ms(self) -> float:
        return (self.end - self.start) / 1e6


def plain(attributes: Any) -> dict[str, Any]:
    """Attributes as a dict of Python values."""
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in attributes}


class Collected:
    """Everything a collector got. `rejecting` is what it answers with instead of taking spans.

    One that is `late` has sent the head of its answer before, over gRPC.
    """

    def __init__(self) -> None:
        self.spans: list[Told] = []
        self.headers: list[dict[str, str]] = []
        self.requests = 0
        self.rejecting: Any = None
        self.refused = 0
        self.late = False
        self.uri = ""
        self._changed = threading.Condition()

    def take(self, request: service.ExportTraceServiceRequest, headers: dict[str, str]) -> None:
        with self._changed:
            self.requests += 1
            self.headers.append(headers)
            for resource in request.resource_spans:
                about = plain(resource.resource.attributes)
                for scope in resource.scope_spans:
                    self.spans += [Told(span, about, scope.scope.name) for span in scope.spans]
            self._changed.notify_all()

    def answer(self) -> service.ExportTraceServiceResponse:
        partial = service.ExportTracePartialSuccess(
            rejected_spans=self.refused, error_message="too old" if self.refused else ""
        )
        return service.ExportTraceServiceResponse(partial_success=partial)

    def until(self, enough: Callable[[list[Told]], Any], within_s: float = 20.0) -> list[Told]:
        """Wait, off the loop, until the spans are enough."""
        with self._changed:
            came = self._changed.wait_for(lambda: enough(self.spans), within_s)
            assert came, f"in vain; there came {[span.name for span in self.spans]}"
            return list(self.spans)

    def named(self, name: str) -> list[Told]:
        """The spans of a name, by start."""
        return sorted((each for each in self.spans if each.name == name), key=lambda it: it.start)

    def tree(self, root: str = "") -> str:
        """Names, indented below their parents, in order of time."""
        ids = {span.span_id for span in self.spans}
        lines: list[str] = []

        def draw(parents: list[Told], depth: int) -> None:
            for span in sorted(parents, key=lambda it: (it.start, it.end)):
                lines.append("  " * depth + span.name)
                draw([it for it in self.spans if it.parent_id == span.span_id], depth + 1)

        draw([span for span in self.spans if span.parent_id not in ids and root in span.name], 0)
        return "\n".join(lines)


@contextmanager
def grpc_collector(port: int = 0) -> Iterator[Collected]:
    """OTLP over gRPC."""
    collected = Collected()

    def export(request: Any, context: grpc.ServicerContext) -> Any:
        if collected.late:
            context.send_initial_metadata((("x-early", "1"),))
        if collected.rejecting is not None:
            context.abort(collected.rejecting, "not today")
        metadata = {str(key): str(value) for key, value in context.invocation_metadata()}
        collected.take(request, metadata)
        return collected.answer()

    method = grpc.unary_unary_rpc_method_handler(
        export,
        request_deserializer=service.ExportTraceServiceRequest.FromString,
        response_serializer=service.ExportTraceServiceResponse.SerializeToString,
    )
    server = grpc.server(ThreadPoolExecutor(4))
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler(SERVICE, {"Export": method}),)
    )
    bound = server.add_insecure_port(f"127.0.0.1:{port}")
    collected.uri = f"http://127.0.0.1:{bound}"
    server.start()
    try:
        yield collected
    finally:
        server.stop(0).wait()


@contextmanager
def http_collector() -> Iterator[Collected]:
    """OTLP over HTTP, protobuf and JSON."""
    collected = Collected()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"] or 0))
            if collected.rejecting is not None:
                self._reply(collected.rejecting, b"not today")
                return
            json = self.headers["content-type"] == "application/json"
            headers = {":path": self.path, **{k.lower(): v for k, v in self.headers.items()}}
            if json:
                collected.take(from_json(body), headers)
                self._reply(200, json_format.MessageToJson(collected.answer()).encode())
            else:
                collected.take(service.ExportTraceServiceRequest.FromString(body), headers)
                self._reply(200, collected.answer().SerializeToString())

        def _reply(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    collected.uri = f"otlp+http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield collected
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def from_json(body: bytes) -> service.ExportTraceServiceRequest:
    """OTLP's JSON has ids in hex where protobuf's JSON has base64."""
    import base64
    import json

    def fix(value: Any) -> Any:
        if isinstance(value, list):
            return [fix(each) for each in value]
        if not isinstance(value, dict):
            return value
        return {
            key: base64.b64encode(bytes.fromhex(each)).decode()
            if key in {"traceId", "spanId", "parentSpanId"}
            else fix(each)
            for key, each in value.items()
        }

    return json_format.ParseDict(fix(json.loads(body)), service.ExportTraceServiceRequest())
