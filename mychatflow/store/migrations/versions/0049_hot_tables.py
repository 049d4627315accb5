"""Tables that every message changes are vacuumed and analysed when it pays, not every few seconds."""

from mychatflow.store.migrations.walls import run

revision = "0049"
down_revision = "0048"

# Each vacuum or analysis of a table makes every session plan its statements on it anew, which costs more than running
# them a hundred times. At a hundred messages a second Postgres' own thresholds (50 rows and a tenth) meant every five
# seconds for each of these. The engine's plans do not depend on how many rows there are.
# Months that are made later get the same from store/schema.py.
SQL = """
do $$
declare
    hot regclass;
begin
    for hot in
        select unnest(array[
            'campaign_recipients', 'chat_leases', 'contact_identities', 'contacts', 'episodes', 'follow_up_runs',
            'follow_ups', 'inbox', 'lead_score_events', 'llm_attempts', 'message_status_events', 'outbox',
            'usage_days', 'usage_ledger'
        ]::regclass[])
        union all
        select inhrelid from pg_inherits where inhparent in ('interactions'::regclass, 'analytics_events'::regclass)
    loop
        execute format(
            'alter table %s set (autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_insert_threshold = 20000,'
            ' autovacuum_analyze_threshold = 10000, autovacuum_analyze_scale_factor = 0.5)',
            hot
        );
    end loop;
end
$$
"""


def upgrade() -> None:
    run(SQL)
