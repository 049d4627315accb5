"""How a page changes a follow-up sequence: by permission, on record, through the functions of the API."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time
from typing import Any, Final
from uuid import UUID

from dashboards import changes
from dashboards.changes import NotDone
from dashboards.outreach import audience
from dashboards.viewer import Viewer
from mychatflow.rules import template
from mychatflow.rules.role import Permission
from mychatflow.rules.template import InvalidTemplate
from mychatflow.store import contact_attributes, contact_filters, follow_up_runs, follow_up_sequences, row_lock
from mychatflow.store.cipher import TenantCipher
from mychatflow.store.on_record import Change

MOST_STEPS: Final = 20
LONGEST_TEXT: Final = 4_000
LONGEST_DELAY: Final = 525_600


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A message as somebody wrote it; `condition` holds the fields of a contact filter."""

    delay_minutes: int
    template: str
    condition: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A sequence as somebody filled in its form."""

    name: str
    trigger: str
    quiet_from: time
    quiet_until: time
    holdout_share: float
    steps: Sequence[Step]

    def values(self) -> dict[str, Any]:
        """Its own columns. Raises NotDone."""
        name = _clean(self.name)
        if not name:
            raise NotDone("a sequence needs a name.")
        return {
            "name": name[:200],
            "trigger": self.trigger,
            "quiet_from": self.quiet_from,
            "quiet_until": self.quiet_until,
            "holdout_share": self.holdout_share,
        }


def save(looking: Viewer, shown: Mapping[str, Any] | None, wanted: Wanted) -> bool:
    """A new sequence begins switched off, so that it can be read once more before anybody gets it."""
    sequence_id: UUID | None = shown["id"] if shown else None

    async def work(change: Change, cipher: TenantCipher, _by: Viewer, _at: datetime) -> None:
        values = wanted.values()
        steps = await _steps(change, cipher.tenant_id, wanted.steps)
        if shown is None or sequence_id is None:
            made = await follow_up_sequences.create(
                change.transaction, cipher.tenant_id, values | {"is_active": False}, steps
            )
            change.subject = str(made["id"])
            return
        await row_lock.hold(change.transaction, cipher.tenant_id, "follow_up_sequences", sequence_id)
        known = await follow_up_sequences.by_id(change.transaction, cipher.tenant_id, sequence_id)
        if known is None:
            raise NotDone("somebody deleted this sequence meanwhile.")
        changes.refuse_stale(shown, known)
        # New steps are a new version, which nobody needs for a new name.
        is_same = [{name: step[name] for name in steps[0]} for step in known["steps"]] == steps
        await follow_up_sequences.change(
            change.transaction, cipher.tenant_id, sequence_id, values, None if is_same else steps
        )
        change.detail["keys"] = sorted(values if is_same else {*values, "steps"})

    action = "follow_up_sequence.changed" if sequence_id else "follow_up_sequence.created"
    return changes.make(looking, Permission.MANAGE_FOLLOW_UPS, action, sequence_id, work)


def switch(looking: Viewer, sequence_id: UUID, *, is_active: bool) -> bool:
    """Switched off, what runs ends at its next step."""

    async def work(change: Change, cipher: TenantCipher, _by: Viewer, _at: datetime) -> None:
        values = {"is_active": is_active}
        if await follow_up_sequences.change(change.transaction, cipher.tenant_id, sequence_id, values, None) is None:
            raise NotDone("somebody deleted this sequence meanwhile.")
        change.detail.update(keys=["is_active"], is_active=is_active)

    return changes.make(looking, Permission.MANAGE_FOLLOW_UPS, "follow_up_sequence.changed", sequence_id, work)


def delete(looking: Viewer, sequence_id: UUID) -> bool:
    async def work(change: Change, cipher: TenantCipher, _by: Viewer, _at: datetime) -> None:
        if not await follow_up_sequences.delete(change.transaction, cipher.tenant_id, sequence_id):
            raise NotDone("this sequence ran already, and what it did stays on record. Switch it off instead.")

    return changes.make(looking, Permission.MANAGE_FOLLOW_UPS, "follow_up_sequence.deleted", sequence_id, work)


def cancel_run(looking: Viewer, run_id: UUID) -> bool:
    async def work(change: Change, cipher: TenantCipher, _by: Viewer, at: datetime) -> None:
        if not await follow_up_runs.cancel(
            change.transaction, cipher.tenant_id, run_id, reason="cancelled_by_person", at=at
        ):
            raise NotDone("this run had ended before.")

    return changes.make(looking, Permission.MANAGE_FOLLOW_UPS, "follow_up_run.cancelled", run_id, work)


async def _steps(change: Change, tenant_id: UUID, steps: Sequence[Step]) -> list[dict[str, Any]]:
    """As they are stored. Raises NotDone naming the step that is wrong."""
    if not 1 <= len(steps) <= MOST_STEPS:
        raise NotDone(f"a sequence has 1 to {MOST_STEPS} messages.")
    keys = await contact_attributes.keys(change.transaction, tenant_id)
    return [_step(number, step, keys) for number, step in enumerate(steps, 1)]


def _step(number: int, step: Step, keys: frozenset[str]) -> dict[str, Any]:
    words = _clean(step.template)
    if not words or len(words) > LONGEST_TEXT:
        raise NotDone(f"message {number} needs a text of at most {LONGEST_TEXT:,} characters.")
    if not 1 <= step.delay_minutes <= LONGEST_DELAY:
        raise NotDone(f"message {number} waits a minute at least and a year at most.")
    try:
        template.parse(words, attributes=keys)
    except InvalidTemplate as invalid:
        raise NotDone(f"message {number}: {invalid}.") from invalid
    condition = json.loads(contact_filters.written(audience.checked(step.condition)))
    return {"delay_minutes": step.delay_minutes, "template": words, "condition": condition}


def _clean(value: str) -> str:
    """Postgres has no text with a NUL character."""
    return value.replace("\x00", "").strip()
