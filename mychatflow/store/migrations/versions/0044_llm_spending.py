"""What a day's calls to models cost and may yet cost, per tenant and per provider that has a budget."""

from mychatflow.store.migrations.walls import platform_table, run

revision = "0044"
down_revision = "0043"

# One row of a day is what its callers queue at: the sum is checked and taken in the same statement.
SQL = """
alter table settings add column llm_daily_budget_usd double precision check (llm_daily_budget_usd >= 0)

create table llm_spending (
    subject text not null,
    spent_on date not null,
    allowed_micro_usd bigint not null,
    reserved_micro_usd bigint not null default 0,
    spent_micro_usd bigint not null default 0,
    primary key (subject, spent_on)
)
"""


def upgrade() -> None:
    run(SQL)
    platform_table("llm_spending")
