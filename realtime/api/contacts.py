"""/contacts: the people who write to the tenant, found by grade, tag or name, with their score."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Query
from pydantic import Field, StringConstraints
from sqlalchemy.ext.asyncio import AsyncConnection

from mychatflow.rules.attributes import InvalidAttribute
from mychatflow.rules.role import Permission
from mychatflow.store import contact_attributes, contact_book, contact_merging, contact_notes
from mychatflow.store.cipher import TenantCipher
from mychatflow.store.contact_merging import MergeRefused
from realtime.api import pages
from realtime.api.bodies import MOST_TAGS, Body, Line, Shown, Tags, shown_as
from realtime.api.desk import AtDesk, Desk, not_found
from realtime.api.pages import Cursor, Limit, Page
from realtime.api.problems import Problem
from realtime.api.routes import needs, tenant_router

router = tenant_router("contacts")
Grade = Literal["A", "B", "C", "D", "F"]
Notes = Annotated[str, StringConstraints(max_length=10_000)]


class Contact(Shown):
    id: UUID
    wa_id: str
    name: str | None
    phone: str | None
    lead_score: int
    lead_grade: str
    is_handed_off: bool
    handoff_reason: str | None
    owner: str
    paused_until: datetime | None
    preferred_language: str | None
    tags: tuple[str, ...]
    attributes: dict[str, Any]
    opted_out_at: datetime | None
    first_message_at: datetime | None
    last_message_at: datetime | None
    created_at: datetime


class ContactChange(Body):
    """Only what is given changes; a null name is no name."""

    model_config = shown_as({"name": "Ana Ruiz", "tags": ["vip", "madrid"], "attributes": {"city": "Madrid"}})

    name: Line | None = None
    tags: Tags = ()
    attributes: Annotated[
        dict[str, str | int | float | bool | None],
        Field(max_length=100, description="Of the tenant's own attributes; null takes a value away."),
    ] = Field(default_factory=dict)


class TagChange(Body):
    """Added first, then removed."""

    add: Tags = ()
    remove: Tags = ()


class Merge(Body):
    """Who is the same person; that contact is gone afterwards, and its id answers with where they are."""

    contact_id: UUID


class NotesChange(Body):
    notes: Notes | None


class Note(Shown):
    id: UUID
    author: str
    body: str
    written_at: datetime


class ShownNotes(Shown):
    """`notes` are the present words, `data` all that was written, latest first and with its author."""

    notes: str | None
    data: tuple[Note, ...] = ()


class Scored(Shown):
    as_of: datetime
    cause: str
    score: int
    grade: str
    previous_score: int | None
    previous_grade: str | None
    base: int
    decay: int
    message_points: int
    speed_points: int
    question_points: int
    intent_points: int
    rules_version: str
    extractor_version: str


class ShownScore(Shown):
    lead_score: int
    lead_grade: str
    history: list[Scored]


async def must_find(desk: Desk, transaction: AsyncConnection, contact_id: UUID) -> Mapping[str, Any]:
    """Raises Problem 404."""
    found = await contact_book.by_id(transaction, desk.tenant_id, contact_id)
    if found is None:
        not_found("contact")
    if found["merged_into_id"] is not None:
        merged_into = str(found["merged_into_id"])
        raise Problem(404, "not_found", "This contact was merged into another.", merged_into_id=merged_into)
    return found


async def shown(desk: Desk, transaction: AsyncConnection, contact_id: UUID) -> Contact:
    return Contact.model_validate(await must_find(desk, transaction, contact_id))


@router.get("/contacts", summary="Contacts, most recent first", **needs(Permission.VIEW_LEADS))
async def list_contacts(
    desk: AtDesk,
    grade: Grade | None = None,
    tag: Annotated[str | None, Query(max_length=50)] = None,
    q: Annotated[str | None, Query(max_length=100, description="Part of a name or number.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[Contact]:
    window = pages.opened(desk, "contacts", cursor)
    async with desk.reading() as transaction:
        rows = await contact_book.page(
            transaction, desk.tenant_id, search=q, grade=grade, tag=tag, **window, limit=pages.size(limit) + 1
        )
    return pages.page(desk, "contacts", Contact, rows, limit=limit, by=("recency", "id"))


@router.get("/contacts/{contact_id}", summary="One contact", **needs(Permission.VIEW_LEADS))
async def read_contact(desk: AtDesk, contact_id: UUID) -> Contact:
    async with desk.reading() as transaction:
        return await shown(desk, transaction, contact_id)


@router.patch("/contacts/{contact_id}", summary="Correct name or tags", **needs(Permission.EDIT_CONTACTS))
async def change_contact(desk: AtDesk, contact_id: UUID, wanted: ContactChange) -> Contact:
    async with desk.changing("contact.changed", contact_id) as change:
        await must_find(desk, change.transaction, contact_id)
        if "name" in wanted.model_fields_set:
            await contact_book.rename(change.transaction, desk.tenant_id, contact_id, wanted.name)
        if "tags" in wanted.model_fields_set:
            await contact_book.set_tags(change.transaction, desk.tenant_id, contact_id, wanted.tags)
        if wanted.attributes:
            await _set_attributes(desk, change.transaction, contact_id, wanted.attributes)
        change.detail["keys"] = sorted(wanted.model_fields_set)
        return await shown(desk, change.transaction, contact_id)


@router.post("/contacts/{contact_id}/tags", summary="Add and remove tags", **needs(Permission.EDIT_CONTACTS))
async def tag_contact(desk: AtDesk, contact_id: UUID, wanted: TagChange) -> Contact:
    async with desk.changing("contact.tagged", contact_id) as change:
        await must_find(desk, change.transaction, contact_id)
        await contact_book.change_tags(
            change.transaction, desk.tenant_id, contact_id, added=wanted.add, removed=wanted.remove
        )
        now = await shown(desk, change.transaction, contact_id)
        if wanted.add and len(now.tags) > MOST_TAGS:
            raise Problem(409, "too_many", f"A contact has at most {MOST_TAGS} tags; remove some first.")
        return now


@router.get("/contacts/{contact_id}/notes", summary="What colleagues wrote", **needs(Permission.READ_MESSAGES))
async def read_notes(desk: AtDesk, contact_id: UUID) -> ShownNotes:
    async with desk.reading() as transaction:
        await must_find(desk, transaction, contact_id)
        await desk.opens("notes", contact_id)
        cipher = await desk.cipher(transaction)
        return await _shown_notes(desk, transaction, contact_id, cipher)


@router.put("/contacts/{contact_id}/notes", summary="Write notes", **needs(Permission.EDIT_CONTACTS))
async def write_notes(desk: AtDesk, contact_id: UUID, wanted: NotesChange) -> ShownNotes:
    return await _write_notes(desk, contact_id, wanted)


@router.post("/contacts/{contact_id}/notes", summary="Write notes", **needs(Permission.EDIT_CONTACTS))
async def post_notes(desk: AtDesk, contact_id: UUID, wanted: NotesChange) -> ShownNotes:
    return await _write_notes(desk, contact_id, wanted)


@router.get("/contacts/{contact_id}/score", summary="The score and its ledger", **needs(Permission.VIEW_LEADS))
async def read_score(desk: AtDesk, contact_id: UUID, limit: Limit = 20) -> ShownScore:
    async with desk.reading() as transaction:
        contact = await must_find(desk, transaction, contact_id)
        rows = await contact_book.scores(transaction, desk.tenant_id, contact_id, limit=pages.size(limit))
    return ShownScore(
        lead_score=contact["lead_score"],
        lead_grade=contact["lead_grade"],
        history=[Scored.model_validate(row) for row in rows],
    )


@router.post("/contacts/{contact_id}/merge", summary="Two are one person", **needs(Permission.EDIT_CONTACTS))
async def merge_contacts(desk: AtDesk, contact_id: UUID, wanted: Merge) -> Contact:
    """Chats, messages, notes, consents, campaigns and scores move here; the stricter consent holds. Safe to repeat."""
    if wanted.contact_id == contact_id:
        where = {"where": ["body", "contact_id"], "problem": "is this contact itself", "kind": "same"}
        raise Problem(422, "invalid", "A contact cannot be merged into itself.", errors=[where])
    async with desk.changing("contact.merged", contact_id) as change:
        cipher = await desk.cipher(change.transaction)
        try:
            moved = await contact_merging.merge(
                change.transaction, contact_id, wanted.contact_id, cipher=cipher, at=desk.at
            )
        except MergeRefused as refused:
            raise Problem(409, "conflict", f"{refused}.") from refused
        if moved is None:
            not_found("contact")
        change.detail.update(merged_contact_id=str(wanted.contact_id), moved=moved)
        merged = await shown(desk, change.transaction, contact_id)
    desk.doors.ring()
    return merged


async def _write_notes(desk: Desk, contact_id: UUID, wanted: NotesChange) -> ShownNotes:
    async with desk.changing("contact.notes_written", contact_id) as change:
        await must_find(desk, change.transaction, contact_id)
        cipher = await desk.cipher(change.transaction)
        words = wanted.notes or None
        await contact_book.set_notes(change.transaction, desk.tenant_id, contact_id, words, cipher=cipher)
        if words:
            await contact_notes.add(
                change.transaction,
                contact_id,
                words,
                cipher=cipher,
                author=desk.caller.actor,
                member_id=desk.caller.member_id,
                at=desk.at,
            )
        return await _shown_notes(desk, change.transaction, contact_id, cipher)


async def _shown_notes(desk: Desk, transaction: AsyncConnection, contact_id: UUID, cipher: TenantCipher) -> ShownNotes:
    words = await contact_book.notes(transaction, desk.tenant_id, contact_id, cipher=cipher)
    written = await contact_notes.of_contact(transaction, desk.tenant_id, contact_id, cipher=cipher)
    return ShownNotes.model_validate({"notes": words, "data": written})


async def _set_attributes(desk: Desk, transaction: AsyncConnection, contact_id: UUID, given: Mapping[str, Any]) -> None:
    """Raises Problem for a value that does not fit, and says which."""
    try:
        await contact_attributes.set_values(transaction, desk.tenant_id, contact_id, given)
    except InvalidAttribute as invalid:
        errors = [{"where": ["body", "attributes", invalid.key], "problem": str(invalid), "kind": "value_error"}]
        raise Problem(422, "invalid", f"attributes.{invalid}", errors=errors) from invalid
