"""What /follow-up-sequences takes and shows."""

from datetime import datetime, time
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field

from mychatflow.rules.contact_filter import ContactFilter
from realtime.api.bodies import Body, Line, Shown
from realtime.api.campaign_shapes import Clock, Share, ShownLift, Words

RunState = Literal["running", "finished", "cancelled", "held_out"]
# By hand alone, or after an answer of the agent that stays unanswered.
Trigger = Literal["silence", "manual"]


class Step(Body):
    """Sent when the delay has passed since the step before, if the condition holds for the contact then."""

    delay_minutes: Annotated[int, Field(ge=1, le=525_600)]
    template: Words
    condition: ContactFilter = ContactFilter()


Steps = Annotated[tuple[Step, ...], Field(min_length=1, max_length=20)]


class SequenceChange(Body):
    """What is absent stays; new steps become a new version, which running ones do not notice."""

    name: Line = ""
    trigger: Trigger = "silence"
    is_active: bool = True
    quiet_from: Clock = time(21)
    quiet_until: Clock = time(8)
    holdout_share: Share = 0
    steps: Steps | None = None


class NewSequence(SequenceChange):
    """Equal ends of the quiet hours mean that no hour is quiet."""

    name: Line
    steps: Steps


class ShownStep(Shown):
    step: int
    delay_minutes: int
    template: str
    condition: dict[str, Any]


class Sequence(Shown):
    id: UUID
    name: str
    trigger: str
    is_active: bool
    quiet_from: Clock
    quiet_until: Clock
    holdout_share: float
    version: int
    steps: tuple[ShownStep, ...]
    created_at: datetime
    updated_at: datetime


class VersionedStep(ShownStep):
    version: int


class Versions(Shown):
    """The present version's first."""

    data: tuple[VersionedStep, ...]


class Assignment(Body):
    contact_id: UUID


class RunStep(Shown):
    """`reason` says why it was sent, waits, was dropped or cancelled."""

    step: int
    state: str
    reason: str | None
    scheduled_at: datetime
    due_at: datetime
    decided_at: datetime | None


class Run(Shown):
    id: UUID
    sequence_id: UUID
    sequence: str
    version: int
    contact_id: UUID
    state: RunState
    reason: str | None
    started_by: str | None
    started_at: datetime
    ended_at: datetime | None
    steps: tuple[RunStep, ...]


class SequenceResults(Shown):
    """Treated are the runs that sent something; `lift` is null while one of the groups is empty.

    It compares the assigned (all runs not held out) with the held out, by who wrote within seven days of the start.
    """

    runs: int
    running: int
    finished: int
    cancelled: int
    treated: int
    treated_replied: int
    assigned: int
    assigned_replied: int
    held_out: int
    held_out_replied: int
    messages_sent: int
    reasons: dict[str, int]
    lift: ShownLift | None
