"""/contacts/import and /contacts/export: contacts as spreadsheets, in and out."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, Final, Literal
from uuid import UUID, uuid4

from fastapi import Query, Request
from fastapi.responses import StreamingResponse
from sqlalchemy.ext.asyncio import AsyncConnection

from mychatflow.rules import contact_sheet
from mychatflow.rules.contact_filter import ContactFilter
from mychatflow.rules.contact_sheet import TooManyRows, UnreadableSheet
from mychatflow.rules.role import Permission
from mychatflow.store import contact_export, contact_imports, instances
from realtime.api import document
from realtime.api.bodies import Line, Shown
from realtime.api.contacts import Grade
from realtime.api.desk import AtDesk, Desk, not_found
from realtime.api.problems import Problem
from realtime.api.routes import needs, tenant_router

router = tenant_router("contacts")
FILES: Final = ("text/csv",)
_MOST_ISSUES: Final = 1_000
Method = Annotated[
    Line | None, Query(description="How those with opt_in = yes agreed, where their row does not say it.")
]


class Import(Shown):
    """`done_count` of `row_count` rows are read; skipped ones are named in the report."""

    id: UUID
    instance_id: UUID
    state: Literal["pending", "done", "failed"]
    failure: str | None
    opt_in_method: str | None
    row_count: int
    done_count: int
    created_count: int
    updated_count: int
    skipped_count: int
    created_by: str
    created_at: datetime
    finished_at: datetime | None


class RowIssue(Shown):
    row: int
    column: str
    problem: str


class Report(Shown):
    """By row as the spreadsheet counts them; `next_row` asks for what follows."""

    data: tuple[RowIssue, ...]
    next_row: int | None


@router.post(
    "/contacts/import",
    status_code=202,
    summary="Read a spreadsheet in",
    **needs(Permission.IMPORT_CONTACTS, takes_files=FILES),
)
async def import_contacts(
    desk: AtDesk, request: Request, instance_id: UUID | None = None, opt_in_method: Method = None
) -> Import:
    """CSV in UTF-8 or UTF-16, with commas, semicolons or tabs, at most 50,000 rows and 10 MB.

    Columns: phone (needed), name, tags (separated by semicolons), language, timezone, opt_in, opt_in_method,
    opted_in_at and attributes.<key>; others are not read. What is empty changes nothing.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() not in FILES:
        raise Problem(415, "unsupported_media_type", "The body must be the file itself, as text/csv.")
    body = await request.body()
    row_count = await asyncio.to_thread(_counted, body)
    async with desk.changing("contacts.import_started") as change:
        number = await _number(desk, change.transaction, instance_id)
        made = await contact_imports.create(
            change.transaction,
            uuid4(),
            body,
            cipher=await desk.cipher(change.transaction),
            instance_id=number,
            opt_in_method=opt_in_method,
            row_count=row_count,
            created_by=desk.caller.actor,
            at=desk.at,
        )
        change.subject = str(made["id"])
        change.detail["row_count"] = row_count
    return Import.model_validate(made)


@router.get("/contacts/imports/{import_id}", summary="How far it is", **needs(Permission.IMPORT_CONTACTS))
async def read_import(desk: AtDesk, import_id: UUID) -> Import:
    async with desk.reading() as transaction:
        found = await contact_imports.by_id(transaction, desk.tenant_id, import_id)
    return Import.model_validate(found or not_found("import"))


@router.get("/contacts/imports/{import_id}/report", summary="What was wrong", **needs(Permission.IMPORT_CONTACTS))
async def read_report(desk: AtDesk, import_id: UUID, after: Annotated[int, Query(ge=0, le=1 << 30)] = 0) -> Report:
    async with desk.reading() as transaction:
        if await contact_imports.by_id(transaction, desk.tenant_id, import_id) is None:
            not_found("import")
        rows = await contact_imports.issues(transaction, desk.tenant_id, import_id, after=after, limit=_MOST_ISSUES)
    is_more = len(rows) == _MOST_ISSUES
    # A row's issues stay together: the last one's may go on behind the cut.
    whole = [row for row in rows if not is_more or row["row"] != rows[-1]["row"]] or rows
    return Report.model_validate({"data": whole, "next_row": whole[-1]["row"] if is_more else None})


@router.get(
    "/contacts/export",
    summary="All contacts as a spreadsheet",
    response_class=StreamingResponse,
    responses=document.file("text/csv"),
    **needs(Permission.EXPORT_DATA),
)
async def export_contacts(
    desk: AtDesk, grade: Grade | None = None, tag: Annotated[str | None, Query(min_length=1, max_length=50)] = None
) -> StreamingResponse:
    """CSV that no spreadsheet runs and an import reads back; streamed, however many they are."""
    wanted = ContactFilter(grades=(grade,) if grade else (), tags_all=(tag,) if tag else ())
    async with desk.changing("contacts.exported") as change:
        change.detail.update(grade=grade, tag=tag)
    headers = {"content-disposition": 'attachment; filename="contacts.csv"', "cache-control": "no-store"}
    return StreamingResponse(_pieces(desk, wanted), media_type="text/csv; charset=utf-8", headers=headers)


async def _pieces(desk: Desk, wanted: ContactFilter) -> AsyncIterator[bytes]:
    async with desk.reading() as transaction:
        async for piece in contact_export.pieces(transaction, desk.tenant_id, wanted, at=desk.at):
            yield piece


def _counted(body: bytes) -> int:
    """The rows of a file that can be read to its end; raises Problem."""
    try:
        return sum(1 for _ in contact_sheet.rows(contact_sheet.decoded(body)))
    except TooManyRows as many:
        raise Problem(413, "too_many_rows", f"{str(many).capitalize()}.") from many
    except UnreadableSheet as unreadable:
        raise Problem(422, "unreadable_file", f"{unreadable}.", row=unreadable.row) from unreadable


async def _number(desk: Desk, transaction: AsyncConnection, instance_id: UUID | None) -> UUID:
    """The number that new contacts belong to: the one named, or the tenant's only or latest."""
    if instance_id is not None:
        if await instances.by_id(transaction, desk.tenant_id, instance_id) is None:
            not_found("instance")
        return instance_id
    window = {"before_at": None, "before_id": None, "limit": 1}
    found = await instances.page(transaction, desk.tenant_id, **window)
    if not found:
        raise Problem(409, "no_number", "Connect a WhatsApp number first: contacts belong to one.")
    return UUID(str(found[0]["id"]))
