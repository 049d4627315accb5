"""What Prometheus may count, with labels of a fixed few values, so that no sender can grow them."""

import functools
import time
from typing import Final
from uuid import UUID

from prometheus_client import Counter, Gauge, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from realtime import shared_metrics

CONTENT_TYPE: Final = shared_metrics.CONTENT_TYPE
# Numbers are told apart only so far that one of them cannot hide among the others.
_SHARDS: Final = 16
_METHODS: Final = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"})
_CLASSES: Final = ("1xx", "2xx", "3xx", "4xx", "5xx")

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
webhook_failures = Counter(
    "mychatflow_webhook_failures",
    "Webhooks of our own numbers that we could not take, by a sixteenth of the numbers.",
    ("shard",),
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
http_answers = Counter(
    "mychatflow_http_answers",
    "Every answer of the web process by class of status.",
    ("status",),
)
http_requests = Counter(
    "mychatflow_http_requests",
    "Requests to the API by route template and class of status.",
    ("method", "route", "status"),
)
http_seconds = Histogram(
    "mychatflow_http_request_seconds",
    "Time to answer API requests, by route template.",
    ("route",),
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)
turns = Counter(
    "mychatflow_turns",
    "Chats served from claim to release, by how it ended.",
    ("outcome",),
)
turn_seconds = Histogram(
    "mychatflow_turn_seconds",
    "From claim to release, the model's time and the sending included.",
    buckets=(0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 3, 5, 8, 13, 20, 30),
)
turns_under_way = Gauge(
    "mychatflow_turns_under_way",
    "Chats that the workers hold now.",
    multiprocess_mode="sum",
)
step_seconds = Histogram(
    "mychatflow_step_seconds",
    "One durable step of the engine, many chats at once, by its last statement.",
    ("step",),
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 8),
)
ai_seconds = Histogram(
    "mychatflow_ai_seconds",
    "From the question to the first usable answer, failed models included.",
    buckets=(0.25, 0.5, 1, 2, 3, 5, 8, 13),
)
ai_attempts = Counter(
    "mychatflow_ai_attempts",
    "Calls to models by how they ended.",
    ("provider", "outcome"),
)
ai_tokens = Counter(
    "mychatflow_ai_tokens",
    "Tokens by direction.",
    ("provider", "direction"),
)
ai_unanswered = Counter(
    "mychatflow_ai_unanswered",
    "Turns that no model answered: the message waits.",
)
budget_refusals = Counter(
    "mychatflow_ai_budget_refusals",
    "Calls to models that the day's money did not reach for, a tenant's or a provider's.",
    ("kind",),
)
breaker_degraded = Gauge(
    "mychatflow_breaker_degraded",
    "1 while a process keeps models' breakers in its own memory, because Redis is away.",
    multiprocess_mode="livemax",
)
bell_losses = Counter(
    "mychatflow_bell_losses",
    "Attempts of a worker to hear the bell that ended because Redis is away.",
)
breaker_changes = Counter(
    "mychatflow_breaker_changes",
    "State changes of models' breakers.",
    ("provider", "state"),
)
sends = Counter(
    "mychatflow_sends",
    "Messages handed to the gateway by what became of them.",
    ("kind", "outcome"),
)
send_seconds = Histogram(
    "mychatflow_send_seconds",
    "From handing a message over until its fate was known, repeats included.",
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 30),
)
statuses_applied = Counter(
    "mychatflow_statuses_applied",
    "Acknowledgements and session changes applied.",
    ("kind",),
)
acknowledgements = Counter(
    "mychatflow_acknowledgements",
    "What WhatsApp said of messages we sent.",
    ("level",),
)
caught_up_messages = Counter(
    "mychatflow_caught_up_messages",
    "Messages found in the gateway's history whose webhook never came.",
)
dead_letters = Counter(
    "mychatflow_dead_letters",
    "Webhooks kept for an operator.",
    ("reason",),
)
database_errors = Counter(
    "mychatflow_database_errors",
    "Writes that Postgres refused or lost; nothing was acknowledged.",
    ("where",),
)
rate_limits_are_local = Gauge(
    "mychatflow_rate_limits_are_local",
    "1 while Redis is away and this process counts alone.",
    multiprocess_mode="max",
)

# A series that begins at 1 has not grown in Prometheus' eyes: what alerts look at exists from the start.
_ANSWERED: Final = {name: http_answers.labels(name) for name in _CLASSES}
_FAILED_BY_SHARD: Final = [webhook_failures.labels(str(number)) for number in range(_SHARDS)]
for _where in ("webhook", "api", "engine", "directory"):
    database_errors.labels(_where)
# A file outlives its process: whoever counts on in it holds no chat yet and misses nobody.
for _level in (turns_under_way, breaker_degraded, rate_limits_are_local):
    _level.set(0)
_UNMATCHED: Final = "unmatched"
_ACKNOWLEDGED: Final = {-1: "error", 0: "pending", 1: "server", 2: "device", 3: "read", 4: "played"}


def answered(status: int) -> None:
    """Any answer of the web process."""
    _ANSWERED[f"{status // 100}xx"].inc()


def webhook_failed(instance_id: UUID) -> None:
    """A webhook whose signature is one of ours, and which we could not take."""
    _FAILED_BY_SHARD[instance_id.int % _SHARDS].inc()


def attempted(provider: str, outcome: str, *, input_tokens: int, output_tokens: int) -> None:
    """A call to a model, with its tokens."""
    ai_attempts.labels(provider, outcome).inc()
    ai_tokens.labels(provider, "input").inc(input_tokens)
    ai_tokens.labels(provider, "output").inc(output_tokens)


def acknowledged(level: int, count: int) -> None:
    acknowledgements.labels(_ACKNOWLEDGED[level]).inc(count)


class Measured:
    """Counts and times the API's answers, by the template of their route and never by their path."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status, is_stream = time.perf_counter(), 500, False

        async def noting(message: Message) -> None:
            nonlocal status, is_stream
            if message["type"] == "http.response.start":
                status = message["status"]
                is_stream = any(value.startswith(b"text/event-stream") for _, value in message.get("headers", ()))
            await send(message)

        try:
            await self._app(scope, receive, noting)
        finally:
            route = getattr(scope.get("route"), "path", None)
            requested(scope["method"], route, status)
            if not is_stream:
                # How long somebody listens says nothing of us.
                _seconds(route or _UNMATCHED).observe(time.perf_counter() - began)


def requested(method: str, route: str | None, status: int) -> None:
    """An answer of the API; `route` is its template, None where none was looked for or found."""
    answered(status)
    _requests(method if method in _METHODS else "other", route or _UNMATCHED, f"{status // 100}xx").inc()


@functools.cache
def _requests(method: str, route: str, status: str) -> Counter:
    return http_requests.labels(method, route, status)


@functools.cache
def _seconds(route: str) -> Histogram:
    return http_seconds.labels(route)
