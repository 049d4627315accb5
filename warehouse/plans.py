"""What each plan allows and earns, brought beside the facts so that usage and margin are plain SQL."""

import duckdb

from mychatflow.rules import plan

# List price of one credit (one message) in micro-dollars; margin = credits x price - cost.
CREDIT_PRICES_MICRO_USD = {"free": 0, "starter": 20_000, "pro": 12_000, "enterprise": 8_000}


def write(warehouse: duckdb.DuckDBPyConnection) -> None:
    """Write raw.plans: one row per plan."""
    warehouse.execute(
        "create or replace table raw.plans (plan varchar, daily_message_limit bigint, credit_price_micro_usd bigint)"
    )
    warehouse.executemany(
        "insert into raw.plans values (?, ?, ?)",
        [[name, plan.DAILY_MESSAGES[name], price] for name, price in CREDIT_PRICES_MICRO_USD.items()],
    )
