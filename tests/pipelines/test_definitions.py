"""The code location loads, and every asset says what it is, whose it is and how fresh it must be."""

import shlex

import dagster as dg
import duckdb
import pytest

from mychatflow.settings import Settings
from pipelines import metadata
from pipelines.assets.sql_models import VIEWS
from pipelines.definitions import ASSETS, defs
from pipelines.partitions import POOL
from pipelines.resources import Installation
from pipelines.schedules import JOBS, SCHEDULES, follow_up_check_schedule, hourly_analytics_schedule
from tests.warehouse.history import NOON
from warehouse import checks, models
from warehouse.checks import CheckResult
from warehouse.sources import APPENDED, SNAPSHOTS

RUN = [spec for asset in ASSETS for spec in asset.specs]
LAID_OUT = list(defs.resolve_all_asset_specs())


def test_the_code_location_loads() -> None:
    dg.Definitions.validate_loadable(defs)


@pytest.mark.parametrize("spec", RUN, ids=lambda spec: spec.key.to_user_string())
def test_every_asset_is_described_and_owned(spec: dg.AssetSpec) -> None:
    assert "Grain: one" in (spec.description or "")
    assert any(word in (spec.description or "") for word in ("rerun", "Rerun", "rerun replaces"))
    assert spec.owners == ["team:data"]
    assert spec.kinds
    assert spec.group_name not in {None, "default", "duckdb", "postgres", "python"}
    assert spec.freshness_policy is not None


def test_every_table_and_source_is_an_asset_and_nothing_stands_alone() -> None:
    keys = {spec.key.to_user_string() for spec in LAID_OUT}

    assert {f"raw/{source.name}" for source in (*APPENDED, *SNAPSHOTS)} <= keys
    assert {f"{model.layer}/{model.name}" for model in models.discover()} <= keys
    # Dagster draws what nothing makes as a nameless box without an owner.
    assert {dep.asset_key.to_user_string() for spec in LAID_OUT for dep in spec.deps} <= {
        spec.key.to_user_string() for spec in (*RUN, *VIEWS)
    }


def test_every_column_has_its_true_type() -> None:
    schemas = {spec.key.to_user_string(): spec.metadata.get("dagster/column_schema") for spec in LAID_OUT}

    kinds = {column.name: column.type for column in schemas["marts/analytics_summary_hourly"].columns}
    assert (kinds["tenant_id"], kinds["message_sent_count"]) == ("uuid", "bigint")
    assert kinds["hour_at"] == "timestamp with time zone"
    described = {name for name, schema in schemas.items() if schema is not None}
    assert {name for name in schemas if name.partition("/")[0] in {"raw", *models.LAYERS}} == described
    marts = [schema for name, schema in schemas.items() if name.startswith("marts/")]
    assert all(column.description for schema in marts for column in schema.columns)


def test_every_promise_is_an_asset_check() -> None:
    found = {(key.asset_key.path[-1], key.name) for asset in ASSETS for key in asset.check_keys}

    promised = {
        (model.name, name) for model in models.discover() if not model.is_view for name, _ in checks.names(model)
    }
    assert promised == found


def test_every_check_says_what_it_states() -> None:
    specs = [spec for asset in ASSETS for spec in asset.check_specs]

    assert [spec.name for spec in specs if not spec.description] == []


def test_a_warning_says_how_to_see_its_rows() -> None:
    broken = CheckResult(model="episodes", name="times_run_forward", severity="warn", failed_count=2)
    doubled = CheckResult(model="episodes", name="grain_is_unique", severity="block", failed_count=1)

    (told, unpublished) = metadata.evaluated([broken, doubled])

    command = shlex.split(str(told.metadata["see_them_with"].value))
    assert command[:2] == ["mychatflow", "query"]
    with duckdb.connect() as warehouse:
        warehouse.execute("create schema marts")
        warehouse.execute("create table marts.episodes as select -1 as first_response_ms, 3 as resolution_ms")
        assert warehouse.execute(command[2]).fetchall() == [(-1, 3)]
    assert "see_them_with" not in unpublished.metadata


def test_whoever_writes_the_warehouse_takes_turns() -> None:
    writers = {"landing", "sql_models", "published__snapshot", "postgres__retention"}

    pools = {asset.op.name: asset.op.pool for asset in ASSETS}

    assert {name for name, pool in pools.items() if pool == POOL} == writers


def test_schedules_run_when_they_promise() -> None:
    times = {schedule.job_name: str(schedule.cron_schedule) for schedule in map(_resolved, SCHEDULES)}

    assert times == {
        "hourly_analytics": "5 * * * *",
        "daily_analytics": "30 0 * * *",
        "retention_cleanup": "15 3 * * *",
        "follow_up_check": "*/5 * * * *",
        "backup": "30 2 * * *",
        "restore_drill": "0 4 * * 0",
        "weekly_report": "0 12 * * 1",
    }
    assert all(schedule.default_status.value == "RUNNING" for schedule in map(_resolved, SCHEDULES))


def test_every_job_says_whose_it_is_and_what_may_be_tried_again_is() -> None:
    tags = {job.name: job.tags for job in JOBS}

    assert {name for name, found in tags.items() if found.get("team") != "data"} == set()
    # A copy of everything is not made thrice because the disk is full.
    once = {name for name, found in tags.items() if "dagster/max_retries" not in found}
    assert once == {"backup", "restore_drill"}


def test_the_hourly_run_names_todays_partition() -> None:
    context = dg.build_schedule_context(scheduled_execution_time=NOON)

    request = hourly_analytics_schedule(context)

    assert isinstance(request, dg.RunRequest)
    assert request.partition_key == "2026-11-24"


def test_nothing_due_starts_no_run(installation: Settings) -> None:
    context = dg.build_schedule_context(
        scheduled_execution_time=NOON, resources={"installation": Installation(installation)}
    )

    assert isinstance(follow_up_check_schedule(context), dg.SkipReason)


def _resolved(schedule: object) -> dg.ScheduleDefinition:
    name = getattr(schedule, "name")  # noqa: B009 — partitioned schedules are resolved by name
    return defs.resolve_schedule_def(name) if hasattr(defs, "resolve_schedule_def") else defs.get_schedule_def(name)
