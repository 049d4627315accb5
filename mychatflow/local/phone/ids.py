"""Ids in the shapes that WhatsApp and its gateway make them."""

import hashlib
import secrets

_CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"


def ulid(at_ms: int) -> str:
    """A lower-case ULID: 48 bits of time, 80 of chance."""
    number = (at_ms << 80) | secrets.randbits(80)
    return "".join(_CROCKFORD[(number >> shift) & 31] for shift in range(125, -1, -5))


def web_message_id() -> str:
    """The id of a message written through the gateway."""
    return "3EB0" + secrets.token_hex(18).upper()


def phone_message_id() -> str:
    """The id of a message written on a customer's phone."""
    return "3A" + secrets.token_hex(9).upper()


def business_phone(session: str) -> str:
    """A made-up number (of the +1 555 01 range that belongs to nobody), the same for a session each time."""
    digest = int.from_bytes(hashlib.sha256(session.encode()).digest()[:4])
    return f"1{200 + digest % 800}5550{100 + digest // 800 % 100}"


def hidden_id(phone: str) -> str:
    """A customer's LID, as groups and some chats show instead of the number."""
    digest = int.from_bytes(hashlib.sha256(f"lid:{phone}".encode()).digest()[:6])
    return f"{10**13 + digest % (9 * 10**13)}@lid"


def bare(message_id: str) -> str:
    """`3EB0…` out of `true_22222222222@c.us_3EB0…`; a bare id stays as it is."""
    parts = message_id.split("_")
    return parts[2] if len(parts) > 2 and parts[0] in {"true", "false"} else message_id
