"""The week by e-mail: who reads it, what is due, what was sent, and the word of those who want none."""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from mychatflow.events import named_id
from mychatflow.settings import Settings

_READERS = text(
    """
    select
        tenants.id as tenant_id,
        coalesce(settings.business_name, tenants.name) as business,
        coalesce(settings.timezone, 'UTC') as timezone,
        array_agg(distinct lower(team_members.email)) as emails
    from tenants
    join team_members
        on team_members.tenant_id = tenants.id
        and team_members.removed_at is null
        and (team_members.joined_at is not null or team_members.invited_at is null)
        and team_members.role in ('owner', 'admin')
    left join settings on settings.tenant_id = tenants.id
    where tenants.deleted_at is null
        and tenants.suspended_at is null
        and not exists (
            select 1 from report_refusals
            where report_refusals.tenant_id = tenants.id and report_refusals.email = lower(team_members.email)
        )
    group by tenants.id, business, timezone
    order by tenants.id
    """
)
_WRITE = text(
    """
    insert into report_mails (tenant_id, id, week, email, subject, body_text, body_html, due_at)
    values (:tenant_id, :id, :week, :email, :subject, :body_text, :body_html, :due_at)
    on conflict do nothing
    """
)
# Claimed by moving the due time on: a worker that dies in the middle costs ten minutes, and Resend knows the key.
_CLAIM = text(
    """
    with

    due as (
        select tenant_id, id from report_mails
        where sent_at is null and due_at <= :at and due_at > :at - interval '3 days'
        order by due_at
        limit :most
        for update skip locked
    )

    update report_mails set due_at = :again_at
    from due
    where report_mails.tenant_id = due.tenant_id and report_mails.id = due.id
    returning
        report_mails.tenant_id, report_mails.id, report_mails.email, report_mails.subject, report_mails.body_text,
        report_mails.body_html,
        exists (
            select 1 from report_refusals
            where report_refusals.tenant_id = report_mails.tenant_id and report_refusals.email = report_mails.email
        ) as is_refused
    """
)
_SENT = text("update report_mails set sent_at = :at where tenant_id = :tenant_id and id = :id")
_REFUSE = text(
    """
    insert into report_refusals (tenant_id, email, refused_at)
    select tenant_id, email, :at from report_mails where tenant_id = :tenant_id and id = :id
    on conflict do nothing
    """
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Readers:
    """A business and who of it reads the week's report."""

    tenant_id: UUID
    business: str
    timezone: str
    emails: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """One e-mail to one reader, fixed when it was written."""

    tenant_id: UUID
    id: UUID
    email: str
    subject: str
    body_text: str = field(repr=False)
    body_html: str = field(repr=False)
    is_refused: bool = False


def mail_id(tenant_id: UUID, *, week: date, email: str) -> UUID:
    """The same for the same reader and week, so that a rerun writes nothing twice."""
    return named_id("report_mail", tenant_id, f"{week}:{email}")


def token(settings: Settings, tenant_id: UUID, id_: UUID) -> str:
    """What proves that a link came from that e-mail."""
    key = settings.derived_secret("report refusal").encode()
    return hmac.new(key, f"{tenant_id}:{id_}".encode(), hashlib.sha256).hexdigest()


async def readers(transaction: AsyncConnection) -> list[Readers]:
    """Owners and admins of every active business who did not refuse (platform transaction)."""
    return [Readers(**row) for row in (await transaction.execute(_READERS)).mappings()]


async def write(transaction: AsyncConnection, mails: Sequence[Mail], *, week: date, due_at: datetime) -> int:
    """How many were new."""
    written = 0
    for mail in mails:
        values = {
            "tenant_id": mail.tenant_id,
            "id": mail.id,
            "week": week,
            "email": mail.email,
            "subject": mail.subject,
            "body_text": mail.body_text,
            "body_html": mail.body_html,
            "due_at": due_at,
        }
        written += (await transaction.execute(_WRITE, values)).rowcount
    return written


async def claim(transaction: AsyncConnection, *, at: datetime, pause: timedelta, most: int) -> list[Mail]:
    """What is due now; whatever is not marked as sent is due again after the pause."""
    values = {"at": at, "again_at": at + pause, "most": most}
    return [Mail(**row) for row in (await transaction.execute(_CLAIM, values)).mappings()]


async def sent(transaction: AsyncConnection, mail: Mail, *, at: datetime) -> None:
    await transaction.execute(_SENT, {"tenant_id": mail.tenant_id, "id": mail.id, "at": at})


async def refuse(transaction: AsyncConnection, tenant_id: UUID, id_: UUID, *, at: datetime) -> None:
    """Who got that e-mail gets no other; safe to repeat."""
    await transaction.execute(_REFUSE, {"tenant_id": tenant_id, "id": id_, "at": at})
