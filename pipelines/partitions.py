"""The grain of a backfill: days of UTC; the hourly schedule refreshes today's partition."""

from datetime import datetime

import dagster as dg

from warehouse.windows import Window

# Early enough for any import of old conversations, and a day is complete enough to be asked for as it begins.
DAILY = dg.DailyPartitionsDefinition(start_date="2024-01-01", end_offset=1)
# Runs with this tag compute what landings touched; all others compute the partitions they name.
HOURLY_TAG = "mychatflow/hourly"
# A backfill from the command line names its whole range here: Dagster writes two rows per asset and partition of a run,
# which would cost a quarter's backfill minutes for seconds of SQL.
WINDOW_START_TAG = "mychatflow/window_start"
WINDOW_END_TAG = "mychatflow/window_end"
POOL = "warehouse_writer"


def asked_window(context: dg.AssetExecutionContext) -> Window | None:
    """The days a run was started for; None for the hourly refresh, which follows what has landed."""
    tags = context.run.tags
    if WINDOW_START_TAG in tags:
        return Window(
            start=datetime.fromisoformat(tags[WINDOW_START_TAG]), end=datetime.fromisoformat(tags[WINDOW_END_TAG])
        )
    is_asked = context.has_partition_key or context.has_partition_key_range
    if HOURLY_TAG in tags or not is_asked:
        return None
    span = context.partition_time_window
    return Window(start=span.start, end=span.end)
