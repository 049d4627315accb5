"""The alert rules as Prometheus reads them: `python -m realtime.prometheus_rules > deploy/prometheus/alerts.yml`."""

import sys
from typing import Any, Final

import yaml

from mychatflow.rules.alerts import KEPT, RULES, SILENCES
from realtime.alerts import JUDGED_EVERY

# A restart is over sooner.
_SILENT_FOR: Final = "30s"
_HEAD: Final = (
    "# Written by `python -m realtime.prometheus_rules > deploy/prometheus/alerts.yml`: "
    "change mychatflow/rules/alerts.py.\n"
)


def written() -> str:
    """deploy/prometheus/alerts.yml: what our own evaluator judges too, and what nobody of us can say of himself."""
    rules = [
        {
            "alert": rule.prometheus_name,
            "expr": rule.condition.promql(),
            "keep_firing_for": f"{KEPT.total_seconds():.0f}s",
            **_told(rule.severity, rule.says, rule.do),
        }
        for rule in RULES
    ]
    silences = [
        {"alert": name, "expr": expression, "for": _SILENT_FOR, **_told("critical", says, do)}
        for name, expression, says, do in SILENCES
    ]
    groups = [_group("mychatflow", rules), _group("mychatflow-silences", silences)]
    return _HEAD + yaml.safe_dump({"groups": groups}, sort_keys=False, width=1000)


def _told(severity: str, says: str, do: str) -> dict[str, Any]:
    return {"labels": {"severity": severity}, "annotations": {"summary": says, "description": do}}


def _group(name: str, rules: list[dict[str, Any]]) -> dict[str, Any]:
    return {"name": name, "interval": f"{JUDGED_EVERY:.0f}s", "rules": rules}


if __name__ == "__main__":
    sys.stdout.write(written())
