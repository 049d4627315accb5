"""The daily backup and the weekly drill, on an installation of their own."""

import tempfile
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest
from pydantic import SecretStr

from mychatflow.local import backup
from mychatflow.local.postgres import EmbeddedPostgres
from mychatflow.settings import Settings
from mychatflow.store import schema
from pipelines import schedules
from pipelines.definitions import defs
from pipelines.resources import Installation
from tests.factories import a_tenant
from tests.local.backups import with_store

_DUE = datetime(2026, 11, 29, 4, 0, tzinfo=UTC)


def run(settings: Settings, name: str) -> dict[str, dg.MetadataValue]:
    with dg.DagsterInstance.ephemeral() as instance:
        done = defs.resolve_job_def(name).execute_in_process(
            instance=instance, resources={"installation": Installation(settings)}
        )
    return done.asset_materializations_for_node(done.get_asset_materialization_events()[0].node_name)[0].metadata


@pytest.mark.timeout(300)
def test_a_backup_is_made_and_brought_back_weekly():
    with tempfile.TemporaryDirectory(prefix="mcf-drill-", ignore_cleanup_errors=True) as directory:
        settings = Settings(
            _env_file=None,
            MYCHATFLOW_DATA_DIR=Path(directory) / "data",
            backup_dir=Path(directory) / "backups",
            webhook_secret=SecretStr("s"),
        )
        server = EmbeddedPostgres(settings)
        server.start()
        try:
            schema.migrate(settings, today=_DUE.date())
            with_store(settings, a_tenant)

            made = run(settings, "backup")
            drilled = run(settings, "restore_drill")
        finally:
            server.stop()

        assert made["backup"].value == drilled["backup"].value == backup.all_in(settings.backup_dir)[0].name
        assert drilled["tenants"].value == 1
        assert 0 < drilled["restore_seconds"].value < 240


@pytest.mark.parametrize("backup_dir", [None, Path("/elsewhere")])
def test_backups_run_where_they_have_a_place(settings, backup_dir):
    placed = settings.model_copy(update={"backup_dir": backup_dir})

    for schedule in (schedules.backup_schedule, schedules.restore_drill_schedule):
        context = dg.build_schedule_context(
            scheduled_execution_time=_DUE, resources={"installation": Installation(placed)}
        )
        asked = schedule.evaluate_tick(context)
        assert bool(asked.run_requests) == (backup_dir is not None)
