"""How a page teaches the agent: each change of the knowledge, by permission and on record."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePath
from typing import Any, Final, TypedDict
from uuid import UUID

from dashboards import changes
from dashboards.changes import NotDone
from dashboards.viewer import Viewer
from mychatflow.rules.role import Permission
from mychatflow.store import documents, quick_replies, row_lock, unanswered
from mychatflow.store.cipher import TenantCipher
from mychatflow.store.on_record import Change

_LANGUAGE: Final = re.compile(r"[a-z]{2}")
_LONGEST_TITLE: Final = 200
LARGEST_MB: Final = 10
KINDS: Final = ("txt", "md", "pdf", "docx")


class _Columns(TypedDict):
    title: str
    body: str
    language: str
    tags: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A quick reply as somebody typed it; tags are separated by commas."""

    title: str
    body: str
    language: str
    tags: str
    is_active: bool

    def checked(self) -> _Columns:
        """Its columns. Raises NotDone naming the field that is wrong."""
        title, body, language = (_clean(value) for value in (self.title, self.body, self.language.lower()))
        if not title or not body:
            raise NotDone("a quick reply needs a title and a text.")
        if not _LANGUAGE.fullmatch(language):
            raise NotDone(f"{language or 'nothing'} is no language code of two letters, such as en.")
        tags = list(dict.fromkeys(tag for each in self.tags.split(",") if (tag := _clean(each)[:50])))
        return _Columns(title=title[:_LONGEST_TITLE], body=body, language=language, tags=tags[:50])


def new_text(looking: Viewer, wanted: Text) -> bool:
    async def work(change: Change, cipher: TenantCipher, _by: Viewer, _at: datetime) -> None:
        made = await quick_replies.create(change.transaction, cipher.tenant_id, **wanted.checked())
        change.subject = str(made["id"])

    return changes.make(looking, Permission.MANAGE_KNOWLEDGE, "quick_reply.created", None, work)


def change_text(looking: Viewer, shown: Mapping[str, Any], wanted: Text) -> bool:
    text_id: UUID = shown["id"]

    async def work(change: Change, cipher: TenantCipher, _by: Viewer, _at: datetime) -> None:
        await row_lock.hold(change.transaction, cipher.tenant_id, "quick_replies", text_id)
        known = await quick_replies.by_id(change.transaction, cipher.tenant_id, text_id)
        if known is None:
            raise NotDone("somebody deleted this text meanwhile.")
        changes.refuse_stale(shown, known)
        await quick_replies.change(
            change.transaction, cipher.tenant_id, text_id, **wanted.checked(), is_active=wanted.is_active
        )

    return changes.make(looking, Permission.MANAGE_KNOWLEDGE, "quick_reply.changed", text_id, work)


def delete_text(looking: Viewer, text_id: UUID) -> bool:
    async def work(change: Change, cipher: TenantCipher, _by: Viewer, _at: datetime) -> None:
        await quick_replies.delete(change.transaction, cipher.tenant_id, text_id)

    return changes.make(looking, Permission.MANAGE_KNOWLEDGE, "quick_reply.deleted", text_id, work)


def upload(looking: Viewer, name: str, body: bytes, *, language: str) -> bool:
    """The file waits sealed until a worker reads it."""

    async def work(change: Change, cipher: TenantCipher, _by: Viewer, at: datetime) -> None:
        kind = PurePath(name).suffix.lstrip(".").lower()
        if kind not in KINDS:
            raise NotDone(f"{name[:_LONGEST_TITLE]} is none of the kinds that can be read: {', '.join(KINDS)}.")
        if not body:
            raise NotDone("the file is empty.")
        if len(body) > LARGEST_MB << 20:
            raise NotDone(f"the file has {len(body) / (1 << 20):.1f} MB; at most {LARGEST_MB} are taken.")
        await _refuse_too_many(change, cipher)
        made = await documents.create(
            change.transaction,
            cipher.tenant_id,
            title=_clean(PurePath(name).stem)[:_LONGEST_TITLE] or "Document",
            kind=kind,
            language=language,
            at=at,
            body=body,
            cipher=cipher,
        )
        change.subject = str(made["id"])

    return changes.make(looking, Permission.MANAGE_KNOWLEDGE, "document.uploaded", None, work)


def add_page(looking: Viewer, address: str, *, language: str) -> bool:
    """A public page; the worker that fetches it refuses any other, and says why beside it."""

    async def work(change: Change, cipher: TenantCipher, _by: Viewer, at: datetime) -> None:
        url = _clean(address)
        if not url.startswith(("https://", "http://")) or len(url) > 2_000:
            raise NotDone("the address must begin with https:// or http://.")
        await _refuse_too_many(change, cipher)
        made = await documents.create(
            change.transaction,
            cipher.tenant_id,
            title=url.partition("://")[2][:_LONGEST_TITLE],
            kind="url",
            language=language,
            at=at,
            source_url=url,
        )
        change.subject = str(made["id"])

    return changes.make(looking, Permission.MANAGE_KNOWLEDGE, "document.urls_added", None, work)


def delete_document(looking: Viewer, document_id: UUID) -> bool:
    async def work(change: Change, cipher: TenantCipher, _by: Viewer, _at: datetime) -> None:
        await documents.delete(change.transaction, cipher.tenant_id, document_id)

    return changes.make(looking, Permission.MANAGE_KNOWLEDGE, "document.deleted", document_id, work)


def answer(looking: Viewer, question_id: UUID, wanted: Text) -> bool:
    """The question becomes a quick reply; the agent knows it with the next message."""

    async def work(change: Change, cipher: TenantCipher, _by: Viewer, at: datetime) -> None:
        made = await quick_replies.create(change.transaction, cipher.tenant_id, **wanted.checked())
        if not await unanswered.settle(
            change.transaction, cipher.tenant_id, question_id, at=at, quick_reply_id=made["id"]
        ):
            raise NotDone("a colleague dealt with this question just now.")

    return changes.make(looking, Permission.MANAGE_KNOWLEDGE, "question.answered", question_id, work)


def dismiss(looking: Viewer, question_id: UUID) -> bool:
    async def work(change: Change, cipher: TenantCipher, _by: Viewer, at: datetime) -> None:
        await unanswered.settle(change.transaction, cipher.tenant_id, question_id, at=at)

    return changes.make(looking, Permission.MANAGE_KNOWLEDGE, "question.dismissed", question_id, work)


async def _refuse_too_many(change: Change, cipher: TenantCipher) -> None:
    if await documents.count(change.transaction, cipher.tenant_id) >= documents.MOST_DOCUMENTS:
        raise NotDone(f"a workspace has at most {documents.MOST_DOCUMENTS} documents; forget some first.")


def _clean(value: str) -> str:
    """Postgres has no text with a NUL character."""
    return value.replace("\x00", "").strip()
