"""The door out to WhatsApp: sends, receipts and sessions through a WAHA gateway."""

import base64
import secrets
from datetime import datetime, timedelta
from typing import Any, Final, Literal, Self
from urllib.parse import quote, unquote, urlsplit

import aiohttp

from mychatflow.rules.attachment import Shape
from mychatflow.rules.names import is_session_name
from realtime.channels import gateway_answers
from realtime.channels.gateway_http import Answer, GatewayHttp
from realtime.channels.gateway_types import (
    LONGEST_TEXT,
    Account,
    ChatSummary,
    FailureKind,
    GatewayFailed,
    HistoryMessage,
    MediaFile,
    QrCode,
    SendKind,
    SendOutcome,
    SessionState,
    WebhookTarget,
    is_chat_id,
    is_message_id,
)

# The gateway itself takes about 5 s to say that a session is not working.
_SEND_TIMEOUT: Final = timedelta(seconds=15)
_CALL_TIMEOUT: Final = timedelta(seconds=10)
_FILES: Final = "/api/files/"
_LARGEST_FILE: Final = 10 << 20


def make_message_id() -> str:
    """A WhatsApp message id, fixed before the first send.

    In the form in which WhatsApp Web makes them; the gateway's own `new-message-id` draws one just so, and to ask it
    cost a tenth of a turn.
    """
    return "3EB0" + secrets.token_hex(18).upper()


class WahaClient:
    """One gateway. Sends answer with a SendOutcome, courtesies with a bool, everything else raises GatewayFailed."""

    def __init__(
        self,
        base_url: str,
        api_key: str,
        *,
        send_timeout: timedelta = _SEND_TIMEOUT,
        call_timeout: timedelta = _CALL_TIMEOUT,
        connections: int = 100,
    ) -> None:
        self._http = GatewayHttp(base_url, api_key, connections=connections)
        self._send_timeout = send_timeout.total_seconds()
        # Megabytes go to the gateway, and from there to WhatsApp.
        self._media_timeout = 3 * self._send_timeout
        self._call_timeout = call_timeout.total_seconds()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        await self._http.close()

    async def send_text(
        self, session: str, chat_id: str, text: str, *, message_id: str | None = None, reply_to: str | None = None
    ) -> SendOutcome:
        """Send a text. With the same `message_id` it may be repeated after any doubt: the customer sees one."""
        if not text.strip() or len(text) > LONGEST_TEXT:
            return _refused("text is empty or too long", message_id)
        body: dict[str, Any] = {"text": _encodable(text), "linkPreview": False}
        if message_id is not None:
            body["id"] = message_id
        if reply_to is not None:
            body["reply_to"] = reply_to
        return await self._send("/api/sendText", session, chat_id, body, message_id=message_id)

    async def send_media(
        self, session: str, chat_id: str, file: MediaFile, *, shape: Shape, caption: str = ""
    ) -> SendOutcome:
        """Send a file. The gateway takes no id of ours for one: after `ambiguous` look into the history."""
        content = {"mimetype": file.mimetype, "filename": file.filename, "data": base64.b64encode(file.data).decode()}
        body: dict[str, Any] = {"file": content}
        if shape == "voice":
            # WhatsApp plays Opus in Ogg alone; the gateway makes it of anything else.
            body["convert"] = file.mimetype != "audio/ogg"
        elif caption:
            body["caption"] = _encodable(caption)
        path = {"image": "/api/sendImage", "voice": "/api/sendVoice", "file": "/api/sendFile"}[shape]
        return await self._send(path, session, chat_id, body, message_id=None, timeout=self._media_timeout)

    async def seen(self, session: str, chat_id: str, *, message_ids: tuple[str, ...] = ()) -> bool:
        """Mark the customer's messages as read; `message_ids` in the long form of the webhook."""
        extra = {"messageIds": list(message_ids)} if message_ids else {}
        return await self._courtesy("/api/sendSeen", session, chat_id, **extra)

    async def start_typing(self, session: str, chat_id: str) -> bool:
        return await self._courtesy("/api/startTyping", session, chat_id)

    async def history(
        self,
        session: str,
        chat_id: str,
        *,
        limit: int = 100,
        offset: int = 0,
        since: datetime | None = None,
        order: Literal["asc", "desc"] = "desc",
    ) -> tuple[HistoryMessage, ...]:
        """Oldest first, the chat's newest messages (`desc`) or oldest ones (`asc`) but the first `offset`."""
        _check(is_chat_id(chat_id), "chat id")
        query = {"limit": str(limit), "downloadMedia": "false", "sortBy": "timestamp", "sortOrder": order}
        if offset:
            query["offset"] = str(offset)
        if since is not None:
            query["filter.timestamp.gte"] = str(int(since.timestamp()))
        answer = await self._call("GET", f"/api/{_path(session)}/chats/{quote(chat_id)}/messages", query=query)
        return gateway_answers.read_history(answer.body, chat_id=chat_id, order=order)

    async def chats(self, session: str, *, limit: int = 100, offset: int = 0) -> tuple[ChatSummary, ...]:
        """The chats with the latest messages first: where a catch-up looks for what it missed."""
        query = {"limit": str(limit), "offset": str(offset)}
        answer = await self._call("GET", f"/api/{_path(session)}/chats/overview", query=query)
        return gateway_answers.read_chats(answer.body)

    async def lids(self, session: str, *, limit: int = 1000, offset: int = 0) -> dict[str, str]:
        """From hidden id (LID) to phone id, as far as the gateway knows."""
        query = {"limit": str(limit), "offset": str(offset)}
        return gateway_answers.read_lids((await self._call("GET", f"/api/{_path(session)}/lids", query=query)).body)

    async def media(self, session: str, url: str) -> bytes:
        """A customer's file. Only the path counts: nothing but this gateway is asked, and for no other session's."""
        path = urlsplit(url).path
        # The client that asks reads `%2e%2e` as a way up, too.
        plain = unquote(path)
        folder, slash, _ = plain.removeprefix(_FILES).partition("/")
        is_theirs = plain.startswith(_FILES) and (not slash or folder == session)
        _check(is_theirs and ".." not in plain and "//" not in plain, "media address")
        answer = await self._call("GET", path, accept="*/*", most=_LARGEST_FILE)
        return answer.body

    async def create_session(
        self, session: str, webhook: WebhookTarget, *, metadata: dict[str, str] | None = None, start: bool = True
    ) -> SessionState:
        """Make a session that tells us what happens; GatewayFailed("exists") when there is one of that name."""
        _check(is_session_name(session), "session name")
        body = {"name": session, "start": start, "config": _session_config(webhook, metadata or {})}
        return gateway_answers.read_session((await self._call("POST", "/api/sessions", body=body)).body)

    async def update_session(
        self, session: str, webhook: WebhookTarget, *, metadata: dict[str, str] | None = None
    ) -> SessionState:
        body = {"config": _session_config(webhook, metadata or {})}
        return gateway_answers.read_session(
            (await self._call("PUT", f"/api/sessions/{_path(session)}", body=body)).body
        )

    async def session(self, session: str) -> SessionState:
        return gateway_answers.read_session((await self._call("GET", f"/api/sessions/{_path(session)}")).body)

    async def start_session(self, session: str) -> SessionState:
        return gateway_answers.read_session((await self._call("POST", f"/api/sessions/{_path(session)}/start")).body)

    async def stop_session(self, session: str) -> SessionState:
        return gateway_answers.read_session((await self._call("POST", f"/api/sessions/{_path(session)}/stop")).body)

    async def logout(self, session: str) -> SessionState:
        """Let go of the paired phone; a session that is up then asks for another scan."""
        return gateway_answers.read_session((await self._call("POST", f"/api/sessions/{_path(session)}/logout")).body)

    async def account(self, session: str) -> Account | None:
        """The WhatsApp account that is paired with the session."""
        return gateway_answers.read_account((await self._call("GET", f"/api/sessions/{_path(session)}/me")).body)

    async def qr_code(self, session: str) -> QrCode:
        """The picture to scan; GatewayFailed("not_ready") unless the session waits for it."""
        answer = await self._call(
            "GET", f"/api/{_path(session)}/auth/qr", query={"format": "image"}, accept="image/png"
        )
        return gateway_answers.read_qr(answer.mimetype, answer.body)

    async def _send(
        self,
        path: str,
        session: str,
        chat_id: str,
        body: dict[str, Any],
        *,
        message_id: str | None,
        timeout: float | None = None,  # noqa: ASYNC109  (the exchange bounds itself)
    ) -> SendOutcome:
        if not is_session_name(session) or not is_chat_id(chat_id):
            return _refused("session name or chat id is malformed", message_id)
        if message_id is not None and not is_message_id(message_id):
            return _refused("message id is malformed", message_id)
        try:
            answer = await self._http.exchange(
                "POST",
                path,
                body={"session": session, "chatId": chat_id, **body},
                timeout=timeout or self._send_timeout,
            )
        except aiohttp.ClientConnectorError as error:
            # No connection was made, so nothing was delivered.
            return SendOutcome(kind=SendKind.REJECTED_RETRY, message_id=message_id, detail=type(error).__name__)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return SendOutcome(kind=SendKind.AMBIGUOUS, message_id=message_id, detail=type(error).__name__)
        return gateway_answers.read_send(answer.status, answer.body, asked_id=message_id, is_cut=answer.is_cut)

    async def _courtesy(self, path: str, session: str, chat_id: str, **extra: Any) -> bool:
        """A call whose failure must never keep a reply from the customer."""
        if not is_session_name(session) or not is_chat_id(chat_id):
            return False
        try:
            await self._call("POST", path, body={"session": session, "chatId": chat_id, **extra})
        except GatewayFailed:
            return False
        return True

    async def _call(
        self,
        method: str,
        path: str,
        *,
        body: dict[str, Any] | None = None,
        query: dict[str, str] | None = None,
        accept: str = "application/json",
        most: int = 1 << 20,
    ) -> Answer:
        try:
            answer = await self._http.exchange(
                method, path, body=body, query=query, accept=accept, most=most, timeout=self._call_timeout
            )
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            kind: FailureKind = "timeout" if isinstance(error, TimeoutError) else "unreachable"
            raise GatewayFailed(kind, detail=type(error).__name__) from error
        if answer.is_cut:
            raise GatewayFailed("unreadable", status=answer.status, detail="answer too long")
        if not 200 <= answer.status < 300:
            raise gateway_answers.failure(answer.status, answer.body)
        return answer


def _session_config(webhook: WebhookTarget, metadata: dict[str, str]) -> dict[str, Any]:
    target: dict[str, Any] = {
        "url": webhook.url,
        "events": list(webhook.events),
        "hmac": {"key": webhook.hmac_key},
        "retries": {
            "policy": webhook.retry_policy,
            "delaySeconds": webhook.retry_delay.total_seconds(),
            "attempts": webhook.retry_attempts,
        },
        "customHeaders": [{"name": name, "value": value} for name, value in webhook.headers],
    }
    # Without its store the NOWEB engine has no chat history, and a catch-up would see nothing.
    return {
        "metadata": metadata,
        "webhooks": [target],
        "noweb": {"markOnline": True, "store": {"enabled": True, "fullSync": False}},
    }


def _encodable(text: str) -> str:
    """A lone surrogate has no bytes in UTF-8: it becomes a question mark."""
    return text.encode("utf-8", "replace").decode()


def _path(session: str) -> str:
    _check(is_session_name(session), "session name")
    return session


def _check(is_well_formed: bool, what: str) -> None:
    if not is_well_formed:
        raise GatewayFailed("refused", detail=f"malformed {what}")


def _refused(detail: str, message_id: str | None) -> SendOutcome:
    return SendOutcome(kind=SendKind.REJECTED_FINAL, message_id=message_id, detail=detail)
