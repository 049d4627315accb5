"""When things run: the hour's numbers, the day's, the clean-up, and what has come due."""

import dagster as dg

from pipelines.assets import follow_ups
from pipelines.assets.backups import backup_copy, restore_drill
from pipelines.assets.landing import landing
from pipelines.assets.lead_scores import lead_scores
from pipelines.assets.reports import report_mails
from pipelines.assets.retention import retention
from pipelines.assets.snapshot import snapshot
from pipelines.assets.sql_models import sql_models
from pipelines.checks import equals_postgres
from pipelines.partitions import HOURLY_TAG
from pipelines.resources import Installation

_TEAM = {"team": "data"}
# A run that was killed, or met a database that was away, is tried again from its start: every step is safe to repeat.
_TAGS = {"dagster/max_retries": "2", "dagster/retry_strategy": "ALL_STEPS", **_TEAM}
_MARTS = dg.AssetSelection.assets(landing, sql_models, snapshot)

hourly_analytics = dg.define_asset_job(
    "hourly_analytics",
    selection=(_MARTS | dg.AssetSelection.assets(lead_scores)) - dg.AssetSelection.checks(equals_postgres),
    executor_def=dg.in_process_executor,
    tags=_TAGS,
    description="Scores, landing, every model and the published marts: what the last hour changed.",
)
daily_analytics = dg.define_asset_job(
    "daily_analytics",
    selection=_MARTS,
    executor_def=dg.in_process_executor,
    tags=_TAGS,
    description="Yesterday again from Postgres, compared event by event, and published.",
)
retention_cleanup = dg.define_asset_job(
    "retention_cleanup",
    selection=[retention],
    executor_def=dg.in_process_executor,
    tags=_TAGS,
    description="Lets go of what tenants no longer keep.",
)
follow_up_check = dg.define_asset_job(
    "follow_up_check",
    selection=[follow_ups.follow_ups],
    executor_def=dg.in_process_executor,
    tags=_TAGS,
    description="Marks follow-ups and campaigns that have come due.",
)
backup_job = dg.define_asset_job(
    "backup",
    selection=[backup_copy],
    executor_def=dg.in_process_executor,
    tags=_TEAM,
    description="A checked copy of the installation in BACKUP_DIR.",
)
restore_drill_job = dg.define_asset_job(
    "restore_drill",
    selection=[restore_drill],
    executor_def=dg.in_process_executor,
    tags=_TEAM,
    description="Brings the newest backup back beside the living and says how long that took.",
)
weekly_report = dg.define_asset_job(
    "weekly_report",
    selection=[report_mails],
    executor_def=dg.in_process_executor,
    tags=_TAGS,
    description="Writes the e-mails of the week before; the worker sends them.",
)
JOBS = [
    hourly_analytics,
    daily_analytics,
    retention_cleanup,
    follow_up_check,
    backup_job,
    restore_drill_job,
    weekly_report,
]


@dg.schedule(job=hourly_analytics, cron_schedule="5 * * * *", default_status=dg.DefaultScheduleStatus.RUNNING)
def hourly_analytics_schedule(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """Five past the hour: what has landed since, into today's partition."""
    at = context.scheduled_execution_time
    return dg.RunRequest(run_key=f"{at:%Y-%m-%dT%H}", partition_key=f"{at:%Y-%m-%d}", tags={HOURLY_TAG: "true"})


daily_analytics_schedule = dg.build_schedule_from_partitioned_job(
    daily_analytics,
    name="daily_analytics_schedule",
    hour_of_day=0,
    minute_of_hour=30,
    default_status=dg.DefaultScheduleStatus.RUNNING,
)
retention_schedule = dg.ScheduleDefinition(
    name="retention_cleanup_schedule",
    job=retention_cleanup,
    cron_schedule="15 3 * * *",
    default_status=dg.DefaultScheduleStatus.RUNNING,
)


@dg.schedule(job=follow_up_check, cron_schedule="*/5 * * * *", default_status=dg.DefaultScheduleStatus.RUNNING)
def follow_up_check_schedule(
    context: dg.ScheduleEvaluationContext, installation: dg.ResourceParam[Installation]
) -> dg.RunRequest | dg.SkipReason:
    """Every five minutes; looks first, so that no run starts when nothing is due."""
    due = installation.with_store(follow_ups.count_due)
    if not due.total:
        return dg.SkipReason("nothing is due")
    return dg.RunRequest(run_key=f"{context.scheduled_execution_time:%Y-%m-%dT%H:%M}")


def _where_backups_go(job_name: str, cron: str, form: str) -> dg.ScheduleDefinition:
    """Runs only where there is somewhere to put a backup."""

    @dg.schedule(
        job_name=job_name,
        name=f"{job_name}_schedule",
        cron_schedule=cron,
        default_status=dg.DefaultScheduleStatus.RUNNING,
    )
    def scheduled(
        context: dg.ScheduleEvaluationContext, installation: dg.ResourceParam[Installation]
    ) -> dg.RunRequest | dg.SkipReason:
        if installation.settings.backup_dir is None or not installation.settings.is_embedded_database:
            return dg.SkipReason("BACKUP_DIR is not set, or the database is somebody else's to back up")
        return dg.RunRequest(run_key=f"{context.scheduled_execution_time:{form}}")

    return scheduled


backup_schedule = _where_backups_go("backup", "30 2 * * *", "%Y-%m-%d")
restore_drill_schedule = _where_backups_go("restore_drill", "0 4 * * 0", "%G-W%V")
# At noon it is Monday everywhere but on the date line: the week before is whole, and published.
weekly_report_schedule = dg.ScheduleDefinition(
    name="weekly_report_schedule",
    job=weekly_report,
    cron_schedule="0 12 * * 1",
    default_status=dg.DefaultScheduleStatus.RUNNING,
)
SCHEDULES = [
    hourly_analytics_schedule,
    daily_analytics_schedule,
    retention_schedule,
    follow_up_check_schedule,
    backup_schedule,
    restore_drill_schedule,
    weekly_report_schedule,
]
