"""An exporter for the peers that costs nothing."""

from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult


class Discard(SpanExporter):
    def export(self, spans):
        return SpanExportResult.SUCCESS

    def force_flush(self, timeout_millis=30000):
        return True
