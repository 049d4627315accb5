"""Sends traces to an OpenTelemetry collector over HTTP, in the background and in batches."""

from collections.abc import Sequence
from contextvars import ContextVar
from typing import Final

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from realtime.spans import Span

_LOW: Final = (1 << 64) - 1
_wanted: ContextVar[int | None] = ContextVar("wanted_trace_id", default=None)


class _Ids(RandomIdGenerator):
    """A root's ids are those of its message; all others are drawn by lot."""

    def generate_trace_id(self) -> int:
        return _wanted.get() or super().generate_trace_id()

    def generate_span_id(self) -> int:
        wanted = _wanted.get()
        return _root_of(wanted) if wanted is not None else super().generate_span_id()


class Otlp:
    def __init__(self, endpoint: str, *, process: str) -> None:
        resource = Resource.create({"service.name": f"mychatflow-{process.partition('-')[0]}", "process": process})
        self._provider = TracerProvider(resource=resource, id_generator=_Ids())
        exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces")
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("mychatflow")

    def export(self, trace_id: int, spans: Sequence[Span]) -> None:
        for span in spans:
            if span.is_root:
                token = _wanted.set(trace_id)
                try:
                    self._write(span, None)
                finally:
                    _wanted.reset(token)
            else:
                self._write(span, trace_id)

    def close(self) -> None:
        self._provider.shutdown()

    def _write(self, span: Span, trace_id: int | None) -> None:
        parent = None if trace_id is None else trace.set_span_in_context(_remote(trace_id))
        written = self._tracer.start_span(
            span.name,
            context=parent,
            kind=SpanKind.SERVER if span.is_root else SpanKind.INTERNAL,
            attributes=dict(span.attributes),
            start_time=round(span.began * 1e9),
        )
        if span.is_failed:
            written.set_status(Status(StatusCode.ERROR))
        written.end(round(span.ended * 1e9))


def _root_of(trace_id: int) -> int:
    return trace_id & _LOW or 1


def _remote(trace_id: int) -> NonRecordingSpan:
    return NonRecordingSpan(
        SpanContext(trace_id, _root_of(trace_id), is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))
    )
