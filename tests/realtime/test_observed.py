"""Dashboards, alert rules and autoscaling ask for metrics that exist."""

import json
import re
from pathlib import Path

import pytest
import yaml
from prometheus_client import REGISTRY

from mychatflow.store import readings
from realtime import gauges, metrics

DEPLOY = Path(__file__).parents[2] / "deploy"
ASKED = re.compile(r"\bmychatflow_[a-z_]+\b")
_SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum"), "gauge": ("",)}


def known() -> set[str]:
    """Every name that Prometheus could read from us."""
    assert metrics.webhooks
    ours = [family for family in REGISTRY.collect() if family.name.startswith("mychatflow_")]
    counted = {family.name + suffix for family in ours for suffix in _SUFFIXES[family.type]}
    return counted | set(readings.NAMES) | {gauges.UP}


def expressions(path: Path) -> list[str]:
    if path.suffix == ".json":
        return [target["expr"] for panel in json.loads(path.read_text())["panels"] for target in panel["targets"]]
    return [path.read_text()]


@pytest.mark.parametrize(
    "path",
    [*DEPLOY.glob("grafana/*.json"), DEPLOY / "prometheus/alerts.yml", DEPLOY / "kubernetes/base/scaling.yaml"],
    ids=lambda path: path.name,
)
def test_what_is_asked_for_exists(path: Path):
    asked = {name for expression in expressions(path) for name in ASKED.findall(expression)}

    assert asked
    assert asked - known() == set()


def test_every_metric_is_on_a_dashboard():
    shown = {
        name for path in DEPLOY.glob("grafana/*.json") for each in expressions(path) for name in ASKED.findall(each)
    }
    bases = {re.sub(r"_(total|bucket|count|sum)$", "", name) for name in shown}

    assert {re.sub(r"_(total|bucket|count|sum)$", "", name) for name in known()} - bases == set()


@pytest.mark.parametrize("path", sorted(DEPLOY.glob("grafana/*.json")), ids=lambda path: path.name)
def test_panels_do_not_overlap(path: Path):
    board = json.loads(path.read_text())
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in board["panels"]]

    assert len(set(places)) == len(places)
    assert len({panel["id"] for panel in board["panels"]}) == len(places)
    assert all(panel["targets"] for panel in board["panels"])


def test_prometheus_reads_the_generated_rules():
    configured = yaml.safe_load((DEPLOY / "prometheus/prometheus.yml").read_text())

    assert configured["rule_files"] == ["alerts.yml"]
