"""What all processes of `mychatflow up --demo` hold together: at rest, and while an hour's numbers are made.

Shared pages are counted once. The hour's job is started as its schedule would, in a run of its own.
"""

import json
import os
import sys
import time
import urllib.request
from typing import Any

from benchmarks import report, watch
from benchmarks.product import Product, product
from benchmarks.report import goal
from benchmarks.traffic import Traffic
from benchmarks.watch import Sample

_FEW = Traffic(chats=10, rate=1.0, seconds=1, model_ms=1000)
_SETTLES_SECONDS, _LOOK_SECONDS, _RUN_SECONDS = 60.0, 1.0, 600.0
_JOB = {
    "repositoryLocationName": "pipelines.definitions",
    "repositoryName": "__repository__",
    "jobName": "hourly_analytics",
}
_LAUNCH = """mutation ($job: JobOrPipelineSelector!, $tags: [ExecutionTag!]) {
  launchRun(executionParams: {selector: $job, runConfigData: {}, executionMetadata: {tags: $tags}}) {
    ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }"""
_STATUS = "query ($run: ID!) { runOrError(runId: $run) { ... on Run { status } } }"


def asked(running: Product, query: str, **variables: object) -> Any:
    """What Dagster's web server answers."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{running.settings.dagster_port}/graphql",
        data=json.dumps({"query": query, "variables": variables}).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=300) as answer:
        return json.loads(answer.read())["data"]


def at_rest(running: Product) -> list[Sample]:
    end = time.monotonic() + _SETTLES_SECONDS
    samples = []
    while time.monotonic() < end:
        samples.append(watch.sample(running))
        time.sleep(_LOOK_SECONDS)
    return samples


def during_an_hour(running: Product) -> list[Sample]:
    """Until the run ends; it must end well."""
    day = time.strftime("%Y-%m-%d", time.gmtime())
    tags = [{"key": "dagster/partition", "value": day}, {"key": "mychatflow/hourly", "value": "true"}]
    launched = asked(running, _LAUNCH, job=_JOB, tags=tags)["launchRun"]
    run, samples, end = launched["run"]["runId"], [], time.monotonic() + _RUN_SECONDS
    while (status := asked(running, _STATUS, run=run)["runOrError"]["status"]) not in {"SUCCESS", "FAILURE"}:
        if time.monotonic() > end:
            sys.exit(f"the run did not end in {_RUN_SECONDS:g} s")
        samples.append(watch.sample(running))
        time.sleep(_LOOK_SECONDS)
    if status != "SUCCESS":
        sys.exit(f"the run ended as {status}")
    return samples


def rows(rest: list[Sample], hour: list[Sample]) -> list[dict[str, report.Value]]:
    last, highest = rest[-1], max(hour, key=lambda sample: sample.total_megabytes)
    told = [
        goal("at rest", last.total_megabytes, "MB"),
        goal("during an hourly run, most", highest.total_megabytes, "MB", 1500),
    ]
    told += [goal(f"at rest: {kind}", last.megabytes[kind], "MB") for kind in sorted(last.megabytes)]
    return told + [goal(f"during a run: {kind}", highest.megabytes[kind], "MB") for kind in sorted(highest.megabytes)]


def main() -> None:
    load = os.getloadavg()[0]
    with product(_FEW, demo=True) as running:
        rest = at_rest(running)
        hour = during_an_hour(running)
    report.show_goals("memory", [goal("load before the start", load, ""), *rows(rest, hour)])


if __name__ == "__main__":
    main()
