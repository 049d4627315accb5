"""What every turn writes is looked after by how far it has grown, not every few seconds: each look costs us our plans."""

from mychatflow.store.migrations.walls import run

revision = "0054"
down_revision = "0053"

# Whoever has analysed or vacuumed a table ends every plan that reads it, on each connection; a turn's statements read a
# dozen tables and are long, so planning them anew takes longer than running them a hundred times. A table is analysed
# first at 500 rows, where any plan will do, then whenever three times as much has changed as it held. Months that are
# made later get it from store/schema.py.
SQL = """
do $$
declare
    kept regclass;
begin
    for kept in
        select relid
        from unnest(array[
            'inbox', 'outbox', 'contacts', 'episodes', 'llm_attempts', 'lead_score_events', 'usage_ledger',
            'message_status_events'
        ]::regclass[]) as relid
        union all
        select inhrelid from pg_inherits where inhparent in ('interactions'::regclass, 'analytics_events'::regclass)
    loop
        execute format(
            'alter table %s set ('
            'autovacuum_analyze_threshold = 500, autovacuum_analyze_scale_factor = 2,'
            ' autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_insert_threshold = 10000)',
            kept
        );
    end loop;
end
$$

alter table chat_leases set (autovacuum_analyze_threshold = 20000, autovacuum_vacuum_threshold = 5000)

alter table usage_days set (autovacuum_analyze_threshold = 20000, autovacuum_vacuum_threshold = 5000)
"""


def upgrade() -> None:
    run(SQL)
