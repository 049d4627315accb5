"""What the gateway tells a business: WAHA's webhook envelope and its payloads, as of 2026.7."""

from typing import Any

from mychatflow.local.phone import ids
from mychatflow.local.phone.records import Ack, Engine, Media, Message, Session

VERSION = "2026.7.1"


def envelope(session: Session, event: str, payload: dict[str, Any], *, engine: Engine, at_ms: int) -> dict[str, Any]:
    return {
        "id": f"evt_{ids.ulid(at_ms)}",
        "timestamp": at_ms,
        "event": event,
        "session": session.name,
        "metadata": session.config.get("metadata") or {},
        "me": account(session),
        "payload": payload,
        "environment": environment(engine),
        "engine": engine,
    }


def environment(engine: Engine) -> dict[str, Any]:
    return {"version": VERSION, "engine": engine, "tier": "CORE", "browser": None}


def account(session: Session) -> dict[str, Any] | None:
    """The paired account (`me`), or nothing before pairing."""
    if not session.is_paired:
        return None
    phone = ids.business_phone(session.name)
    return {
        "id": f"{phone}@c.us",
        "pushName": business_name(session),
        "lid": ids.hidden_id(phone),
        "jid": f"{phone}:7@s.whatsapp.net",
    }


def business_name(session: Session) -> str:
    """The name that the session's metadata gives, else its own in words."""
    metadata = session.config.get("metadata")
    name = metadata.get("business.name") if isinstance(metadata, dict) else None
    return name if isinstance(name, str) and name.strip() else session.name.replace("_", " ").replace("-", " ").title()


def message(sent: Message, session: Session, *, base_url: str) -> dict[str, Any]:
    """A message as webhooks and the chat history show it."""
    # On messages of the business itself `from` is still the chat.
    own_id = f"{ids.business_phone(session.name)}@c.us"
    is_group = sent.chat_id.endswith("@g.us")
    return {
        "id": sent.full_id,
        "timestamp": sent.sent_ms // 1000,
        "from": sent.chat_id,
        "fromMe": sent.from_me,
        "source": sent.source,
        "to": sent.chat_id if sent.from_me or is_group else own_id,
        "participant": None,
        "body": sent.text,
        "hasMedia": sent.media is not None,
        "media": None if sent.media is None else _media(sent.media, sent.session, base_url),
        "ack": int(sent.ack),
        "ackName": sent.ack.name,
        "replyTo": None if sent.reply_to is None else {"id": sent.reply_to, "hasMedia": False},
        "vCards": [],
        "_data": {"pushName": sent.author, "key": _key(sent)},
    }


def ack(sent: Message, level: Ack) -> dict[str, Any]:
    return {
        "id": sent.full_id,
        "from": sent.chat_id,
        "to": sent.chat_id,
        "participant": None,
        "fromMe": sent.from_me,
        "ack": int(level),
        "ackName": level.name,
        "_data": {},
    }


def reaction(target: Message, session: Session, emoji: str, *, reaction_id: str, at_ms: int) -> dict[str, Any]:
    """A customer's reaction; an empty text takes it back."""
    return {
        "id": f"false_{target.chat_id}_{reaction_id}",
        "timestamp": at_ms / 1000,
        "from": target.chat_id,
        "fromMe": False,
        "source": "app",
        "to": f"{ids.business_phone(session.name)}@c.us",
        "participant": target.chat_id,
        "reaction": {"text": emoji, "messageId": target.full_id},
    }


def session_status(session: Session) -> dict[str, Any]:
    statuses = [{"status": status, "timestamp": at_ms} for status, at_ms in session.statuses]
    return {"name": session.name, "status": session.status.value, "statuses": statuses, "data": None}


def sent_answer(sent: Message, *, engine: Engine) -> dict[str, Any]:
    """The answer to a send: each engine has its own shape."""
    if engine == "NOWEB":
        return {
            "key": _key(sent),
            "message": {"extendedTextMessage": {"text": sent.text}},
            "messageTimestamp": str(sent.sent_ms // 1000),
            "status": "PENDING",
        }
    if engine == "GOWS":
        return {"id": sent.full_id, "timestamp": sent.sent_ms // 1000, "fromMe": True, "body": sent.text, "_data": {}}
    identity = {"fromMe": True, "remote": sent.chat_id, "id": sent.message_id, "_serialized": sent.full_id}
    return {"id": identity, "timestamp": sent.sent_ms // 1000, "body": sent.text, "ack": 0}


def _key(sent: Message) -> dict[str, Any]:
    remote = sent.chat_id.replace("@c.us", "@s.whatsapp.net")
    return {"remoteJid": remote, "fromMe": sent.from_me, "id": sent.message_id}


def _media(media: Media, session: str, base_url: str) -> dict[str, Any]:
    url = f"{base_url}/api/files/{session}/{media.file}" if media.file else media.url
    return {"url": url, "mimetype": media.mimetype, "filename": media.filename, "s3": None, "error": None}
