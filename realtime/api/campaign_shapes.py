"""What /campaigns takes and shows."""

from datetime import datetime, time
from typing import Annotated, Any, Final, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, Field, WithJsonSchema, model_validator

from mychatflow.rules.contact_filter import ContactFilter
from realtime.api.bodies import Body, Line, Shown, Text, shown_as

State = Literal["draft", "scheduled", "running", "paused", "finished", "cancelled"]
RecipientState = Literal["queued", "sent", "delivered", "read", "replied", "failed", "skipped", "held_out"]
Audience = Annotated[ContactFilter, Field(description="All that is given must hold; an empty one means everybody.")]
Words = Annotated[
    Text, Field(description="With variables like {{name|friend}}: what is not known of a contact reads as its default.")
]
Moment = Annotated[
    datetime, Field(description="With an offset as it is; without one by the clock of the tenant's time zone.")
]
Pace = Annotated[int, Field(ge=1, le=600, description="Messages a minute and number.")]
Share = Annotated[float, Field(ge=0, le=0.9, allow_inf_nan=False, description="Share kept for comparison.")]
# JSON schema's own `time` is of one zone; these are on whatever clock hangs there.
_ON_A_CLOCK: Final = {"type": "string", "pattern": r"^\d{2}:\d{2}(:\d{2})?$", "examples": ["21:00"]}


def _on_a_wall(value: time) -> time:
    """Raises ValueError for what no clock on a wall shows: dropped silently, an offset would move the night."""
    if value.tzinfo is not None or value.microsecond:
        raise ValueError("must be a time like 21:00, without an offset: it is the contact's own clock")
    return value


Clock = Annotated[
    time,
    AfterValidator(_on_a_wall),
    WithJsonSchema(_ON_A_CLOCK),
    Field(description="By the contact's clock, where their zone is known."),
]


class CampaignChange(Body):
    """What is absent stays."""

    name: Line = ""
    template: Words = ""
    audience: Audience = ContactFilter()
    instance_id: UUID | None = None
    scheduled_at: Moment | None = None
    messages_per_minute: Pace = 20
    quiet_from: Clock | None = None
    quiet_until: Clock | None = None
    holdout_share: Share = 0

    @model_validator(mode="after")
    def _whole_quiet_hours(self) -> Self:
        # A null alone would take the other's end away: nobody's night would be quiet any more.
        is_half_given = len(self.model_fields_set & {"quiet_from", "quiet_until"}) == 1
        if is_half_given or (self.quiet_from is None) != (self.quiet_until is None):
            raise ValueError("quiet_from and quiet_until are given together")
        return self


class NewCampaign(CampaignChange):
    """Without a number each contact gets it from the one they write to."""

    model_config = shown_as(
        {
            "name": "Autumn menu",
            "template": "Hi {{name|there}}, our autumn menu is here. Answer STOP to hear no more.",
            "audience": {"tags_any": ["vip"], "active_within_days": 90, "is_opted_in": True},
            "scheduled_at": "2027-01-12T10:00:00Z",
            "messages_per_minute": 20,
            "quiet_from": "21:00:00",
            "quiet_until": "09:00:00",
            "holdout_share": 0.1,
        }
    )

    name: Line
    template: Words


class Campaign(Shown):
    """`frozen_at` is when its audience was written down; from then on nobody joins."""

    id: UUID
    name: str
    template: str
    audience: dict[str, Any]
    instance_id: UUID | None
    state: State
    scheduled_at: datetime | None
    messages_per_minute: int
    quiet_from: Clock | None
    quiet_until: Clock | None
    holdout_share: float
    started_at: datetime | None
    frozen_at: datetime | None
    finished_at: datetime | None
    created_by: UUID | None
    created_at: datetime
    updated_at: datetime


class ShownPreview(Shown):
    """`missing` counts, for each variable without a default, the contacts of whom it is not known."""

    audience: int
    eligible: int
    held_out: int
    skipped: dict[str, int]
    missing: dict[str, int]


class ToContact(Body):
    contact_id: UUID


class Tested(Shown):
    text: str


class ShownLift(Shown):
    """Rates as fractions, with the 95 % interval of their difference."""

    treated_rate: float
    held_out_rate: float
    difference: float
    low: float
    high: float


class Results(Shown):
    """Each state counts for those before it; `lift` is null while one of the groups is empty.

    It compares the assigned (whom it was decided to write to, whatever came of it) with the held out, by who wrote
    between the start and seven days after the end.
    """

    recipients: int
    queued: int
    sent: int
    delivered: int
    read: int
    replied: int
    failed: int
    skipped: int
    assigned: int
    assigned_wrote: int
    held_out: int
    held_out_wrote: int
    opted_out_after: int
    skipped_by_reason: dict[str, int]
    failed_by_reason: dict[str, int]
    lift: ShownLift | None


class Recipient(Shown):
    id: UUID
    contact_id: UUID
    name: str | None
    phone: str | None
    state: RecipientState
    reason: str | None
    due_at: datetime | None
    sent_at: datetime | None
    state_at: datetime
