"""What becomes of campaigns and follow-ups when two who are to get them are one: nobody is written to twice."""

from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from mychatflow.events import named_id
from mychatflow.store.campaign_freeze import send_key
from mychatflow.store.cipher import TenantCipher

_END_TWIN_RUNS: Final = text(
    """
    with

    ended as (
        update follow_up_runs set state = 'cancelled', reason = 'merged', ended_at = :at
        where tenant_id = :tenant_id
            and contact_id = :other_id
            and state = 'running'
            and sequence_id in (
                select sequence_id from follow_up_runs
                where tenant_id = :tenant_id and contact_id = :contact_id and state = 'running'
            )
        returning tenant_id, id
    ),

    stopped as (
        update outbox set state = 'cancelled', last_error = 'merged'
        where tenant_id = :tenant_id
            and state = 'pending'
            and id in (
                select follow_ups.outbox_id from follow_ups
                inner join ended on ended.tenant_id = follow_ups.tenant_id and ended.id = follow_ups.run_id
            )
        returning interaction_id, interaction_at
    ),

    unsaid as (
        update interactions set status = 'failed', status_at = :at
        from stopped
        where interactions.tenant_id = :tenant_id
            and interactions.id = stopped.interaction_id
            and interactions.occurred_at = stopped.interaction_at
    )

    update follow_ups set state = 'cancelled', reason = 'merged', decided_at = :at
    from ended
    where follow_ups.tenant_id = ended.tenant_id
        and follow_ups.run_id = ended.id
        and follow_ups.state in ('scheduled', 'due')
    """
)
# Of two that wait the first's stays, unless a worker has the other's in its hands already. What waits in the outbox is
# stopped there, and settled and paid back like all that is.
_SKIP_TWIN_RECIPIENTS: Final = text(
    """
    with

    theirs as materialized (
        select
            recipients.id, recipients.campaign_id, recipients.contact_id, recipients.state, recipients.outbox_id,
            recipients.state <> 'queued' or coalesce(outbox.state in ('sending', 'ambiguous', 'sent'), false) as is_out
        from campaign_recipients as recipients
        left join outbox on outbox.tenant_id = recipients.tenant_id and outbox.id = recipients.outbox_id
        where recipients.tenant_id = :tenant_id and recipients.contact_id in (:contact_id, :other_id)
    ),

    dropped as (
        select theirs.id, theirs.outbox_id
        from theirs
        inner join theirs as twin
            on twin.campaign_id = theirs.campaign_id and twin.contact_id <> theirs.contact_id
        where not theirs.is_out and (twin.is_out or theirs.contact_id = :other_id)
    ),

    stopped as (
        update outbox set state = 'cancelled', last_error = 'merged'
        where tenant_id = :tenant_id and id in (select outbox_id from dropped) and state = 'pending'
        returning interaction_id, interaction_at
    ),

    unsaid as (
        update interactions set status = 'failed', status_at = :at
        from stopped
        where interactions.tenant_id = :tenant_id
            and interactions.id = stopped.interaction_id
            and interactions.occurred_at = stopped.interaction_at
    )

    update campaign_recipients set state = 'skipped', reason = 'merged', state_at = :at
    where tenant_id = :tenant_id and id in (select id from dropped where outbox_id is null)
    """
)
_SEALED: Final = text(
    """
    select id, campaign_id, body from campaign_recipients
    where tenant_id = :tenant_id and contact_id = :other_id and body is not null
    """
)
_SEAL_ANEW: Final = text("update campaign_recipients set body = :body where tenant_id = :tenant_id and id = :id")


async def unite(
    transaction: AsyncConnection, contact_id: UUID, other_id: UUID, *, cipher: TenantCipher, at: datetime
) -> None:
    """Before the second's rows move to the first."""
    values = {"tenant_id": cipher.tenant_id, "contact_id": contact_id, "other_id": other_id, "at": at}
    await transaction.execute(_END_TWIN_RUNS, values)
    await transaction.execute(_SKIP_TWIN_RECIPIENTS, values)
    # A text is sealed for the message that will carry it, and that is named after whom it goes to.
    for row in (await transaction.execute(_SEALED, values)).all():
        words = cipher.decrypt(bytes(row.body), row_id=_message(cipher.tenant_id, row.campaign_id, other_id))
        sealed = cipher.encrypt(words, row_id=_message(cipher.tenant_id, row.campaign_id, contact_id))
        await transaction.execute(_SEAL_ANEW, {"tenant_id": cipher.tenant_id, "id": row.id, "body": sealed})


def _message(tenant_id: UUID, campaign_id: UUID, contact_id: UUID) -> UUID:
    return named_id("outbox", tenant_id, send_key(campaign_id, contact_id))
