"""Tells the people on duty by e-mail what cannot wait until they look: a customer who wants a person, a lost number."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from realtime.accounts.due_mail import Kind
from realtime.channels.resend import Email

_CLAIM: Final = """
with

due as (
    select tenant_id, id
    from notifications
    where is_urgent and emailed_at is null and email_due_at <= now() and created_at > now() - interval '6 hours'
    order by email_due_at
    limit %(most)s
    for update skip locked
),

claimed as (
    update notifications set email_due_at = now() + interval '1 minute'
    from due
    where notifications.tenant_id = due.tenant_id and notifications.id = due.id
    returning notifications.*
)

select
    claimed.tenant_id,
    claimed.id,
    claimed.kind,
    claimed.title,
    claimed.detail ->> 'reason' as reason,
    claimed.created_at,
    coalesce(settings.business_name, tenants.name) as business,
    array(
        select team_members.email from team_members
        where
            team_members.tenant_id = claimed.tenant_id
            and team_members.is_on_duty
            and team_members.removed_at is null
            -- Whoever was invited and never came is nobody of the team yet.
            and (team_members.joined_at is not null or team_members.invited_at is null)
            and team_members.role <> 'viewer'
        order by team_members.email
    ) as people
from claimed
inner join tenants on tenants.id = claimed.tenant_id
left join settings on settings.tenant_id = claimed.tenant_id
"""
_DONE: Final = """
update notifications set emailed_at = now()
from unnest(%(tenant_ids)b::uuid[], %(ids)b::uuid[]) as done (tenant_id, id)
where notifications.tenant_id = done.tenant_id and notifications.id = done.id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """An urgent notification and who is to hear of it."""

    tenant_id: UUID
    id: UUID
    kind: str
    title: str
    reason: str | None
    created_at: datetime
    business: str
    people: list[str]

    def written(self, dashboards_url: str | None) -> Email | None:
        """No customer's name, number or words: an e-mail lies in many hands. Without people it stands in the inbox."""
        if not self.people:
            return None
        lines = [self.title + ".", f"Since {self.created_at:%Y-%m-%d %H:%M} UTC."]
        if self.reason:
            lines.append(f"Why: {self.reason.replace('_', ' ')}.")
        if dashboards_url:
            lines.append(f"Open the inbox: {dashboards_url}")
        return Email(
            key=f"notification:{self.id}",
            to=tuple(self.people),
            subject=f"{self.business}: {self.title}",
            text="\n\n".join(lines),
        )


DUTY_MAIL: Final = Kind(name="urgent notifications", letter=News, claim=_CLAIM, done=_DONE, seconds=2.0)
