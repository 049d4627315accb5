"""/follow-up-sequences and /follow-up-runs: what is written to those who fell silent, and what became of it."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from mychatflow.rules import template
from mychatflow.rules.role import Permission
from mychatflow.rules.template import InvalidTemplate
from mychatflow.store import contact_attributes, follow_up_runs, follow_up_sequences
from realtime.api import filters, pages
from realtime.api.contacts import must_find
from realtime.api.desk import AtDesk, Desk, not_found
from realtime.api.follow_up_shapes import (
    Assignment,
    NewSequence,
    Run,
    RunState,
    Sequence,
    SequenceChange,
    SequenceResults,
    Step,
    Versions,
)
from realtime.api.pages import Cursor, Limit, Page
from realtime.api.problems import Problem
from realtime.api.routes import needs, tenant_router

router = tenant_router("follow-ups")
_ADMIN = needs(Permission.MANAGE_FOLLOW_UPS)


@router.get("/follow-up-sequences", summary="Sequences, newest first", **_ADMIN)
async def list_sequences(desk: AtDesk, limit: Limit = 50, cursor: Cursor = None) -> Page[Sequence]:
    window = pages.opened(desk, "follow-up-sequences", cursor)
    async with desk.reading() as transaction:
        rows = await follow_up_sequences.page(transaction, desk.tenant_id, **window, limit=pages.size(limit) + 1)
    return pages.page(desk, "follow-up-sequences", Sequence, rows, limit=limit, by=("created_at", "id"))


@router.post("/follow-up-sequences", status_code=201, summary="Write a sequence", **_ADMIN)
async def create_sequence(desk: AtDesk, wanted: NewSequence) -> Sequence:
    async with desk.changing("follow_up_sequence.created") as change:
        steps = await _steps(desk, change.transaction, wanted.steps)
        values = wanted.model_dump(exclude={"steps"})
        made = await follow_up_sequences.create(change.transaction, desk.tenant_id, values, steps)
        change.subject = str(made["id"])
    return Sequence.model_validate(made)


@router.get("/follow-up-sequences/{sequence_id}", summary="One sequence", **_ADMIN)
async def read_sequence(desk: AtDesk, sequence_id: UUID) -> Sequence:
    async with desk.reading() as transaction:
        return Sequence.model_validate(await _must_find(desk, transaction, sequence_id))


@router.patch("/follow-up-sequences/{sequence_id}", summary="Change a sequence", **_ADMIN)
async def change_sequence(desk: AtDesk, sequence_id: UUID, wanted: SequenceChange) -> Sequence:
    """What runs goes on with the steps that it began with; switched off, it ends at its next step."""
    async with desk.changing("follow_up_sequence.changed", sequence_id) as change:
        steps = await _steps(desk, change.transaction, wanted.steps) if wanted.steps else None
        values = wanted.model_dump(exclude={"steps"}, exclude_unset=True)
        now = await follow_up_sequences.change(change.transaction, desk.tenant_id, sequence_id, values, steps)
        if now is None:
            not_found("sequence")
        change.detail["keys"] = sorted(wanted.model_fields_set)
    return Sequence.model_validate(now)


@router.delete("/follow-up-sequences/{sequence_id}", status_code=204, summary="Throw a sequence away", **_ADMIN)
async def delete_sequence(desk: AtDesk, sequence_id: UUID) -> None:
    """One that never ran; switch off the others, so that what they did stays on record."""
    async with desk.changing("follow_up_sequence.deleted", sequence_id) as change:
        await _must_find(desk, change.transaction, sequence_id)
        if not await follow_up_sequences.delete(change.transaction, desk.tenant_id, sequence_id):
            raise Problem(409, "has_runs", "This sequence ran already. Set is_active to false instead.")


@router.get("/follow-up-sequences/{sequence_id}/versions", summary="Every step there ever was", **_ADMIN)
async def list_versions(desk: AtDesk, sequence_id: UUID) -> Versions:
    async with desk.reading() as transaction:
        await _must_find(desk, transaction, sequence_id)
        rows = await follow_up_sequences.versions(transaction, desk.tenant_id, sequence_id)
    return Versions.model_validate({"data": rows})


@router.get("/follow-up-sequences/{sequence_id}/results", summary="What it brought", **_ADMIN)
async def read_sequence_results(desk: AtDesk, sequence_id: UUID) -> SequenceResults:
    async with desk.reading() as transaction:
        await _must_find(desk, transaction, sequence_id)
        found = await follow_up_runs.results(transaction, desk.tenant_id, sequence_id)
    return SequenceResults.model_validate(found | {"lift": asdict(found["lift"]) if found["lift"] else None})


@router.get("/follow-up-sequences/{sequence_id}/runs", summary="Its runs, latest first", **_ADMIN)
async def list_runs(
    desk: AtDesk, sequence_id: UUID, state: RunState | None = None, limit: Limit = 50, cursor: Cursor = None
) -> Page[Run]:
    name = f"runs:{sequence_id}"
    window = pages.opened(desk, name, cursor)
    async with desk.reading() as transaction:
        await _must_find(desk, transaction, sequence_id)
        rows = await follow_up_runs.page(
            transaction, desk.tenant_id, sequence_id=sequence_id, state=state, **window, limit=pages.size(limit) + 1
        )
    return pages.page(desk, name, Run, rows, limit=limit, by=("started_at", "id"))


@router.post("/follow-up-sequences/{sequence_id}/runs", status_code=201, summary="Follow up one contact", **_ADMIN)
async def assign_sequence(desk: AtDesk, sequence_id: UUID, wanted: Assignment) -> Run:
    """By hand; ends like any other at the contact's or a colleague's next message."""
    async with desk.changing("follow_up_run.started", sequence_id) as change:
        sequence = await _must_find(desk, change.transaction, sequence_id)
        contact = await must_find(desk, change.transaction, wanted.contact_id)
        if not sequence["is_active"] or not sequence["steps"]:
            raise Problem(409, "not_active", "This sequence is switched off or has no steps.")
        if contact["opted_out_at"] is not None:
            raise Problem(409, "opted_out", "This contact opted out of messages.")
        made = await follow_up_runs.assign(
            change.transaction,
            desk.tenant_id,
            sequence,
            wanted.contact_id,
            started_by=desk.caller.actor,
            at=desk.at,
        )
        if made is None:
            raise Problem(409, "already_running", "This sequence already runs for this contact.")
        change.detail["contact_id"] = str(wanted.contact_id)
    return Run.model_validate(made)


@router.get("/follow-up-runs/{run_id}", summary="One run with every step and reason", **_ADMIN)
async def read_run(desk: AtDesk, run_id: UUID) -> Run:
    async with desk.reading() as transaction:
        found = await follow_up_runs.by_id(transaction, desk.tenant_id, run_id)
    return Run.model_validate(found or not_found("run"))


@router.post("/follow-up-runs/{run_id}/cancel", summary="Write no more", **_ADMIN)
async def cancel_run(desk: AtDesk, run_id: UUID) -> Run:
    """Once more is the same: one that ended stays as it ended."""
    async with desk.changing("follow_up_run.cancelled", run_id) as change:
        await follow_up_runs.cancel(
            change.transaction, desk.tenant_id, run_id, reason="cancelled_by_person", at=desk.at
        )
        found = await follow_up_runs.by_id(change.transaction, desk.tenant_id, run_id) or not_found("run")
    return Run.model_validate(found)


@router.get("/contacts/{contact_id}/follow-ups", summary="A contact's runs", **needs(Permission.VIEW_CONVERSATIONS))
async def list_follow_ups(desk: AtDesk, contact_id: UUID, limit: Limit = 50, cursor: Cursor = None) -> Page[Run]:
    name = f"follow-ups:{contact_id}"
    window = pages.opened(desk, name, cursor)
    async with desk.reading() as transaction:
        await must_find(desk, transaction, contact_id)
        rows = await follow_up_runs.page(
            transaction, desk.tenant_id, contact_id=contact_id, **window, limit=pages.size(limit) + 1
        )
    return pages.page(desk, name, Run, rows, limit=limit, by=("started_at", "id"))


async def _must_find(desk: Desk, transaction: AsyncConnection, sequence_id: UUID) -> Mapping[str, Any]:
    return await follow_up_sequences.by_id(transaction, desk.tenant_id, sequence_id) or not_found("sequence")


async def _steps(desk: Desk, transaction: AsyncConnection, steps: tuple[Step, ...]) -> list[dict[str, Any]]:
    """As they are stored; raises Problem for a template that nobody can fill in, and says in which step."""
    definitions = await contact_attributes.definitions(transaction, desk.tenant_id)
    for number, step in enumerate(steps):
        try:
            template.parse(step.template, attributes=definitions)
        except InvalidTemplate as invalid:
            where = ["body", "steps", number, "template"]
            errors = [{"where": where, "problem": str(invalid), "kind": "value_error"}]
            raise Problem(422, "invalid", f"steps[{number}].template: {invalid}", errors=errors) from invalid
        place = ("body", "steps", number, "condition")
        filters.refuse_unknown(definitions, step.condition, where=place)
    return [{"condition": {}} | step.model_dump(mode="json", exclude_defaults=True) for step in steps]
