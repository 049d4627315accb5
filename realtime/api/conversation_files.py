"""/conversations: the file of a message, and a colleague's own picture, voice note or document."""

import asyncio
from typing import Annotated
from uuid import UUID

from fastapi import Query, Request, Response

from mychatflow.rules import attachment, file_kinds
from mychatflow.rules.attachment import LONGEST_CAPTION, TAKEN, Attachment, AttachmentRefused
from mychatflow.rules.role import Permission
from mychatflow.store import colleagues, human_replies, media_files, media_vault
from mychatflow.store.cipher import TenantCipher
from mychatflow.store.human_replies import SentFile
from mychatflow.store.media_vault import MediaVault
from realtime.api import document, problems
from realtime.api.contacts import must_find
from realtime.api.conversations import Queued, reply_id_of
from realtime.api.desk import AtDesk, Desk, not_found
from realtime.api.problems import Problem
from realtime.api.routes import needs, tenant_router

router = tenant_router("conversations")
Caption = Annotated[str, Query(max_length=LONGEST_CAPTION, description="The words below it; none for a voice note.")]
Filename = Annotated[str, Query(max_length=255, description="What the customer sees a document called.")]
AsFile = Annotated[bool, Query(description="A picture or recording unaltered, as a document.")]


@router.get(
    "/conversations/{contact_id}/messages/{message_id}/media",
    summary="The file of a message",
    response_class=Response,
    responses=document.file(*sorted(file_kinds.PICTURES), file_kinds.UNKNOWN),
    **needs(Permission.READ_MESSAGES),
)
async def read_media(desk: AtDesk, contact_id: UUID, message_id: UUID) -> Response:
    """Pictures may be shown; everything else is a download, since a customer may send anything."""
    async with desk.reading() as transaction:
        found = await media_files.of_message(transaction, desk.tenant_id, contact_id, message_id)
        cipher = await desk.cipher(transaction)
    data = await asyncio.to_thread(_vault(desk).load, cipher, message_id) if found else None
    if found is None or data is None:
        not_found("file")
    kind, headers = file_kinds.served(data, str(message_id))
    return Response(data, media_type=kind, headers=headers)


@router.post(
    "/conversations/{contact_id}/files",
    status_code=202,
    summary="Send a picture, voice note or document by hand",
    **needs(Permission.REPLY, takes_files=TAKEN),
)
async def send_file(
    desk: AtDesk,
    contact_id: UUID,
    request: Request,
    caption: Caption = "",
    filename: Filename = "",
    as_file: AsFile = False,
) -> Queued:
    """The body is the file itself, at most 10 MB. It is kept sealed, as long as customers' files are."""
    body = await request.body()
    # Nothing that Postgres cannot store.
    words = caption.replace("\x00", "").strip()
    sent = _judged(request, body, caption=words, filename=filename, as_file=as_file)
    reply_id = reply_id_of(desk, request)
    async with desk.reading() as transaction:
        await must_find(desk, transaction, contact_id)
        cipher = await desk.cipher(transaction)
    # The bytes first: a message whose file is missing could never be sent.
    await _keep(desk, cipher, human_replies.message_id_of(desk.tenant_id, reply_id), body)
    async with desk.changing("conversation.file_sent", contact_id) as change:
        message_id = await colleagues.answer(
            change.transaction,
            await must_find(desk, change.transaction, contact_id),
            words,
            cipher=cipher,
            reply_id=reply_id,
            at=desk.at,
            member_id=desk.caller.member_id,
            file=SentFile(attachment=sent, byte_size=len(body)),
        )
        change.detail["message_id"] = str(message_id)
    desk.doors.ring()
    return Queued(id=message_id)


def _judged(request: Request, body: bytes, *, caption: str, filename: str, as_file: bool) -> Attachment:
    mimetype = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if mimetype not in TAKEN:
        raise Problem(415, "unsupported_media_type", f"Content-Type must be one of {', '.join(TAKEN)}.")
    try:
        return attachment.judge(body, mimetype=mimetype, filename=filename, caption=caption, as_file=as_file)
    except AttachmentRefused as refused:
        where = ("body",) if refused.field == "body" else ("query", refused.field)
        raise problems.invalid(where, str(refused)) from refused


async def _keep(desk: Desk, cipher: TenantCipher, message_id: UUID, body: bytes) -> None:
    try:
        await asyncio.to_thread(_vault(desk).save, cipher, message_id, body)
    except OSError as error:
        wait = {"retry-after": "10"}
        raise Problem(503, "media_store_unavailable", "Files cannot be kept now; try again.", headers=wait) from error


def _vault(desk: Desk) -> MediaVault:
    return media_vault.opened(desk.doors.settings)
