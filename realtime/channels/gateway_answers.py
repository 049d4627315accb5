"""What each answer of a WhatsApp gateway means: pure readings of a status and a body."""

import base64
import binascii
import io
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, Literal

import msgspec
import segno

from realtime.channels.gateway_types import (
    Account,
    ChatSummary,
    FailureKind,
    GatewayFailed,
    HistoryMessage,
    QrCode,
    SendKind,
    SendOutcome,
    SessionState,
    SessionStatus,
    bare_message_id,
)

# Engines put WhatsApp's code into the text of a 500: "2 UNKNOWN: server returned error 463".
_RESTRICTED: Final = re.compile(
    r"error:?\s+(?:code:?\s+)?(463|475)\b|reach-?out.?time-?lock|account has been restricted", re.IGNORECASE
)
_SAFE_DETAIL: Final = 160


def read_send(status: int, body: bytes, *, asked_id: str | None = None, is_cut: bool = False) -> SendOutcome:
    """What became of a message, from the answer to sendText, sendImage, sendFile or sendVoice."""
    if 200 <= status < 300:
        return _accepted(status, body, asked_id=asked_id, is_cut=is_cut)
    document = _document(body)
    if status in {463, 475} or _is_restricted(document):
        return SendOutcome(kind=SendKind.RESTRICTED, message_id=asked_id, detail=f"status {status}: number restricted")
    return SendOutcome(kind=_refusal(status, document), message_id=asked_id, detail=_detail(status, document))


def _accepted(status: int, body: bytes, *, asked_id: str | None, is_cut: bool) -> SendOutcome:
    sent_id = None if is_cut else _sent_id(_document(body))
    if sent_id is None:
        reason = "answer too long" if is_cut else "answer unreadable or without an id"
        return SendOutcome(kind=SendKind.AMBIGUOUS, message_id=asked_id, detail=f"status {status}: {reason}")
    return SendOutcome(kind=SendKind.SENT, message_id=sent_id)


def _refusal(status: int, document: object) -> SendKind:
    if status in {401, 403}:
        return SendKind.AUTH_FAILED
    if status == 404 or (status == 422 and _is_about_session(document)):
        return SendKind.SESSION_DOWN
    # A redirect or a "slow down" says that nothing was done; a timeout or a fault may have come after delivery.
    if status in {425, 429} or 300 <= status < 400:
        return SendKind.REJECTED_RETRY
    if status == 408 or status >= 500:
        return SendKind.AMBIGUOUS
    return SendKind.REJECTED_FINAL


def failure(status: int, body: bytes) -> GatewayFailed:
    """The refusal of anything but a send, as an error of our own."""
    document = _document(body)
    return GatewayFailed(_failure_kind(status, document), status=status, detail=_detail(status, document))


def _failure_kind(status: int, document: object) -> FailureKind:
    if status in {401, 403}:
        return "auth_failed"
    if status == 404:
        return "no_session"
    if status == 422:
        if _is_about_session(document):
            return "not_ready"
        return "exists" if "already" in _message(document) else "refused"
    return "gateway_error" if status >= 500 else "refused"


def read_session(body: bytes) -> SessionState:
    document = _mapping(body)
    try:
        status = SessionStatus(document.get("status", ""))
    except ValueError as error:
        raise GatewayFailed("unreadable", detail="session without a known status") from error
    return SessionState(name=str(document.get("name", "")), status=status, account=_account(document.get("me")))


def read_account(body: bytes) -> Account | None:
    """The paired account; an empty answer means that nobody is paired."""
    return _account(_document(body)) if body.strip() else None


def read_history(body: bytes, *, chat_id: str, order: Literal["asc", "desc"]) -> tuple[HistoryMessage, ...]:
    """The chat's messages, oldest first; rows without an id or a time are left out."""
    rows = [_history_message(row, chat_id) for row in _rows(body)]
    if order == "desc":
        # Those of one second must turn round too.
        rows.reverse()
    return tuple(sorted((row for row in rows if row), key=lambda row: row.sent_at))


def read_chats(body: bytes) -> tuple[ChatSummary, ...]:
    return tuple(
        ChatSummary(chat_id=row["id"], last_message_at=read_time((row.get("lastMessage") or {}).get("timestamp")))
        for row in _rows(body)
        if isinstance(row.get("id"), str) and isinstance(row.get("lastMessage") or {}, dict)
    )


def read_lids(body: bytes) -> dict[str, str]:
    """From hidden id (LID) to phone id."""
    rows = ((row.get("lid"), row.get("pn")) for row in _rows(body))
    return {lid: phone for lid, phone in rows if isinstance(lid, str) and isinstance(phone, str)}


def read_qr(mimetype: str, body: bytes) -> QrCode:
    """The picture itself, a picture inside JSON, or the bare text that we draw: versions differ."""
    if mimetype.startswith("image/"):
        return QrCode(mimetype=mimetype, data=body)
    document = _mapping(body)
    data, value = document.get("data"), document.get("value")
    try:
        if isinstance(data, str):
            return QrCode(
                mimetype=str(document.get("mimetype") or "image/png"), data=base64.b64decode(data, validate=True)
            )
        if isinstance(value, str) and value:
            drawn = io.BytesIO()
            segno.make(value).save(drawn, kind="png", scale=6)
            return QrCode(mimetype="image/png", data=drawn.getvalue())
    except (binascii.Error, ValueError) as error:
        raise GatewayFailed("unreadable", detail="the code to scan is no picture") from error
    raise GatewayFailed("unreadable", detail="no code to scan in the answer")


def read_time(value: object) -> datetime | None:
    """Seconds or milliseconds as int, float, digits or {low, high, unsigned}: gateways send them all."""
    if isinstance(value, Mapping):
        low, high = value.get("low"), value.get("high", 0)
        value = (high << 32) + (low & 0xFFFFFFFF) if isinstance(low, int) and isinstance(high, int) else None
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        seconds = float(value)
        return datetime.fromtimestamp(seconds / 1000 if seconds > 1e11 else seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _history_message(row: Mapping[str, Any], chat_id: str) -> HistoryMessage | None:
    full_id, sent_at = row.get("id"), read_time(row.get("timestamp"))
    if not isinstance(full_id, str) or sent_at is None:
        return None
    return HistoryMessage(
        id=full_id,
        message_id=bare_message_id(full_id),
        chat_id=chat_id,
        is_from_me=row.get("fromMe") is True,
        text=str(row.get("body") or ""),
        sent_at=sent_at,
        source=row.get("source"),
        payload=row,
    )


def _sent_id(document: object) -> str | None:
    """NOWEB answers `key.id`, GOWS `id`, WEBJS `id._serialized`."""
    if not isinstance(document, Mapping):
        return None
    key, identity = document.get("key"), document.get("id")
    if isinstance(identity, Mapping):
        identity = identity.get("_serialized") or identity.get("id")
    if not isinstance(identity, str) and isinstance(key, Mapping):
        identity = key.get("id")
    return bare_message_id(identity) if isinstance(identity, str) and identity else None


def _account(document: object) -> Account | None:
    if not isinstance(document, Mapping) or not isinstance(document.get("id"), str):
        return None
    return Account(wa_id=document["id"], name=str(document.get("pushName") or ""), lid=document.get("lid"))


def _is_about_session(document: object) -> bool:
    return isinstance(document, Mapping) and ("expected" in document or "Session status" in _message(document))


def _is_restricted(document: object) -> bool:
    return _RESTRICTED.search(_message(document)) is not None


def _message(document: object) -> str:
    """The words of an error answer, wherever this version puts them."""
    if not isinstance(document, Mapping):
        return ""
    exception = document.get("exception")
    inner = exception.get("message") if isinstance(exception, Mapping) else None
    return " ".join(str(part) for part in (document.get("message"), document.get("error"), inner) if part)


def _detail(status: int, document: object) -> str:
    # Digits may be a customer's number: the cause is kept, the number is not.
    words = re.sub(r"\d{5,}", "…", _message(document))
    return f"status {status}: {words[:_SAFE_DETAIL]}".rstrip(": ")


def _document(body: bytes) -> object:
    try:
        # Postgres stores no zero character: an answer that held one could never be written down.
        return msgspec.json.decode(body.replace(rb"\u0000", rb"\ufffd"))
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None


def _mapping(body: bytes) -> Mapping[str, Any]:
    document = _document(body)
    if not isinstance(document, Mapping):
        raise GatewayFailed("unreadable", detail="the answer is not a JSON object")
    return document


def _rows(body: bytes) -> list[Mapping[str, Any]]:
    document = _document(body)
    if not isinstance(document, list):
        raise GatewayFailed("unreadable", detail="the answer is not a JSON list")
    return [row for row in document if isinstance(row, Mapping)]
