"""Makes two contacts one person: everything of the second moves to the first, and the stricter consent holds."""

from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from mychatflow.store import colleagues, consents, contact_book, contact_rescoring, episodes, outreach_merging
from mychatflow.store.cipher import TenantCipher

_XID: Final = "ingested_xid = pg_current_xact_id()"
# What is the person's, and what else changes with it; the warehouse follows rows by the transaction that wrote them.
MOVES: Final[Mapping[str, str]] = MappingProxyType(
    {
        # Whoever listens has heard of the event already.
        "analytics_events": f"first_xid = coalesce(first_xid, ingested_xid), {_XID}",
        "answer_grades": "",
        "appointments": "",
        "campaign_recipients": "",
        "consents": "",
        "contact_identities": "",
        "contact_notes": "",
        "episodes": _XID,
        "follow_up_runs": "",
        "follow_ups": "",
        "interactions": "",
        "lead_score_events": _XID,
        "llm_attempts": "",
        "media_files": "",
        "notifications": "",
        "outbox": "",
        "ownership_history": "",
        "read_markers": "",
        "unanswered_questions": "",
    }
)
# Requests about a person name who was asked about, as it was.
STAYS: Final = frozenset({"erase_list", "erasures", "exports"})
# Rows of both that would meet: two in the same campaign stay, so that its totals do, and nobody is written to twice.
_EXCEPT: Final[Mapping[str, str]] = MappingProxyType(
    {
        "campaign_recipients": (
            " and campaign_id not in (select campaign_id from campaign_recipients"
            " where tenant_id = :tenant_id and contact_id = :contact_id)"
        ),
        # What a member has read of the first is not moved back to what they read of the second.
        "read_markers": (
            " and not exists (select from read_markers as known"
            " where known.tenant_id = :tenant_id and known.contact_id = :contact_id"
            " and known.member_id is not distinct from read_markers.member_id)"
        ),
    }
)
_FIND: Final = text(
    """
    select id, wa_id, chat_id, instance_id, merged_into_id, opted_out_at, last_inbound_at, lead_score, lead_grade,
        erased_at
    from contacts where tenant_id = :tenant_id and id in (:contact_id, :other_id)
    order by id
    for update
    """
)
_CHATS: Final = text(
    """
    select wa_id as chat from contacts where tenant_id = :tenant_id and id in (:contact_id, :other_id)
    union
    select chat_id from contacts where tenant_id = :tenant_id and id in (:contact_id, :other_id)
    union
    select
        case when value like '%@%' then value
            else ltrim(value, '+') || case when kind = 'lid' then '@lid' else '@c.us' end
        end
    from contact_identities where tenant_id = :tenant_id and contact_id in (:contact_id, :other_id)
    """
)
# Also of a chat that nobody wrote in yet: its first message waits for us.
_MAKE_LEASES: Final = text(
    """
    insert into chat_leases (tenant_id, instance_id, chat_id)
    select tenant_id, instance_id, wa_id from contacts
    where tenant_id = :tenant_id and id in (:contact_id, :other_id) and merged_into_id is null
    order by instance_id, wa_id
    on conflict do nothing
    """
)
_LOCK_LEASES: Final = text(
    """
    select chat_id from chat_leases where tenant_id = :tenant_id and chat_id = any(:chats)
    order by tenant_id, instance_id, chat_id
    for update
    """
)
# A turn under way knows the people of before: it loses its lease, writes nothing more, and the chat is read anew.
_FENCE: Final = text(
    """
    update chat_leases set
        fence = fence + 1, due_at = least(due_at, now()), leased_until = null, leased_by = null
    where tenant_id = :tenant_id and chat_id = any(:chats) and leased_until is not null
    """
)
_PENDING: Final = text(
    """
    select exists (
        select 1 from erasures
        where tenant_id = :tenant_id and contact_id in (:contact_id, :other_id) and state = 'pending'
    ) or exists (
        select 1 from exports
        where tenant_id = :tenant_id and contact_id in (:contact_id, :other_id) and state = 'pending'
    )
    """
)
# By these the second's chats lead to the first from now on.
_KNOWN_BY: Final = text(
    """
    insert into contact_identities (tenant_id, contact_id, kind, value)
    select
        :tenant_id, :contact_id, case when chat like '%@lid' then 'lid' else 'phone' end,
        case when chat like '%@lid' then chat else '+' || split_part(chat, '@', 1) end
    from unnest(cast(:chats as text[])) as given (chat)
    where chat like '%@lid' or chat like '%@c.us'
    on conflict (tenant_id, kind, value) do update set contact_id = excluded.contact_id
    """
)
# Replies go to where the person wrote last.
_UNITE: Final = text(
    """
    update contacts set
        instance_id = case when other.last_inbound_at > coalesce(contacts.last_inbound_at, '-infinity')
            then other.instance_id else contacts.instance_id end,
        chat_id = case when other.last_inbound_at > coalesce(contacts.last_inbound_at, '-infinity')
            then other.chat_id else contacts.chat_id end,
        name = coalesce(contacts.name, other.name),
        phone = coalesce(contacts.phone, other.phone),
        profile_picture_url = coalesce(contacts.profile_picture_url, other.profile_picture_url),
        tags = array(select distinct tag from unnest(contacts.tags || other.tags) as given (tag) order by tag),
        attributes = other.attributes || contacts.attributes,
        is_handed_off = contacts.is_handed_off or other.is_handed_off,
        handoff_reason = coalesce(contacts.handoff_reason, other.handoff_reason),
        owner = case when 'human' in (contacts.owner, other.owner) then 'human' else 'agent' end,
        -- Taken over without an end it stays, whenever the other's pause is over.
        paused_until = case
            when not (contacts.owner = 'human' and contacts.paused_until is null)
                and not (other.owner = 'human' and other.paused_until is null)
                then greatest(contacts.paused_until, other.paused_until)
        end,
        assigned_member_id = coalesce(contacts.assigned_member_id, other.assigned_member_id),
        preferred_language = case
            when contacts.language_locked_at is null and other.language_locked_at is not null
                then other.preferred_language
            else coalesce(contacts.preferred_language, other.preferred_language)
        end,
        language_locked_at = coalesce(contacts.language_locked_at, other.language_locked_at),
        timezone = coalesce(contacts.timezone, other.timezone),
        session_expires_at = greatest(contacts.session_expires_at, other.session_expires_at),
        automated_unanswered_count = greatest(contacts.automated_unanswered_count, other.automated_unanswered_count),
        first_message_at = least(contacts.first_message_at, other.first_message_at),
        last_message_at = greatest(contacts.last_message_at, other.last_message_at),
        last_inbound_at = greatest(contacts.last_inbound_at, other.last_inbound_at),
        last_outgoing_at = greatest(contacts.last_outgoing_at, other.last_outgoing_at),
        updated_at = now()
    from contacts as other
    where contacts.tenant_id = :tenant_id
        and contacts.id = :contact_id
        and other.tenant_id = :tenant_id
        and other.id = :other_id
    """
)
# What is left says where the person is found, and nothing about them.
_LEAVE_MARK: Final = text(
    """
    update contacts set
        merged_into_id = :contact_id, wa_id = 'merged:' || id, chat_id = 'merged:' || id, name = null, phone = null,
        profile_picture_url = null, tags = '{}', attributes = '{}', notes = null, is_handed_off = false,
        opted_out_at = coalesce(opted_out_at, :at), updated_at = now()
    where tenant_id = :tenant_id and (id = :other_id or merged_into_id = :other_id)
    """
)


class MergeRefused(Exception):
    """These two cannot be merged, in words for whoever asked."""


async def merge(
    transaction: AsyncConnection, contact_id: UUID, other_id: UUID, *, cipher: TenantCipher, at: datetime
) -> dict[str, int] | None:
    """Rows that moved, by table; empty when they are one already, None when one is not there. Raises MergeRefused."""
    tenant_id = cipher.tenant_id
    values = {"tenant_id": tenant_id, "contact_id": contact_id, "other_id": other_id, "at": at}
    # Leases before people, as a turn locks them.
    chats = await _held_chats(transaction, values)
    found = {row["id"]: dict(row) for row in (await transaction.execute(_FIND, values)).mappings()}
    kept, other = found.get(contact_id), found.get(other_id)
    if kept is None or other is None or kept["merged_into_id"] or kept["erased_at"] or other["erased_at"]:
        return None
    if other["merged_into_id"] is not None:
        return {} if other["merged_into_id"] == contact_id else None
    if (await transaction.execute(_PENDING, values)).scalar_one():
        raise MergeRefused("a copy or an erasure of one of them is under way: merge them when it is done")
    await transaction.execute(_FENCE, values | {"chats": chats})
    notes = await _both_notes(transaction, contact_id, other_id, cipher=cipher)
    await _end_one_conversation(transaction, tenant_id, kept, other, at=at)
    await outreach_merging.unite(transaction, contact_id, other_id, cipher=cipher, at=at)
    moved = await _move(transaction, values)
    theirs = [each for each in {other["wa_id"], other["chat_id"]} if not each.startswith("merged:")]
    await transaction.execute(_KNOWN_BY, values | {"chats": theirs})
    await transaction.execute(_UNITE, values)
    await contact_book.set_notes(transaction, tenant_id, contact_id, notes, cipher=cipher)
    if other["opted_out_at"] and not kept["opted_out_at"]:
        await consents.record(transaction, tenant_id, kept, "opt_out", method="merge", at=at)
    await transaction.execute(_LEAVE_MARK, values)
    await contact_rescoring.score_again(transaction, tenant_id, kept, at=at)
    return moved


async def _held_chats(transaction: AsyncConnection, values: Mapping[str, Any]) -> list[str]:
    """Nobody claims them until we are done."""
    await transaction.execute(_MAKE_LEASES, values)
    chats = list((await transaction.execute(_CHATS, values)).scalars())
    await transaction.execute(_LOCK_LEASES, {"tenant_id": values["tenant_id"], "chats": chats})
    return chats


async def _both_notes(
    transaction: AsyncConnection, contact_id: UUID, other_id: UUID, *, cipher: TenantCipher
) -> str | None:
    """Sealed for their rows, so they are opened here and sealed anew."""
    both = [
        await contact_book.notes(transaction, cipher.tenant_id, each, cipher=cipher) for each in (contact_id, other_id)
    ]
    return "\n\n".join(filter(None, both)) or None


async def _end_one_conversation(
    transaction: AsyncConnection, tenant_id: UUID, kept: Mapping[str, Any], other: Mapping[str, Any], *, at: datetime
) -> None:
    """A person has one open conversation: the one in which they wrote last goes on."""
    both = [await episodes.open_one(transaction, tenant_id, each["id"]) for each in (kept, other)]
    if None in both:
        return
    quieter = min((kept, other), key=lambda each: each["last_inbound_at"] or datetime.min.replace(tzinfo=UTC))
    await colleagues.close_episode(transaction, tenant_id, quieter["id"], at=at)


async def _move(transaction: AsyncConnection, values: Mapping[str, Any]) -> dict[str, int]:
    moved = {}
    for table, change in MOVES.items():
        statement = (
            f"update {table} set {', '.join(filter(None, ('contact_id = :contact_id', change)))}"  # noqa: S608
            f" where tenant_id = :tenant_id and contact_id = :other_id{_EXCEPT.get(table, '')}"
        )
        moved[table] = (await transaction.execute(text(statement), values)).rowcount
    return {table: count for table, count in moved.items() if count}
