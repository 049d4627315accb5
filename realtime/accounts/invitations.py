"""Tells people by e-mail that they were invited to a team, once each."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from realtime.accounts.due_mail import Kind
from realtime.channels.resend import Email

_CLAIM: Final = """
with due as (
    select tenant_id, id from team_members
    where invite_email_due_at <= now() and removed_at is null and joined_at is null
        and invited_at > now() - interval '7 days'
    order by invite_email_due_at limit %(most)s
    for update skip locked
),

claimed as (
    update team_members set invite_email_due_at = now() + interval '1 minute'
    from due where team_members.tenant_id = due.tenant_id and team_members.id = due.id
    returning team_members.*
)

select
    claimed.tenant_id, claimed.id, claimed.email, claimed.role, claimed.invited_at,
    coalesce(settings.business_name, tenants.name) as business
from claimed
inner join tenants on tenants.id = claimed.tenant_id
left join settings on settings.tenant_id = claimed.tenant_id
"""
_DONE: Final = """
update team_members set invite_email_due_at = null
from unnest(%(tenant_ids)b::uuid[], %(ids)b::uuid[]) as done (tenant_id, id)
where team_members.tenant_id = done.tenant_id and team_members.id = done.id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    tenant_id: UUID
    id: UUID
    email: str
    role: str
    invited_at: datetime
    business: str

    def written(self, dashboards_url: str | None) -> Email:
        where = f" at {dashboards_url}" if dashboards_url else ""
        return Email(
            # A second invitation of the same person is another e-mail.
            key=f"invitation:{self.id}:{self.invited_at.timestamp():.0f}",
            to=(self.email,),
            subject=f"{self.business}: you are invited",
            text=(
                f"You are invited to work for {self.business} as {self.role}.\n\n"
                f"Sign in{where} with this e-mail address within seven days.\n\n"
                "If you do not know them, do nothing."
            ),
        )


INVITATIONS: Final = Kind(name="invitations", letter=Invitation, claim=_CLAIM, done=_DONE, seconds=3.0)
