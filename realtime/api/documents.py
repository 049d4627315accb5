"""/documents: the files and pages that the agent answers from."""

from datetime import datetime
from typing import Annotated, Final, Literal
from uuid import UUID

from fastapi import Query, Request
from pydantic import Field, StringConstraints

from mychatflow.rules.role import Permission
from mychatflow.store import documents, tenant_settings
from mychatflow.store.documents import MOST_DOCUMENTS
from mychatflow.store.on_record import Change
from realtime.api import pages, problems
from realtime.api.bodies import Body, LanguageCode, Line, Shown
from realtime.api.desk import AtDesk, Desk, not_found
from realtime.api.pages import Cursor, Limit, Page
from realtime.api.problems import Problem
from realtime.api.routes import needs, tenant_router
from realtime.channels import public_web
from realtime.channels.public_web import AddressRefused

router = tenant_router("documents")
Kind = Literal["txt", "md", "pdf", "docx", "url"]
FILES: Final = {
    "text/plain": "txt",
    "text/markdown": "md",
    "application/pdf": "pdf",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
}
Url = Annotated[str, StringConstraints(strip_whitespace=True, min_length=8, max_length=2_000)]
Urls = Annotated[tuple[Url, ...], Field(min_length=1, max_length=50)]
_SHOWN_PASSAGES: Final = 200


class Document(Shown):
    """`failure` says why the latest reading did not work; what was read before goes on answering."""

    id: UUID
    title: str
    kind: Kind
    source_url: str | None
    language: str
    status: Literal["pending", "ready", "failed"]
    failure: str | None
    version: int
    byte_size: int | None
    chunk_count: int
    created_at: datetime
    updated_at: datetime


class Passage(Shown):
    position: int
    heading: str | None
    body: str


class ReadDocument(Document):
    """With its first passages."""

    passages: tuple[Passage, ...]


class DocumentList(Shown):
    data: tuple[Document, ...]


class Addresses(Body):
    urls: Urls
    language: LanguageCode | None = None


class DocumentChange(Body):
    """What is null or absent stays."""

    title: Line | None = None
    language: LanguageCode | None = None


Title = Annotated[Line, Query(description="How customers' answers name it.")]
Language = Annotated[LanguageCode | None, Query(description="The tenant's default when absent.")]


@router.get("/documents", summary="All documents, newest first", **needs(Permission.VIEW_CONVERSATIONS))
async def list_documents(desk: AtDesk, limit: Limit = 50, cursor: Cursor = None) -> Page[Document]:
    window = pages.opened(desk, "documents", cursor)
    async with desk.reading() as transaction:
        rows = await documents.page(transaction, desk.tenant_id, **window, limit=pages.size(limit) + 1)
    return pages.page(desk, "documents", Document, rows, limit=limit, by=("created_at", "id"))


@router.post(
    "/documents",
    status_code=202,
    summary="Upload a file",
    **needs(Permission.MANAGE_KNOWLEDGE, takes_files=tuple(FILES)),
)
async def upload_document(desk: AtDesk, request: Request, title: Title, language: Language = None) -> Document:
    """The body is the file itself, at most 10 MB; a worker reads it within seconds: see `status`."""
    kind, body = await _file(request)
    async with desk.changing("document.uploaded") as change:
        await _refuse_too_many(desk, change, 1)
        made = await documents.create(
            change.transaction,
            desk.tenant_id,
            title=title,
            kind=kind,
            language=await _language(desk, change, language),
            at=desk.at,
            body=body,
            cipher=await desk.cipher(change.transaction),
        )
        change.subject = str(made["id"])
    return Document.model_validate(made)


@router.post("/documents/urls", status_code=202, summary="Read web pages", **needs(Permission.MANAGE_KNOWLEDGE))
async def add_pages(desk: AtDesk, wanted: Addresses) -> DocumentList:
    """Public pages alone; each becomes a document of its own."""
    for place, url in enumerate(wanted.urls):
        try:
            public_web.check(url)
        except AddressRefused as refused:
            raise problems.invalid(("body", "urls", place), str(refused)) from refused
    async with desk.changing("document.urls_added") as change:
        await _refuse_too_many(desk, change, len(wanted.urls))
        language = await _language(desk, change, wanted.language)
        made = [
            await documents.create(
                change.transaction,
                desk.tenant_id,
                title=url.partition("://")[2][:200],
                kind="url",
                language=language,
                at=desk.at,
                source_url=url,
            )
            for url in dict.fromkeys(wanted.urls)
        ]
        change.detail["count"] = len(made)
    return DocumentList(data=tuple(Document.model_validate(each) for each in made))


@router.get("/documents/{document_id}", summary="One document and its passages", **needs(Permission.VIEW_CONVERSATIONS))
async def read_document(desk: AtDesk, document_id: UUID) -> ReadDocument:
    async with desk.reading() as transaction:
        found = await documents.by_id(transaction, desk.tenant_id, document_id)
        if found is None:
            not_found("document")
        cuts = await documents.passages_of(transaction, desk.tenant_id, document_id, limit=_SHOWN_PASSAGES)
    return ReadDocument.model_validate({**found, "passages": cuts})


@router.patch("/documents/{document_id}", summary="Rename a document", **needs(Permission.MANAGE_KNOWLEDGE))
async def change_document(desk: AtDesk, document_id: UUID, wanted: DocumentChange) -> Document:
    async with desk.changing("document.changed", document_id) as change:
        now = await documents.change(
            change.transaction, desk.tenant_id, document_id, title=wanted.title, language=wanted.language
        )
        if now is None:
            not_found("document")
    return Document.model_validate(now)


@router.put(
    "/documents/{document_id}/file",
    status_code=202,
    summary="A new version of a file",
    **needs(Permission.MANAGE_KNOWLEDGE, takes_files=tuple(FILES)),
)
async def replace_file(desk: AtDesk, document_id: UUID, request: Request) -> Document:
    """The passages of the old version answer until the new one is read."""
    async with desk.changing("document.replaced", document_id) as change:
        found = await documents.by_id(change.transaction, desk.tenant_id, document_id)
        if found is None:
            not_found("document")
        kind, body = await _file(request)
        if kind != found["kind"]:
            raise Problem(409, "other_kind", f"This document is a {found['kind']}; upload a {kind} as a new one.")
        now = await documents.replace(
            change.transaction,
            desk.tenant_id,
            document_id,
            at=desk.at,
            body=body,
            cipher=await desk.cipher(change.transaction),
        )
    return Document.model_validate(now)


@router.post(
    "/documents/{document_id}/refresh", status_code=202, summary="Fetch again", **needs(Permission.MANAGE_KNOWLEDGE)
)
async def refresh_document(desk: AtDesk, document_id: UUID) -> Document:
    async with desk.changing("document.refreshed", document_id) as change:
        found = await documents.by_id(change.transaction, desk.tenant_id, document_id)
        if found is None:
            not_found("document")
        if found["source_url"] is None:
            raise Problem(409, "no_address", "Only web pages can be fetched again; upload a new file instead.")
        now = await documents.replace(change.transaction, desk.tenant_id, document_id, at=desk.at)
    return Document.model_validate(now)


@router.delete(
    "/documents/{document_id}", status_code=204, summary="Forget a document", **needs(Permission.MANAGE_KNOWLEDGE)
)
async def delete_document(desk: AtDesk, document_id: UUID) -> None:
    async with desk.changing("document.deleted", document_id) as change:
        if not await documents.delete(change.transaction, desk.tenant_id, document_id):
            not_found("document")


async def _file(request: Request) -> tuple[str, bytes]:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in FILES:
        raise Problem(415, "unsupported_media_type", f"Content-Type must be one of {', '.join(FILES)}.")
    body = await request.body()
    if not body:
        raise problems.invalid(("body",), "must be the file itself; it is empty")
    return FILES[media_type], body


async def _language(desk: Desk, change: Change, wanted: str | None) -> str:
    if wanted is not None:
        return wanted
    settings = await tenant_settings.read(change.transaction, desk.tenant_id) or {}
    return str(settings.get("default_language") or "en")


async def _refuse_too_many(desk: Desk, change: Change, more: int) -> None:
    if await documents.count(change.transaction, desk.tenant_id) + more > MOST_DOCUMENTS:
        raise Problem(409, "too_many_documents", f"A tenant has at most {MOST_DOCUMENTS}; delete some first.")
