"""What is written for machines that are not here agrees with the product: settings, commands, hardening."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from mychatflow.local import programs
from mychatflow.local.commands import config, start
from mychatflow.settings import Settings
from mychatflow.store import readings

DEPLOY = Path(__file__).parents[2] / "deploy"
BASE = DEPLOY / "kubernetes" / "base"
VARIABLES = {config.variable(name) for name in Settings.model_fields}
DAGSTERS = {"DAGSTER_HOME", "DAGSTER_POSTGRES_URL"}
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
PROGRAMS = {name: service for name, service in COMPOSE["services"].items() if "mychatflow" in service["image"]}


def manifests() -> list[dict[str, Any]]:
    listed = yaml.safe_load((BASE / "kustomization.yaml").read_text())["resources"]
    return [part for name in listed for part in yaml.safe_load_all((BASE / name).read_text())]


def pods() -> Iterator[tuple[str, dict[str, Any]]]:
    for part in manifests():
        if part["kind"] in {"Deployment", "StatefulSet", "Job"}:
            yield part["metadata"]["name"], part["spec"]["template"]["spec"]


def started(command: list[str]) -> str:
    """The program that a `mychatflow` command line starts."""
    words = " ".join(command).split()
    return words[words.index("start") + 1] if "start" in words else words[0]


KNOWN = {name.value for name in start.Name} | {"migrate", "dagster-webserver", "dagster-daemon"}


@pytest.mark.parametrize("name", PROGRAMS)
def test_compose_starts_what_exists_and_hardens_it(name: str):
    service = PROGRAMS[name]

    assert started(service.get("entrypoint") or service["command"]) in KNOWN
    assert set(service["environment"]) - DAGSTERS <= VARIABLES
    assert service["read_only"]
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]


@pytest.mark.parametrize("name", COMPOSE["services"])
def test_no_service_gains_rights_or_fills_the_disk_with_its_log(name: str):
    service = COMPOSE["services"][name]

    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["logging"]["driver"] == "local"


def test_the_image_runs_what_it_compiled(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Caches anywhere else are made anew by every program of every release, on the volume that all share."""
    monkeypatch.delenv("PYTHONPYCACHEPREFIX", raising=False)
    built, _, runs = (DEPLOY / "Dockerfile").read_text().rpartition("\nFROM ")
    for name, value in re.findall(r"^(?:ENV|   ) (PYTHON\w+)=(\S+)", runs, re.MULTILINE):
        monkeypatch.setenv(name, value)

    inherited = programs.environment(Settings(_env_file=None, MYCHATFLOW_DATA_DIR=tmp_path))

    assert "UV_COMPILE_BYTECODE=1" in built
    assert "-m compileall" in built
    assert inherited["PYTHONUNBUFFERED"] == "1"
    assert "PYTHONPYCACHEPREFIX" not in inherited


def test_only_the_proxy_listens_outside():
    assert {name for name, service in COMPOSE["services"].items() if "ports" in service} == {"caddy"}


def test_the_example_names_all_that_compose_asks_for():
    asked = set(re.findall(r"\$\{(\w+)(?::\?)", (DEPLOY / "compose.yaml").read_text()))
    given = set(re.findall(r"^(\w+)=", (DEPLOY / "production.env.example").read_text(), re.MULTILINE))
    used = set(re.findall(r"\$\{(\w+)", (DEPLOY / "compose.yaml").read_text()))

    assert asked - given == set()
    assert given - used == set()


def test_what_compose_passes_on_empty_counts_as_unset(monkeypatch: pytest.MonkeyPatch):
    environment = COMPOSE["services"]["web"]["environment"]
    empty = [name for name, value in environment.items() if value == f"${{{name}:-}}"]
    for name in empty:
        monkeypatch.setenv(name, "")

    settings = Settings(_env_file=None)

    assert empty
    assert [name for name in empty if getattr(settings, name.lower())] == []


@pytest.mark.parametrize(("name", "pod"), list(pods()), ids=[name for name, _ in pods()])
def test_every_pod_is_restricted_and_bounded(name: str, pod: dict[str, Any]):
    (box,) = pod["containers"]

    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert box["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert {"cpu", "memory"} <= set(box["resources"]["requests"])
    assert "memory" in box["resources"]["limits"]
    assert started(box.get("command") or box["args"]) in KNOWN
    assert pod.get("automountServiceAccountToken") is name.startswith("dagster")


@pytest.mark.parametrize("name", ["dagster", "dagster-daemon"])
def test_a_run_is_a_pod_that_the_namespace_admits(name: str):
    """No cluster was there to refuse it: as it was, the Job had no image, our entrypoint and another's namespace."""
    text = next(part for part in manifests() if part["metadata"]["name"] == "dagster-instance")["data"]["dagster.yaml"]
    config = yaml.safe_load(text)["run_launcher"]["config"]
    run, launcher = config["run_k8s_config"], next(pod for at, pod in pods() if at == name)
    (box,) = launcher["containers"]
    given = {each["name"]: each for each in box["env"]}

    assert run["pod_spec_config"]["securityContext"] == launcher["securityContext"]
    assert run["container_config"]["securityContext"] == box["securityContext"]
    # What `kubectl kustomize` makes of the other images, and the workflow puts its own in place of.
    (image,) = yaml.safe_load((BASE / "kustomization.yaml").read_text())["images"]
    assert given["DAGSTER_CURRENT_IMAGE"]["value"] == f"{image['name']}:{image['newTag']}"
    assert given["POD_NAMESPACE"]["valueFrom"] == {"fieldRef": {"fieldPath": "metadata.namespace"}}
    assert config["job_namespace"] == {"env": "POD_NAMESPACE"}
    assert given["POD_NAMESPACE"] in run["container_config"]["env"]
    assert run["container_config"]["command"] == ["env"]
    # Where it is told that its home is, it is; and not on the volume, where a kubelet makes it root's.
    homes = {config["dagster_home"], given["DAGSTER_HOME"]["value"]}
    assert homes == {"/opt/dagster"}
    for container in (run["container_config"], box):
        assert {"/opt/dagster", "/data", "/tmp"} == {each["mountPath"] for each in container["volumeMounts"]}


def test_the_cluster_sets_only_what_we_read():
    found: dict[str, set[str]] = {
        part["kind"]: set(part["data"]) for part in manifests() if part["kind"] == "ConfigMap"
    }
    secret = yaml.safe_load((BASE / "secrets.example.yaml").read_text())
    settings = next(part for part in manifests() if part["metadata"]["name"] == "mychatflow" and "data" in part)

    assert found
    assert set(settings["data"]) <= VARIABLES
    assert set(secret["stringData"]) - DAGSTERS <= VARIABLES


def test_the_api_finds_the_numbers_and_somebody_hears_of_alerts():
    composed = COMPOSE["services"]["web"]["environment"]
    settings = next(part["data"] for part in manifests() if part["metadata"]["name"] == "mychatflow" and "data" in part)
    allowed = next(part["spec"] for part in manifests() if part["metadata"]["name"] == "ask-for-numbers")
    (served,) = next(pod for name, pod in pods() if name == "dashboards")["containers"]

    # In a container of its own, "the local dashboards" of the usual setting are nobody.
    assert composed["ANALYTICS_URL"] == settings["ANALYTICS_URL"] == "http://dashboards:8501"
    assert "dashboards" in COMPOSE["services"]
    assert [port["containerPort"] for port in served["ports"]] == [8501]
    assert allowed["podSelector"]["matchLabels"] == {"app": "web"}
    assert allowed["egress"][0]["ports"] == [{"protocol": "TCP", "port": 8501}]
    assert "ALERT_EMAILS" in composed
    assert "ALERT_EMAILS" in settings


def test_nobody_asks_the_dashboards_for_numbers_past_the_api():
    """Behind the dashboards' name nobody counts a tenant's calls, or the wrong keys of an address."""
    proxied = (DEPLOY / "Caddyfile").read_text().partition("dashboards.{$DOMAIN}")[2]
    ingress = next(
        part for part in manifests() if part["kind"] == "Ingress" and part["metadata"]["name"] == "dashboards"
    )
    [rule] = ingress["spec"]["rules"]
    leads = {each["path"]: each["backend"]["service"]["name"] for each in rule["http"]["paths"]}

    assert re.search(r"@internal path (.*)\n\s*respond @internal 404", proxied).group(1).split() == [
        "/_stcore/metrics",
        "/api",
        "/api/*",
    ]
    assert leads == {"/api": "web", "/_stcore/metrics": "web", "/": "dashboards"}


@pytest.mark.parametrize("overlay", ["preview", "production"])
def test_every_patch_meets_what_it_changes(overlay: str):
    patched = yaml.safe_load((DEPLOY / "kubernetes" / "overlays" / overlay / "kustomization.yaml").read_text())
    by_name = {(part["kind"], part["metadata"]["name"]): part for part in manifests()}

    for patch in patched["patches"]:
        target = by_name[(patch["target"]["kind"], patch["target"]["name"])]
        for change in yaml.safe_load(patch["patch"]):
            place: Any = target
            for step in change["path"].strip("/").split("/"):
                place = place[int(step)] if isinstance(place, list) else place[step]
            assert place != change["value"]


def test_production_dagster_differs_by_its_storage_alone():
    ours = yaml.safe_load((Path(__file__).parents[2] / "pipelines" / "dagster.yaml").read_text())
    composed = yaml.safe_load((DEPLOY / "dagster" / "dagster.yaml").read_text())
    text = next(part for part in manifests() if part["metadata"]["name"] == "dagster-instance")["data"]["dagster.yaml"]
    clustered = yaml.safe_load(text)

    assert ours.pop("event_log_storage")["class"] == "OpenEventLog"
    assert composed.pop("storage") == clustered.pop("storage")
    assert clustered.pop("run_launcher")["class"] == "K8sRunLauncher"
    # Its home is a ConfigMap, in which nobody writes.
    assert clustered.pop("local_artifact_storage")["config"]["base_dir"].startswith("/data/")
    assert clustered.pop("compute_logs")["config"]["base_dir"].startswith("/data/")
    assert composed == clustered == ours


def test_workers_grow_by_a_number_that_we_publish():
    scaled = next(part for part in manifests() if part["kind"] == "ScaledObject")

    (trigger,) = scaled["spec"]["triggers"]
    assert re.findall(r"mychatflow_\w+", trigger["metadata"]["query"]) == ["mychatflow_inbox_oldest_seconds"]
    assert "mychatflow_inbox_oldest_seconds" in readings.NAMES


@pytest.mark.parametrize("name", ["web", "worker"])
def test_prometheus_reaches_every_pod_that_counts(name: str):
    found = {(part["kind"], part["metadata"]["name"]): part for part in manifests()}
    template = (found.get(("Deployment", name)) or found[("StatefulSet", name)])["spec"]["template"]
    notes, (box,) = template["metadata"]["annotations"], template["spec"]["containers"]
    policy = found[("NetworkPolicy", {"web": "let-in", "worker": "measure-workers"}[name])]["spec"]
    monitoring = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}

    assert notes["prometheus.io/scrape"] == "true"
    assert [str(port["containerPort"]) for port in box["ports"]] == [notes["prometheus.io/port"]]
    # On the shared volume each pod would tell the counts of all, and a sum over pods would be a multiple.
    assert {"name": "PROMETHEUS_MULTIPROC_DIR", "value": "/tmp/metrics"} in box["env"]
    (rule,) = policy["ingress"]
    assert monitoring in rule["from"]
    assert [str(port["port"]) for port in rule.get("ports", [])] in ([], [notes["prometheus.io/port"]])
