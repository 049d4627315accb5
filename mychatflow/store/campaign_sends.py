"""The messages of running campaigns, handed to the outbox at the pace of each number, once to each contact."""

import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from mychatflow.events import named_id
from mychatflow.rules import campaign, wall_time
from mychatflow.rules.campaign import RecipientFacts
from mychatflow.store import campaign_credits
from mychatflow.store.campaign_audience import known_zone
from mychatflow.store.campaign_freeze import send_key
from mychatflow.store.cipher import TenantCipher
from mychatflow.store.contact_filters import HANDED_OFF

_MOST_AT_ONCE: Final = 200
_RUNNING = text(
    """
    select campaigns.tenant_id, campaigns.id, campaigns.frozen_at is not null as is_frozen
    from campaigns
    inner join tenants on tenants.id = campaigns.tenant_id
    where tenants.suspended_at is null and tenants.deleted_at is null
        -- Of one that was called off a worker may have had messages in hand, which nobody would settle any more.
        and (campaigns.state = 'running' or (
            campaigns.state = 'cancelled'
            and campaigns.finished_at > cast(:at as timestamptz) - interval '1 day'
            and exists (
                select 1 from campaign_recipients as recipients
                where recipients.tenant_id = campaigns.tenant_id
                    and recipients.campaign_id = campaigns.id
                    and recipients.state = 'queued'
                    and recipients.outbox_id is not null
            )
        ))
    order by campaigns.turn_at limit :limit
    """
)
_LOCK = text(
    """
    select
        campaigns.id, campaigns.state, campaigns.messages_per_minute, campaigns.quiet_from, campaigns.quiet_until,
        coalesce(settings.timezone, 'UTC') as timezone
    from campaigns
    left join settings on settings.tenant_id = campaigns.tenant_id
    where campaigns.tenant_id = :tenant_id and campaigns.id = :id
        and campaigns.state in ('running', 'cancelled') and campaigns.frozen_at is not null
    for no key update of campaigns skip locked
    """
)
# One pace for a number, however many campaigns use it; who finds it taken comes again in a moment.
_NUMBERS = text(
    """
    select campaign_paces.instance_id, campaign_paces.free_at
    from campaign_paces
    inner join instances
        on instances.tenant_id = campaign_paces.tenant_id and instances.id = campaign_paces.instance_id
    where campaign_paces.tenant_id = :tenant_id
        and campaign_paces.free_at <= :at
        and instances.status = 'connected'
        and coalesce(instances.restricted_until <= :at, true)
    order by campaign_paces.instance_id
    for no key update of campaign_paces skip locked
    """
)
_DUE = text(
    f"""
    select
        recipients.id, recipients.contact_id, recipients.body, contacts.chat_id, contacts.preferred_language,
        contacts.timezone,
        contacts.opted_out_at is not null as is_opted_out,
        {HANDED_OFF} as is_handed_off,
        coalesce(contacts.last_outgoing_at >= :day_start, false) or exists (
            select 1 from outbox
            where outbox.tenant_id = recipients.tenant_id
                and outbox.instance_id = recipients.instance_id
                and outbox.chat_id = contacts.chat_id
                and outbox.state in ('pending', 'sending', 'ambiguous')
                and outbox.kind in ('campaign', 'follow_up')
        ) as is_messaged_today,
        (
            select episodes.id from episodes
            where episodes.tenant_id = recipients.tenant_id
                and episodes.contact_id = recipients.contact_id
                and episodes.closed_at is null
        ) as episode_id
    from campaign_recipients as recipients
    inner join contacts on contacts.tenant_id = recipients.tenant_id and contacts.id = recipients.contact_id
    where recipients.tenant_id = :tenant_id
        and recipients.campaign_id = :id
        and recipients.instance_id = :instance_id
        and recipients.state = 'queued'
        and recipients.outbox_id is null
        and recipients.due_at <= :at
    order by recipients.due_at, recipients.id limit :limit
    """  # noqa: S608 - constant condition
)
_WRITE = text(
    """
    with

    given as materialized (
        select * from jsonb_to_recordset(cast(:given as jsonb)) as given (
            id uuid, action text, reason text, until timestamptz, instance_id uuid, contact_id uuid, chat_id text,
            episode_id uuid, outbox_id uuid, interaction_id uuid, key text, content text, content_length integer,
            language text, token_hashes bigint[]
        )
    ),

    taken as (
        update campaign_recipients set
            state = case given.action when 'skip' then 'skipped' else 'queued' end,
            reason = given.reason,
            due_at = coalesce(given.until, campaign_recipients.due_at),
            outbox_id = given.outbox_id,
            state_at = :at
        from given
        where campaign_recipients.tenant_id = :tenant_id
            and campaign_recipients.id = given.id
            and campaign_recipients.state = 'queued'
            and campaign_recipients.outbox_id is null
        returning given.*, campaign_recipients.body
    ),

    sends as (
        insert into outbox (
            tenant_id, id, instance_id, contact_id, chat_id, interaction_id, interaction_at, kind, idempotency_key,
            body
        )
        select
            cast(:tenant_id as uuid), outbox_id, instance_id, contact_id, chat_id, interaction_id, :at, 'campaign',
            key, body
        from taken
        where action = 'send'
        on conflict (tenant_id, idempotency_key) do nothing
        returning id
    ),

    said as (
        insert into interactions (
            tenant_id, id, occurred_at, contact_id, instance_id, episode_id, direction, type, author, content,
            content_length, status, status_at, language, token_hashes
        )
        select
            cast(:tenant_id as uuid), interaction_id, :at, contact_id, instance_id, episode_id, 'outgoing', 'text',
            'campaign', decode(content, 'base64'), content_length, 'pending', :at, language, token_hashes
        from taken
        where outbox_id in (select id from sends)
        on conflict do nothing
    ),

    woken as (
        insert into chat_leases (tenant_id, instance_id, chat_id, due_at)
        select cast(:tenant_id as uuid), instance_id, chat_id, now()
        from taken
        where action = 'send'
        group by instance_id, chat_id
        order by instance_id, chat_id
        on conflict (tenant_id, instance_id, chat_id) do update set
            due_at = least(chat_leases.due_at, excluded.due_at)
    )

    select 1
    """
)
_PACE = text(
    """
    update campaign_paces set free_at = :free_at where tenant_id = :tenant_id and instance_id = :instance_id
    """
)
_TURN = text(
    """
    update campaigns set
        turn_at = :at,
        state = case when is_over then 'finished' else state end,
        finished_at = case when is_over then cast(:at as timestamptz) end
    from (
        select not exists (
            select 1 from campaign_recipients
            where tenant_id = :tenant_id and campaign_id = :id and state = 'queued'
        ) as is_over
    ) as known
    where tenant_id = :tenant_id and id = :id
    returning is_over
    """
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    tenant_id: UUID
    id: UUID
    is_frozen: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class HandedOver:
    """What one look at a campaign did; all zero when another worker has it in hand."""

    sent: int = 0
    skipped: int = 0
    is_finished: bool = False


async def running(transaction: AsyncConnection, *, at: datetime, limit: int = _MOST_AT_ONCE) -> list[Running]:
    """Of all tenants, the one that waited longest first: a platform transaction."""
    return [Running(**row) for row in (await transaction.execute(_RUNNING, {"at": at, "limit": limit})).mappings()]


async def hand_over(
    transaction: AsyncConnection, tenant_id: UUID, campaign_id: UUID, *, cipher: TenantCipher, at: datetime
) -> HandedOver:
    """Queue as many messages as each number's pace allows now. Ring the bell after the commit."""
    values = {"tenant_id": tenant_id, "id": campaign_id, "at": at}
    found = (await transaction.execute(_LOCK, values)).mappings().one_or_none()
    if found is None:
        return HandedOver()
    row = dict(found)
    await campaign_credits.settle(transaction, values)
    if row["state"] == "cancelled":
        return HandedOver()
    sent = skipped = 0
    for number in (await transaction.execute(_NUMBERS, values)).all():
        judged = await _judged(transaction, row, number, values, cipher=cipher)
        given = await campaign_credits.affordable(transaction, tenant_id, judged, at=at)
        if not given:
            continue
        await transaction.execute(_WRITE, values | {"given": json.dumps(given, default=str)})
        taken = sum(each["action"] == "send" for each in given)
        sent, skipped = sent + taken, skipped + sum(each["action"] == "skip" for each in given)
        free_at = campaign.next_free_at(
            free_at=number.free_at, at=at, per_minute=row["messages_per_minute"], taken=taken
        )
        await transaction.execute(_PACE, values | {"instance_id": number.instance_id, "free_at": free_at})
    is_over = (await transaction.execute(_TURN, values)).scalar_one()
    return HandedOver(sent=sent, skipped=skipped, is_finished=is_over)


async def _judged(
    transaction: AsyncConnection,
    row: Mapping[str, Any],
    number: Any,
    values: Mapping[str, Any],
    *,
    cipher: TenantCipher,
) -> Sequence[dict[str, Any]]:
    """What becomes of the number's next recipients, until its pace is used up."""
    at, zone = values["at"], known_zone(row["timezone"])
    left = campaign.budget(free_at=number.free_at, at=at, per_minute=row["messages_per_minute"])
    asked = {"instance_id": number.instance_id, "day_start": wall_time.day_start(at, timezone=zone)}
    due = await transaction.execute(_DUE, {**values, **asked, "limit": _MOST_AT_ONCE})
    judged: list[dict[str, Any]] = []
    for person in map(dict[str, Any], due.mappings()):
        if left == 0:
            break
        decision = campaign.decide(_facts(person, row, zone), at=at)
        entry = {"id": person["id"], "action": decision.action, "reason": decision.reason, "until": decision.until}
        if decision.action == "send":
            entry |= _message(person, number.instance_id, row["id"], cipher)
            left -= 1
        judged.append(entry)
    return judged


def _facts(person: Mapping[str, Any], row: Mapping[str, Any], zone: str) -> RecipientFacts:
    return RecipientFacts(
        is_opted_out=person["is_opted_out"],
        is_handed_off=person["is_handed_off"],
        is_messaged_today=person["is_messaged_today"],
        timezone=known_zone(person["timezone"], zone),
        quiet_from=row["quiet_from"],
        quiet_until=row["quiet_until"],
    )


def _message(person: Mapping[str, Any], instance_id: UUID, campaign_id: UUID, cipher: TenantCipher) -> dict[str, Any]:
    key = send_key(campaign_id, person["contact_id"])
    outbox_id = named_id("outbox", cipher.tenant_id, key)
    interaction_id = named_id("interaction", cipher.tenant_id, key)
    words = cipher.decrypt(bytes(person["body"]), row_id=outbox_id)
    return {
        "instance_id": instance_id,
        "contact_id": person["contact_id"],
        "chat_id": person["chat_id"],
        "episode_id": person["episode_id"],
        "outbox_id": outbox_id,
        "interaction_id": interaction_id,
        "key": key,
        "content": b64encode(cipher.encrypt(words, row_id=interaction_id)).decode(),
        "content_length": len(words),
        "language": person["preferred_language"],
        "token_hashes": cipher.token_hashes(words),
    }
