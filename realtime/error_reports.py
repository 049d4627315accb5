"""Errors of ours as Sentry hears of them: where it happened and why, nothing of whom it happened to."""

from typing import Any

import sentry_sdk
from sentry_sdk.integrations.logging import LoggingIntegration
from sentry_sdk.types import Event, Hint

from mychatflow.local import masking
from mychatflow.settings import Settings


def start(settings: Settings, *, process: str) -> None:
    """From now on what is logged as an error is reported. Only called where SENTRY_DSN is set."""
    if settings.sentry_dsn is None:
        return
    sentry_sdk.init(
        dsn=settings.sentry_dsn.get_secret_value(),
        environment=settings.env,
        server_name=process,
        # A frame's variables are where texts and keys would be.
        include_local_variables=False,
        max_request_body_size="never",
        max_breadcrumbs=0,
        traces_sample_rate=0,
        # Nothing that reads requests, queries or prompts by itself; personal data is off unless asked for.
        default_integrations=False,
        auto_enabling_integrations=False,
        integrations=[LoggingIntegration(level=None)],
        before_send=scrubbed,
    )


def scrubbed(event: Event, _hint: Hint) -> Event | None:
    """The event without requests, users and breadcrumbs, and with every text in it cleaned."""
    for part in ("request", "user", "breadcrumbs"):
        event.pop(part, None)  # type: ignore[misc]  # keys of a TypedDict, by name
    for entry in _exceptions(event):
        entry["value"] = masking.clean(entry.get("value"))
    for part in ("logentry", "message", "extra", "contexts", "tags"):
        if part in event:
            event[part] = masking.clean(event[part])  # type: ignore[literal-required]  # as above
    return event


def _exceptions(event: Event) -> list[dict[str, Any]]:
    exception: Any = event.get("exception") or {}
    return list(exception.get("values") or ())
