"""Days that a fact of another day tells otherwise: whose reply was the first, and which of them never arrived."""

# ruff: noqa: S608 — names of tables and columns come from this file, never from a request.

import duckdb

_TICKS = "event_type in ('message_failed', 'message_delivered')"
_REPLIES = "event_type in ('message_sent', 'human_reply')"
# A reply that failed answered nobody, and one that arrived after all did.
_BY_TICKS = f"""
insert into retold
select distinct sent.tenant_id, sent.contact_id, sent.waits_since, sent.occurred_at
from incoming
inner join raw.analytics_events as failed
    on incoming.tenant_id = failed.tenant_id
    and json_extract_string(incoming.properties, '$.message_id') = failed.message_id
inner join raw.analytics_events as sent
    on failed.tenant_id = sent.tenant_id and failed.interaction_id = sent.interaction_id
where incoming.{_TICKS}
    and failed.event_type = 'message_failed' and failed.occurred_at >= $since
    and sent.{_REPLIES} and sent.occurred_at >= $since
"""
_BY_REPLIES = f"""
create or replace temp table retold as
select
    tenant_id, contact_id,
    try_cast(json_extract_string(properties, '$.waits_since') as timestamptz) as waits_since, occurred_at
from incoming
where {_REPLIES} and json_extract_string(properties, '$.waits_since') is not null
"""
# One that was the first reply until now is so no more, or another one becomes it.
_TOUCH = f"""
insert into meta.pending_days
select distinct cast(timezone('UTC', reply.occurred_at) as date), $batch
from retold inner join raw.analytics_events as reply using (tenant_id, contact_id, waits_since)
where reply.{_REPLIES} and reply.occurred_at >= $since and reply.occurred_at >= retold.occurred_at
"""


def touch_replies(warehouse: duckdb.DuckDBPyConnection, batch: int) -> None:
    """Remember the days of replies to messages whose first answer the landed rows may change."""
    warehouse.execute(_BY_REPLIES)
    since = warehouse.execute(f"select min(occurred_at) - interval 9 day from incoming where {_TICKS}").fetchall()[0][0]
    if since is not None:
        warehouse.execute(_BY_TICKS, {"since": since})
    # Mostly the last hour: whoever looks no further back than the oldest of them reads little.
    oldest = warehouse.execute("select min(occurred_at) from retold").fetchall()[0][0]
    if oldest is not None:
        warehouse.execute(_TOUCH, {"batch": batch, "since": oldest})
