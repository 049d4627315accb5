"""How a page drafts, tries, starts and stops a campaign: by permission, on record, through the functions of the API."""

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from datetime import datetime, time
from typing import Any, Final, Literal, Protocol
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from dashboards import changes, wording
from dashboards.changes import NotDone
from dashboards.outreach import audience
from dashboards.viewer import Viewer
from mychatflow.rules import template, wall_time
from mychatflow.rules.role import Permission
from mychatflow.rules.template import InvalidTemplate
from mychatflow.rules.wall_time import NoSuchTime
from mychatflow.store import (
    campaign_audience,
    campaign_tests,
    campaigns,
    contact_attributes,
    contact_filters,
    row_lock,
)
from mychatflow.store.campaigns import WrongState
from mychatflow.store.cipher import TenantCipher
from mychatflow.store.on_record import Change

LONGEST_TEXT: Final = 4_000
Step = Literal["start", "pause", "resume", "cancel"]


class _Move(Protocol):
    def __call__(
        self, transaction: AsyncConnection, tenant_id: UUID, campaign_id: UUID, *, at: datetime
    ) -> Awaitable[Mapping[str, Any] | None]: ...


_MOVES: Final[Mapping[Step, tuple[str, _Move]]] = {
    "start": ("campaign.started", campaigns.start),
    "pause": ("campaign.paused", campaigns.pause),
    "resume": ("campaign.resumed", campaigns.resume),
    "cancel": ("campaign.cancelled", campaigns.cancel),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A campaign as somebody filled in its form; `starts_at` is the wall clock of the workspace."""

    name: str
    template: str
    audience: Mapping[str, Any]
    instance_id: UUID | None
    starts_at: datetime | None
    messages_per_minute: int
    quiet: tuple[time, time] | None
    holdout_share: float

    def row(self) -> dict[str, Any]:
        """What decides over its audience, for a look at it before anything is saved."""
        quiet_from, quiet_until = self.quiet or (None, None)
        return {
            "template": self.template,
            "audience": dict(self.audience),
            "instance_id": self.instance_id,
            "quiet_from": quiet_from,
            "quiet_until": quiet_until,
            "holdout_share": self.holdout_share,
        }


def save(looking: Viewer, shown: Mapping[str, Any], wanted: Wanted) -> bool:
    """A draft, new (by the id its audience was shown for) or changed; nothing is sent."""
    campaign_id: UUID | None = shown["id"]

    async def work(change: Change, cipher: TenantCipher, by: Viewer, _at: datetime) -> None:
        values = await _values(change, looking, wanted)
        if campaign_id is None:
            made = await campaigns.create(
                change.transaction,
                cipher.tenant_id,
                values,
                created_by=by.workspace.member_id,
                campaign_id=shown["id_of_new"],
            )
            change.subject = str(made["id"])
            return
        await row_lock.hold(change.transaction, cipher.tenant_id, "campaigns", campaign_id)
        known = await campaigns.by_id(change.transaction, cipher.tenant_id, campaign_id)
        if known is None:
            raise NotDone("somebody deleted this campaign meanwhile.")
        changes.refuse_stale(shown, known)
        try:
            await campaigns.change(change.transaction, cipher.tenant_id, campaign_id, values)
        except WrongState as wrong:
            raise NotDone(f"{wrong}.") from wrong
        change.detail["keys"] = sorted(values)

    action = "campaign.changed" if campaign_id else "campaign.created"
    return changes.make(looking, Permission.MANAGE_CAMPAIGNS, action, campaign_id, work)


def delete(looking: Viewer, campaign_id: UUID) -> bool:
    async def work(change: Change, cipher: TenantCipher, _by: Viewer, _at: datetime) -> None:
        try:
            await campaigns.delete(change.transaction, cipher.tenant_id, campaign_id)
        except WrongState as wrong:
            raise NotDone(f"{wrong}.") from wrong

    return changes.make(looking, Permission.MANAGE_CAMPAIGNS, "campaign.deleted", campaign_id, work)


def move(looking: Viewer, campaign_id: UUID, step: Step) -> bool:
    """Start, pause, resume or cancel; a start is refused while a variable is not known of somebody."""
    action, to = _MOVES[step]

    async def work(change: Change, cipher: TenantCipher, _by: Viewer, at: datetime) -> None:
        if step == "start":
            await _refuse_unknown_variables(change, cipher.tenant_id, campaign_id, at=at)
        try:
            if await to(change.transaction, cipher.tenant_id, campaign_id, at=at) is None:
                raise NotDone("somebody deleted this campaign meanwhile.")
        except WrongState as wrong:
            raise NotDone(f"{wrong}.") from wrong

    return changes.make(looking, Permission.MANAGE_CAMPAIGNS, action, campaign_id, work)


def send_test(looking: Viewer, campaign_id: UUID, contact_id: UUID) -> bool:
    """At once and as that contact would get it; it counts in no result."""

    async def work(change: Change, cipher: TenantCipher, _by: Viewer, at: datetime) -> None:
        row = await campaigns.by_id(change.transaction, cipher.tenant_id, campaign_id)
        if row is None:
            raise NotDone("somebody deleted this campaign meanwhile.")
        change.detail["contact_id"] = str(contact_id)
        try:
            words = await campaign_tests.send(
                change.transaction, cipher.tenant_id, row, contact_id, cipher=cipher, at=at
            )
        except LookupError as gone:
            raise NotDone("this contact is gone.") from gone
        if words is None:
            raise NotDone("this contact opted out of messages.")

    return changes.make(looking, Permission.MANAGE_CAMPAIGNS, "campaign.tested", campaign_id, work)


async def _refuse_unknown_variables(change: Change, tenant_id: UUID, campaign_id: UUID, *, at: datetime) -> None:
    row = await campaigns.by_id(change.transaction, tenant_id, campaign_id)
    if row is None:
        return
    try:
        plan = await campaign_audience.plan_of(change.transaction, tenant_id, row)
    except InvalidTemplate as invalid:
        raise NotDone(f"{invalid}.") from invalid
    missing = (await campaign_audience.preview(change.transaction, tenant_id, plan, at=at)).missing
    if missing:
        named = ", ".join(
            f"{name} of {wording.counted(count, 'contact', 'contacts')}" for name, count in missing.items()
        )
        raise NotDone(f"not known: {named}. State a default, like {{{{name|friend}}}}, or narrow the audience.")


async def _values(change: Change, looking: Viewer, wanted: Wanted) -> dict[str, Any]:
    """As they are stored. Raises NotDone naming the field that is wrong."""
    if not wanted.name or not wanted.template:
        raise NotDone("a campaign needs a name and a message.")
    if len(wanted.template) > LONGEST_TEXT:
        raise NotDone(f"the message has at most {LONGEST_TEXT:,} characters.")
    try:
        keys = await contact_attributes.keys(change.transaction, looking.tenant_id)
        template.parse(wanted.template, attributes=keys)
        starts_at = wanted.starts_at and wall_time.instant(wanted.starts_at, timezone=looking.timezone)
    except (InvalidTemplate, NoSuchTime) as invalid:
        raise NotDone(f"{invalid}.") from invalid
    return wanted.row() | {
        "name": wanted.name[:200],
        "audience": contact_filters.written(audience.checked(wanted.audience)),
        "scheduled_at": starts_at,
        "messages_per_minute": wanted.messages_per_minute,
    }
