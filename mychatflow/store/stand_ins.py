"""Who stands in for somebody who was erased: under no name, what the published totals are made of goes on."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from secrets import token_hex
from types import MappingProxyType
from typing import Final
from uuid import UUID, uuid4

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

# Rows that totals are made of move to the stand-in, without whatever a person wrote or is known by.
KEEPS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "episodes": "ingested_xid = pg_current_xact_id()",
        "lead_score_events": "ingested_xid = pg_current_xact_id()",
        "analytics_events": (
            "first_xid = coalesce(first_xid, ingested_xid), ingested_xid = pg_current_xact_id(),"
            # A reply and its failure still belong together, by words that lead to no message of anybody.
            " properties = properties || jsonb_strip_nulls(jsonb_build_object("
            "'message_id', md5(:forgotten || (properties ->> 'message_id')),"
            " 'interaction_id', cast(md5(:forgotten || (properties ->> 'interaction_id')) as uuid)))"
        ),
        "llm_attempts": "",
        "follow_up_runs": (
            "state = case when state = 'running' then 'cancelled' else state end,"
            " ended_at = case when state = 'running' then :at else ended_at end"
        ),
        "follow_ups": (
            "state = case when state in ('scheduled', 'due') then 'cancelled' else state end,"
            " decided_at = coalesce(decided_at, :at)"
        ),
        "campaign_recipients": "body = null, state = case when state = 'queued' then 'skipped' else state end",
        "appointments": (
            # What the agent booked is named after whom it was for.
            "notes = null, cancel_reason = null, changed_by = null, idempotency_key = cast(id as text),"
            " status = case when status = 'held' then 'expired'"
            " when status = 'booked' and starts_at > :at then 'cancelled' else status end,"
            " cancelled_at = case when status = 'booked' and starts_at > :at then :at else cancelled_at end"
        ),
    }
)
# Merged into itself, so that every list of people leaves it out; opted out, so that nobody writes to it. Whoever was
# merged has one too, since both may have been in one campaign: it is merged into the first, and counts for nobody.
_STAND_IN: Final = text(
    """
    insert into contacts (
        tenant_id, id, merged_into_id, instance_id, wa_id, chat_id, lead_score, lead_grade, lead_base,
        lead_inbound_count, lead_question_count, lead_intents, is_handed_off, preferred_language, opted_out_at,
        first_message_at, created_at, erased_at
    )
    select
        tenant_id, :stand_in, :person, instance_id, 'erased:' || :stand_in_words, 'erased:' || :stand_in_words,
        lead_score, lead_grade, lead_base, lead_inbound_count, lead_question_count, lead_intents, is_handed_off,
        preferred_language, :at, first_message_at, created_at, :at
    from contacts where tenant_id = :tenant_id and id = :contact_id
    """
)
# A credit is named after whom its message went to.
_CREDITS: Final = text(
    """
    update usage_ledger set subject = replace(subject, cast(:contact_id as text), :stand_in_words)
    where tenant_id = :tenant_id
        and subject in (
            select concat_ws(':', 'campaign', campaign_id, cast(:contact_id as text)) from campaign_recipients
            where tenant_id = :tenant_id and contact_id = any(:contact_ids)
        )
    """
)


async def take_over(
    transaction: AsyncConnection, tenant_id: UUID, contact_ids: Sequence[UUID], *, at: datetime
) -> dict[str, int]:
    """Rows that moved, by table. The first contact is the one that the others were merged into."""
    forgotten, stand_ins = token_hex(), {contact_id: uuid4() for contact_id in contact_ids}
    common = {"tenant_id": tenant_id, "contact_ids": list(contact_ids), "person": stand_ins[contact_ids[0]]}
    common |= {"forgotten": forgotten, "at": at}
    each = [
        common | {"contact_id": contact_id, "stand_in": stand_in, "stand_in_words": str(stand_in)}
        for contact_id, stand_in in stand_ins.items()
    ]
    for values in each:
        await transaction.execute(_CREDITS, values)
    moved = dict.fromkeys(KEEPS, 0)
    for values in each:
        await transaction.execute(_STAND_IN, values)
        for name, changes in KEEPS.items():
            changed = ", ".join(filter(None, ("contact_id = :stand_in", changes)))
            statement = f"update {name} set {changed} where tenant_id = :tenant_id and contact_id = :contact_id"  # noqa: S608
            moved[name] += (await transaction.execute(text(statement), values)).rowcount
    return moved
