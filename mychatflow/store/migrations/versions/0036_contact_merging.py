"""Two contacts that are one person: what the app may re-address, behind the wall, when they are merged."""

from mychatflow.store.migrations.walls import run

revision = "0036"
down_revision = "0035"

SQL = """
grant update (contact_id, ingested_xid) on analytics_events to mychatflow_app

grant insert, update (contact_id, ingested_xid) on lead_score_events to mychatflow_app

grant update (contact_id) on llm_attempts to mychatflow_app

grant update (contact_id) on answer_grades to mychatflow_app

create index contacts_merged on contacts (tenant_id, merged_into_id) where merged_into_id is not null
"""


def upgrade() -> None:
    run(SQL)
