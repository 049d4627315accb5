"""The Dagster code location, read first: every asset, check, job, schedule and sensor of the product."""

import dagster as dg

from pipelines.assets.backups import backup_copy, restore_drill
from pipelines.assets.follow_ups import follow_ups
from pipelines.assets.landing import landing
from pipelines.assets.lead_scores import lead_scores
from pipelines.assets.reports import report_mails
from pipelines.assets.retention import retention
from pipelines.assets.snapshot import snapshot
from pipelines.assets.sql_models import VIEWS, sql_models
from pipelines.checks import equals_postgres
from pipelines.resources import Installation
from pipelines.schedules import JOBS, SCHEDULES
from pipelines.sensors import SENSORS

ASSETS = [landing, sql_models, snapshot, lead_scores, follow_ups, retention, backup_copy, restore_drill, report_mails]

defs = dg.Definitions(
    assets=[*ASSETS, *VIEWS],
    asset_checks=[equals_postgres],
    jobs=JOBS,
    schedules=SCHEDULES,
    sensors=SENSORS,
    resources={"installation": Installation()},
    executor=dg.in_process_executor,
)
