"""Dagster's event log keeps few files open and loses no event of any run."""

import dagster as dg
import pytest
from dagster._check import CheckError

from mychatflow.settings import Settings
from pipelines import home
from pipelines.event_log import OpenEventLog


@dg.asset
def a_table() -> None:
    """Nothing to compute."""


def test_every_run_can_be_read_though_few_files_stay_open(installation: Settings) -> None:
    with dg.DagsterInstance.from_config(str(home.prepare(installation))) as instance:
        log = instance.event_log_storage
        assert isinstance(log, OpenEventLog)

        runs = [dg.materialize([a_table], instance=instance).run_id for _ in range(6)]

        kinds = [[event.dagster_event_type for event in instance.all_logs(run)] for run in runs]
        assert all(dg.DagsterEventType.ASSET_MATERIALIZATION in each for each in kinds)
        assert all(dg.DagsterEventType.RUN_SUCCESS in each for each in kinds)
        assert a_table.key in instance.get_asset_keys()
        assert len(log._open) <= 4

    with dg.DagsterInstance.from_config(str(home.prepare(installation))) as instance:
        assert len(instance.all_logs(runs[0])) == len(kinds[0])


def test_a_batch_that_fails_leaves_nothing_and_the_log_goes_on(installation: Settings) -> None:
    with dg.DagsterInstance.from_config(str(home.prepare(installation))) as instance:
        log = instance.event_log_storage
        run = dg.materialize([a_table], instance=instance).run_id
        before = log.get_logs_for_run(run)

        with pytest.raises(CheckError):
            log.store_event_batch([before[0], None])  # type: ignore[list-item]  # what a broken event would do

        assert len(log.get_logs_for_run(run)) == len(before)
        log.store_event_batch(before[:2])
        assert len(log.get_logs_for_run(run)) == len(before) + 2
