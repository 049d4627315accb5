"""What a program refuses to start with: every unsafe setting, named, with what to do about it."""

import ipaddress
from urllib.parse import urlsplit

from mychatflow.settings import ConfigurationRefused, Settings
from mychatflow.store.session import Store

REFUSED_EXIT = 78


def refuse_unsafe_settings(settings: Settings) -> None:
    """Raise ConfigurationRefused naming all that is wrong. An empty HMAC key is refused everywhere."""
    reasons = [] if settings.webhook_secrets else ["WEBHOOK_SECRET: empty."]
    if settings.is_production:
        reasons += production_reasons(settings)
    if reasons:
        raise ConfigurationRefused("\n".join(reasons))


async def refuse_unsafe_role(settings: Settings) -> None:
    """Raise ConfigurationRefused when the app role could look over the tenant wall."""
    store = Store(settings, pool_size=1)
    try:
        await store.refuse_unsafe_role()
    finally:
        await store.close()


def production_reasons(settings: Settings) -> list[str]:
    """Why these settings must not serve customers."""
    reasons = [
        f"{name}: must be set in production; a secret made by itself is lost with its disk."
        for name, value in (
            ("MYCHATFLOW_MASTER_KEY", settings.master_key),
            ("WEBHOOK_SECRET", settings.webhook_secret),
        )
        if value is None
    ]
    if settings.webhook_secret and any(len(key) < 16 for key in settings.webhook_secrets):
        reasons.append("WEBHOOK_SECRET: shorter than 16 characters.")
    if settings.clerk_issuer and urlsplit(settings.clerk_issuer).scheme != "https":
        reasons.append("CLERK_ISSUER: must be https in production.")
    if settings.redis_url and _is_open(settings.redis_url.get_secret_value()):
        reasons.append("REDIS_URL: has no password and is not on loopback; use rediss://:password@host.")
    return reasons


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
