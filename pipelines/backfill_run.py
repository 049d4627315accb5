"""The run behind `python -m pipelines.backfill`: each range is one Dagster run in this process."""

import argparse
import functools
import sys
import time
from datetime import timedelta

import dagster as dg
from dagster._core.instance.ref import InstanceRef

from mychatflow import settings as configuration
from mychatflow.settings import Settings
from pipelines import answers, backfill, backfill_plan, home, killed
from pipelines.assets.sql_models import VIEWS
from pipelines.backfill_plan import Plan
from pipelines.definitions import ASSETS
from pipelines.partitions import DAILY, WINDOW_END_TAG, WINDOW_START_TAG
from pipelines.resources import Installation
from warehouse import kept
from warehouse.windows import Window

_QUIET = {"loggers": {"console": {"config": {"log_level": "ERROR"}}}}


def main(arguments: list[str] | None = None) -> int:
    return answers.run(functools.partial(_run_all, backfill.parsed(arguments)))


def _run_all(options: argparse.Namespace) -> int:
    todo, settings, started = backfill_plan.asked(options), configuration.load(), time.perf_counter()
    skipped = backfill_plan.forgotten(settings, todo)
    if skipped:
        answers.say(kept.told(skipped))
    for index, window in enumerate(todo.windows, start=1):
        span = f"{window.start:%Y-%m-%d} to {window.end:%Y-%m-%d}"
        # Before it runs: a process that is killed says nothing afterwards.
        answers.say(f"run {index} of {len(todo.windows)}: {span} …\nto resume from here: {_resuming(options, window)}")
        failure = run(settings, todo, window)
        if failure is not None:
            return answers.complain(failure, answers.FAILED if index == 1 else answers.PARTIAL)
    seconds = time.perf_counter() - started
    tables = backfill_plan.counted(len(todo.tables), "table")
    runs = backfill_plan.counted(len(todo.windows), "run")
    answers.give(
        backfill_plan.described(todo, skipped, is_dry=False) | {"seconds": round(seconds, 3)},
        as_json=options.json,
        sentence=f"{tables} in {runs}, published in {seconds:.1f} s",
    )
    return answers.OK


def _resuming(options: argparse.Namespace, window: Window) -> str:
    named = "".join(f" --asset {name}" for name in backfill_plan.names(options))
    return f"mychatflow backfill --from {window.start:%Y-%m-%d} --to {options.until.isoformat()}{named}"


def run(settings: Settings, todo: Plan, window: Window) -> str | None:
    """One Dagster run over the range; what went wrong, or None."""
    with _instance(settings) as instance:
        killed.end(instance)
        result = dg.materialize(
            [*ASSETS, *VIEWS],
            selection=_selection(todo),
            instance=instance,
            resources={"installation": Installation()},
            run_config=_QUIET,
            partition_key=_partition(window),
            tags={WINDOW_START_TAG: window.start.isoformat(), WINDOW_END_TAG: window.end.isoformat(), **killed.tags()},
            raise_on_error=False,
        )
    if result.success:
        return None
    errors = [event.step_failure_data.error for event in result.filter_events(lambda event: event.is_step_failure)]
    return "; ".join(error.message.strip() for error in errors if error) or "the run failed"


def _partition(window: Window) -> str:
    """Under which day Dagster notes the run; facts that were imported may be older than its first."""
    return max(f"{window.end - timedelta(days=1):%Y-%m-%d}", DAILY.start.strftime("%Y-%m-%d"))


def _instance(settings: Settings) -> dg.DagsterInstance:
    # Our steps print nothing, and four processes that wait for it would each answer a Ctrl-C with a traceback.
    logs = {"module": "dagster._core.storage.noop_compute_log_manager", "class": "NoOpComputeLogManager"}
    reference = InstanceRef.from_dir(str(home.prepare(settings)), overrides={"compute_logs": logs})
    return dg.DagsterInstance.from_ref(reference)


def _selection(todo: Plan) -> list[dg.AssetKey]:
    """What lands, what is computed from it, and the publication."""
    tables = [dg.AssetKey(table.split(".")) for table in todo.tables]
    return [*(dg.AssetKey(["raw", name]) for name in todo.sources), *tables, dg.AssetKey(["published", "snapshot"])]


if __name__ == "__main__":
    sys.exit(answers.stoppable(main))
