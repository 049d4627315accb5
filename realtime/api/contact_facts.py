"""/contact-attributes, /segments and a contact's consents: what a tenant knows of people, and how it finds them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Path, Query
from pydantic import AwareDatetime, Field, StringConstraints, field_validator

from mychatflow.rules.attributes import AttributeType, Definition
from mychatflow.rules.contact_filter import ContactFilter
from mychatflow.rules.role import Permission
from mychatflow.store import consents, contact_attributes, contact_book, contact_filters, segments
from realtime.api import filters, pages, problems
from realtime.api.bodies import Body, Line, Shown, Tag
from realtime.api.contacts import Contact, must_find
from realtime.api.desk import AtDesk, not_found
from realtime.api.pages import Cursor, Limit, Page
from realtime.api.problems import Problem
from realtime.api.routes import needs, tenant_router

router = tenant_router("contacts")
_KEY = r"^[a-z][a-z0-9_]{0,49}$"
Key = Annotated[str, StringConstraints(pattern=_KEY)]
_EDIT = needs(Permission.MANAGE_SETTINGS)
_SEE = needs(Permission.VIEW_LEADS)


class NewAttribute(Body):
    """Choices are for the type choice alone."""

    key: Key
    label: Line
    type: AttributeType
    choices: Annotated[tuple[Tag, ...], Field(max_length=100)] = ()

    @field_validator("choices")
    @classmethod
    def _distinct(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(value))


class Attribute(Shown):
    key: str
    label: str
    type: AttributeType
    choices: tuple[str, ...]
    created_at: datetime


class AttributeList(Shown):
    data: tuple[Attribute, ...]


class NewSegment(Body):
    name: Line
    filter: ContactFilter


class SegmentChange(Body):
    """What is absent stays."""

    name: Line | None = None
    filter: ContactFilter | None = None


class Segment(Shown):
    id: UUID
    name: str
    filter: dict[str, Any]
    created_at: datetime
    updated_at: datetime


class SegmentList(Shown):
    data: tuple[Segment, ...]


class NewConsent(Body):
    """`method` says how the person said it: a form, a call, a card at the till."""

    kind: Literal["opt_in", "opt_out"]
    method: Line
    recorded_at: AwareDatetime | None = Field(None, description="Now, where it is not given or is still to come.")


class Consent(Shown):
    id: UUID
    kind: Literal["opt_in", "opt_out"]
    method: str
    message_id: str | None
    recorded_at: datetime


class ConsentList(Shown):
    """Latest first; the first one counts."""

    data: tuple[Consent, ...]


@router.get("/contact-attributes", summary="The tenant's own attributes", **_SEE)
async def list_attributes(desk: AtDesk) -> AttributeList:
    async with desk.reading() as transaction:
        rows = await contact_attributes.all_of(transaction, desk.tenant_id)
    return AttributeList.model_validate({"data": rows})


@router.post("/contact-attributes", status_code=201, summary="Define an attribute", **_EDIT)
async def define_attribute(desk: AtDesk, wanted: NewAttribute) -> Attribute:
    """Its type is for good: contacts have values of it."""
    if (wanted.type == "choice") != bool(wanted.choices):
        raise problems.invalid(("body", "choices"), "needed for the type choice, and for no other")
    async with desk.changing("contact_attribute.defined", wanted.key) as change:
        if len(await contact_attributes.keys(change.transaction, desk.tenant_id)) >= contact_attributes.MOST:
            raise Problem(409, "too_many", f"A tenant has at most {contact_attributes.MOST} attributes.")
        definition = Definition(key=wanted.key, type=wanted.type, choices=wanted.choices)
        made = await contact_attributes.define(change.transaction, desk.tenant_id, definition, label=wanted.label)
        if made is None:
            raise Problem(409, "taken", f"There is an attribute {wanted.key} already.")
    return Attribute.model_validate(made)


@router.delete(
    "/contact-attributes/{attribute_key}", status_code=204, summary="Forget an attribute and its values", **_EDIT
)
async def forget_attribute(
    desk: AtDesk,
    attribute_key: Annotated[str, Path(pattern=_KEY)],
    force: Annotated[bool, Query(description="Also one that is in use.")] = False,
) -> None:
    """409 `in_use` with the `uses` that ask for it; with `force` it goes all the same.

    A campaign that asks for it then stops, and a filter asks for a value that nobody has.
    """
    async with desk.changing("contact_attribute.forgotten", attribute_key) as change:
        uses = await contact_attributes.uses(change.transaction, desk.tenant_id, attribute_key)
        if not await contact_attributes.forget(change.transaction, desk.tenant_id, attribute_key):
            not_found("attribute")
        if uses and not force:
            named = ", ".join(f"{len(each)} {kind.replace('_', ' ')}" for kind, each in uses.items())
            raise Problem(409, "in_use", f"Asked for by {named}: change those, or send `force=true`.", uses=uses)
        change.detail["used_by"] = {kind: [each["id"] for each in found] for kind, found in uses.items()}


@router.get("/segments", summary="Saved filters", **_SEE)
async def list_segments(desk: AtDesk) -> SegmentList:
    async with desk.reading() as transaction:
        rows = await segments.all_of(transaction, desk.tenant_id)
    return SegmentList.model_validate({"data": rows})


@router.post("/segments", status_code=201, summary="Save a filter", **needs(Permission.EDIT_CONTACTS))
async def create_segment(desk: AtDesk, wanted: NewSegment) -> Segment:
    async with desk.changing("segment.created") as change:
        definitions = await contact_attributes.definitions(change.transaction, desk.tenant_id)
        filters.refuse_unknown(definitions, wanted.filter, where=("body", "filter"))
        made = await segments.create(
            change.transaction,
            desk.tenant_id,
            name=wanted.name,
            filter_json=contact_filters.written(wanted.filter),
        )
        if made is None:
            raise Problem(409, "taken", f"This name is taken, or there are {segments.MOST} segments already.")
        change.subject = str(made["id"])
    return Segment.model_validate(made)


@router.get("/segments/{segment_id}", summary="One saved filter", **_SEE)
async def read_segment(desk: AtDesk, segment_id: UUID) -> Segment:
    return Segment.model_validate(await _segment(desk, segment_id))


@router.patch("/segments/{segment_id}", summary="Change a saved filter", **needs(Permission.EDIT_CONTACTS))
async def change_segment(desk: AtDesk, segment_id: UUID, wanted: SegmentChange) -> Segment:
    async with desk.changing("segment.changed", segment_id) as change:
        if wanted.filter is not None:
            definitions = await contact_attributes.definitions(change.transaction, desk.tenant_id)
            filters.refuse_unknown(definitions, wanted.filter, where=("body", "filter"))
        try:
            now = await segments.change(
                change.transaction,
                desk.tenant_id,
                segment_id,
                name=wanted.name,
                filter_json=contact_filters.written(wanted.filter) if wanted.filter else None,
            )
        except segments.NameTaken as taken:
            raise Problem(409, "taken", "Another segment has this name.") from taken
        if now is None:
            not_found("segment")
    return Segment.model_validate(now)


@router.delete("/segments/{segment_id}", status_code=204, summary="Forget it", **needs(Permission.EDIT_CONTACTS))
async def delete_segment(desk: AtDesk, segment_id: UUID) -> None:
    """Its contacts stay."""
    async with desk.changing("segment.deleted", segment_id) as change:
        if not await segments.delete(change.transaction, desk.tenant_id, segment_id):
            not_found("segment")


@router.get("/segments/{segment_id}/contacts", summary="Whom it means now, most recent first", **_SEE)
async def list_segment(desk: AtDesk, segment_id: UUID, limit: Limit = 50, cursor: Cursor = None) -> Page[Contact]:
    name = f"segment:{segment_id}"
    window = pages.opened(desk, name, cursor)
    wanted = contact_filters.read((await _segment(desk, segment_id))["filter"])
    async with desk.reading() as transaction:
        rows = await contact_book.matching(
            transaction, desk.tenant_id, wanted, at=desk.at, **window, limit=pages.size(limit) + 1
        )
    return pages.page(desk, name, Contact, rows, limit=limit, by=("recency", "id"))


@router.get("/contacts/{contact_id}/consents", summary="Every yes and no", **needs(Permission.VIEW_CONVERSATIONS))
async def list_consents(desk: AtDesk, contact_id: UUID) -> ConsentList:
    async with desk.reading() as transaction:
        await must_find(desk, transaction, contact_id)
        rows = await consents.history(transaction, desk.tenant_id, contact_id)
    return ConsentList.model_validate({"data": rows})


@router.post(
    "/contacts/{contact_id}/consents",
    status_code=201,
    summary="Write down a yes or a no",
    **needs(Permission.EDIT_CONTACTS),
)
async def record_consent(desk: AtDesk, contact_id: UUID, wanted: NewConsent) -> ConsentList:
    """A no stops at once whatever is queued or planned."""
    at = min(wanted.recorded_at or desk.at, desk.at)
    async with desk.changing(f"contact.{wanted.kind}", contact_id) as change:
        contact = await must_find(desk, change.transaction, contact_id)
        await consents.record(change.transaction, desk.tenant_id, contact, wanted.kind, method=wanted.method, at=at)
        rows = await consents.history(change.transaction, desk.tenant_id, contact_id)
    return ConsentList.model_validate({"data": rows})


async def _segment(desk: AtDesk, segment_id: UUID) -> Mapping[str, Any]:
    async with desk.reading() as transaction:
        return await segments.by_id(transaction, desk.tenant_id, segment_id) or not_found("segment")
