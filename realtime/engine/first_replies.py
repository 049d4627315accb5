"""When a conversation was first answered: told anew once a reply failed on its way, or arrived after all."""

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
        ) as first_human_at
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
)

update episodes set
    first_reply_at = answered.first_at,
    first_agent_reply_at = answered.first_agent_at,
    first_human_reply_at = answered.first_human_at,
    ingested_xid = pg_current_xact_id()
from answered
where
    episodes.tenant_id = answered.tenant_id
    and episodes.id = answered.id
    and (episodes.first_reply_at, episodes.first_agent_reply_at, episodes.first_human_reply_at)
    is distinct from (answered.first_at, answered.first_agent_at, answered.first_human_at)
"""


async def tell(connection: AsyncConnection[Any], episodes: Iterable[tuple[UUID, UUID | None]]) -> None:
    """Count only what did not fail, for these (tenant, episode), inside the caller's transaction."""
    known = sorted({(tenant_id, episode_id) for tenant_id, episode_id in episodes if episode_id is not None})
    if known:
        columns = {"tenant_ids": [key[0] for key in known], "episode_ids": [key[1] for key in known]}
        await connection.execute(_TELL, columns)
