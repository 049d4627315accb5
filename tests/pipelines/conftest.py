"""The warehouse's fixtures, and a way to run a job against them."""

from collections.abc import Callable, Iterator

import dagster as dg
import pytest

from mychatflow.settings import Settings
from pipelines.definitions import defs
from pipelines.resources import Installation
from tests.warehouse.conftest import installation as installation  # noqa: PLC0414 — a fixture by that name
from tests.warehouse.conftest import published as published  # noqa: PLC0414

RunJob = Callable[..., dg.ExecuteInProcessResult]


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as ephemeral:
        yield ephemeral


@pytest.fixture
def run_job(installation: Settings, instance: dg.DagsterInstance) -> RunJob:
    """Run a job of the code location on this test's installation."""

    def run(name: str, **how: object) -> dg.ExecuteInProcessResult:
        return defs.resolve_job_def(name).execute_in_process(
            instance=instance,
            resources={"installation": Installation(installation)},
            raise_on_error=False,
            **how,
        )

    return run
