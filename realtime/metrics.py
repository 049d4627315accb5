"""What Prometheus may count, with labels of a fixed few values, so that no sender can grow them."""

from pathlib import Path
from typing import Final

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.multiprocess import MultiProcessCollector

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST

webhooks = Counter(
    "mychatflow_webhooks",
    "Webhooks by event and by what became of them.",
    ("event", "outcome"),
)
webhook_rejections = Counter(
    "mychatflow_webhook_rejections",
    "Webhooks refused before they were read, by reason; strangers apart from known numbers.",
    ("reason", "sender"),
)
altered_messages = Counter(
    "mychatflow_altered_messages",
    "Message ids that came again with other words; the first words stay.",
)
webhook_seconds = Histogram(
    "mychatflow_webhook_seconds",
    "From the request to the answer, the commit included.",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 10),
)
http_requests = Counter(
    "mychatflow_http_requests",
    "Requests to the API by route template and status.",
    ("method", "route", "status"),
)
http_seconds = Histogram(
    "mychatflow_http_request_seconds",
    "Time to answer API requests, by route template.",
    ("route",),
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)
statuses_applied = Counter(
    "mychatflow_statuses_applied",
    "Acknowledgements and session changes applied.",
    ("kind",),
)
caught_up_messages = Counter(
    "mychatflow_caught_up_messages",
    "Messages found in the gateway's history whose webhook never came.",
)
rate_limits_are_local = Gauge(
    "mychatflow_rate_limits_are_local",
    "1 while Redis is away and this process counts alone.",
    multiprocess_mode="max",
)


def exposition(shared_directory: Path | None) -> bytes:
    """The text form; of all web processes together where they share a directory."""
    if shared_directory is None:
        return generate_latest(REGISTRY)
    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=str(shared_directory))  # type: ignore[no-untyped-call]  # the library's own lack
    return generate_latest(registry)
