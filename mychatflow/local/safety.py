"""What must not go live: every unsafe setting, named, with what to do about it."""

import ipaddress
from urllib.parse import urlsplit

from mychatflow.settings import ConfigurationRefused, Settings

# What people leave in a file they copied.
_KNOWN_TO_ALL = ("changeme", "change-me", "secret", "password", "example", "mychatflow", "test")
_SHORTEST_SECRET = 16


def refuse_unsafe(settings: Settings) -> None:
    """Raise ConfigurationRefused naming all that is wrong."""
    found = reasons(settings)
    if found:
        raise ConfigurationRefused("\n".join(found))


def reasons(settings: Settings) -> list[str]:
    """Why a program would refuse these settings; an empty HMAC key is refused everywhere, the rest in production."""
    try:
        keys = settings.webhook_secrets
    except ConfigurationRefused as refused:
        return [str(refused)]
    return _production_reasons(settings, keys) if settings.is_production else []


def _production_reasons(settings: Settings, keys: tuple[bytes, ...]) -> list[str]:
    found = [
        f"{name}: must be set in production; a secret made by itself is lost with its disk."
        for name, value in (
            ("MYCHATFLOW_MASTER_KEY", settings.master_key),
            ("WEBHOOK_SECRET", settings.webhook_secret),
        )
        if value is None
    ]
    if settings.master_key and any(len(set(master)) < 8 for master in settings.masters):
        found.append("MYCHATFLOW_MASTER_KEY: is no random key; make one with: openssl rand -hex 32")
    if settings.webhook_secret and any(_is_weak(key) for key in keys):
        found.append(f"WEBHOOK_SECRET: is known to all or shorter than {_SHORTEST_SECRET} characters.")
    if settings.clerk_issuer and urlsplit(settings.clerk_issuer).scheme != "https":
        found.append("CLERK_ISSUER: must be https in production.")
    if settings.clerk_issuer and not (
        settings.clerk_audience or settings.clerk_authorized_parties or settings.clerk_client_id
    ):
        found.append(
            "CLERK_AUDIENCE, CLERK_AUTHORIZED_PARTIES or CLERK_CLIENT_ID: set one; without any, a token that the "
            "issuer signed for any other application opens this one."
        )
    if settings.redis_url and _is_open(settings.redis_url.get_secret_value()):
        found.append("REDIS_URL: has no password and is not on loopback; use rediss://:password@host.")
    return found


def _is_weak(key: bytes) -> bool:
    return len(key) < _SHORTEST_SECRET or key.decode(errors="replace").lower().strip("0123456789-_!") in _KNOWN_TO_ALL


def _is_open(redis_url: str) -> bool:
    parts = urlsplit(redis_url)
    return parts.scheme != "unix" and not parts.password and not is_loopback(parts.hostname or "")


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
