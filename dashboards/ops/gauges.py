"""What the web process counts itself, read from its /metrics as Prometheus would."""

import httpx
from prometheus_client.parser import text_string_to_metric_families

from dashboards import api
from dashboards.parts import Tone
from mychatflow import settings as configuration

_PATIENCE_SECONDS = 1.5
_OUTCOMES = "mychatflow_webhooks"
_REFUSED = "mychatflow_webhook_rejections"
_GOOD = {"stored", "known", "applied"}
# Why a webhook was refused, where the counter's own word says too little.
_REASONS = {
    "wrong": "wrong signature",
    "missing": "no signature",
    "ambiguous": "more than one signature",
    "algorithm": "unknown algorithm",
    "stale": "signed too long ago",
    "timestamp": "no usable time",
}
_QUIET = {"ignored"}


def webhooks() -> dict[str, float] | None:
    """How many webhooks met each fate since the process started; None when it does not answer, or not us."""
    settings = configuration.load()
    try:
        answer = httpx.get(f"{api.address_of(settings)}/metrics", timeout=_PATIENCE_SECONDS, trust_env=False)
        answer.raise_for_status()
    except httpx.HTTPError:
        return None
    counts: dict[str, float] = {}
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples if family.name in {_OUTCOMES, _REFUSED} else ():
            if sample.name.endswith("_total"):
                reason = sample.labels.get("reason", "unknown")
                name = sample.labels.get("outcome") or f"refused: {_REASONS.get(reason, reason)}"
                counts[name] = counts.get(name, 0) + sample.value
    return counts


def tone(outcome: str) -> Tone:
    if outcome in _GOOD:
        return "good"
    return "quiet" if outcome in _QUIET else "warn"
