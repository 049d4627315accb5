"""When a conversation was answered, and whether it still waits: told anew once a reply failed, or arrived after all."""

from collections.abc import Iterable
from typing import Any, Final
from uuid import UUID

from psycopg import AsyncConnection

_TELL: Final = """
with

given as (
    select distinct * from unnest(%(tenant_ids)b::uuid[], %(episode_ids)b::uuid[]) as given (tenant_id, episode_id)
),

answered as (
    select
        episodes.tenant_id,
        episodes.id,
        min(coalesce(outbox.sent_at, interactions.occurred_at)) as first_at,
        min(coalesce(outbox.sent_at, interactions.occurred_at)) filter (
            where interactions.author = 'agent'
        ) as first_agent_at,
        min(coalesce(outbox.sent_at, interactions.occurred_at)) filter (
            where interactions.author = 'human'
        ) as first_human_at,
        max(coalesce(outbox.sent_at, interactions.occurred_at)) as last_at
    from given
    inner join episodes on episodes.tenant_id = given.tenant_id and episodes.id = given.episode_id
    left join interactions
        on interactions.tenant_id = episodes.tenant_id
        and interactions.contact_id = episodes.contact_id
        and interactions.episode_id = episodes.id
        and interactions.direction = 'outgoing'
        and interactions.author in ('agent', 'human')
        and interactions.status in ('sent', 'delivered', 'read')
        -- Older partitions need not be opened at all.
        and interactions.occurred_at > episodes.started_at - interval '1 day'
    left join outbox
        on outbox.tenant_id = interactions.tenant_id and outbox.wa_message_id = interactions.message_id
    group by episodes.tenant_id, episodes.id
),

waiting as (
    -- Whoever wrote since the last answer that did not fail waits for one; in a closed conversation nobody does.
    select
        answered.tenant_id,
        answered.id,
        min(interactions.occurred_at) as since
    from answered
    inner join episodes on episodes.tenant_id = answered.tenant_id and episodes.id = answered.id
    inner join interactions
        on interactions.tenant_id = episodes.tenant_id
        and interactions.contact_id = episodes.contact_id
        and interactions.episode_id = episodes.id
        and interactions.direction = 'incoming'
        and interactions.occurred_at >= episodes.started_at
        and interactions.occurred_at > coalesce(answered.last_at, '-infinity')
    where episodes.closed_at is null
    group by answered.tenant_id, answered.id
),

told as (
    select
        answered.*,
        waiting.since
    from answered
    left join waiting using (tenant_id, id)
)

update episodes set
    first_reply_at = told.first_at,
    first_agent_reply_at = told.first_agent_at,
    first_human_reply_at = told.first_human_at,
    last_reply_at = told.last_at,
    has_answer = told.last_at is not null,
    is_waiting = told.since is not null,
    waiting_since = told.since,
    ingested_xid = pg_current_xact_id()
from told
where
    episodes.tenant_id = told.tenant_id
    and episodes.id = told.id
    and (
        episodes.first_reply_at, episodes.first_agent_reply_at, episodes.first_human_reply_at, episodes.last_reply_at,
        episodes.has_answer, episodes.is_waiting
    ) is distinct from (
        told.first_at, told.first_agent_at, told.first_human_at, told.last_at, told.last_at is not null,
        told.since is not null
    )
"""


async def tell(connection: AsyncConnection[Any], episodes: Iterable[tuple[UUID, UUID | None]]) -> None:
    """Count only what did not fail, for these (tenant, episode), inside the caller's transaction."""
    known = sorted({(tenant_id, episode_id) for tenant_id, episode_id in episodes if episode_id is not None})
    if known:
        columns = {"tenant_ids": [key[0] for key in known], "episode_ids": [key[1] for key in known]}
        await connection.execute(_TELL, columns)
