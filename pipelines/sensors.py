"""What runs because something happened: a failed run is written where people look."""

import dagster as dg
import structlog

log = structlog.get_logger()


@dg.run_failure_sensor(default_status=dg.DefaultSensorStatus.RUNNING)
def failed_run(context: dg.RunFailureSensorContext) -> None:
    """One log line per failed run, with the run's id and its cause."""
    log.error(
        "pipeline run failed",
        job=context.dagster_run.job_name,
        run_id=context.dagster_run.run_id,
        cause=context.failure_event.message,
    )


SENSORS = [failed_run]
