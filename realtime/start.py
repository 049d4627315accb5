"""What a program of ours refuses to start with, and the exit code that says so."""

from mychatflow.local import safety
from mychatflow.settings import Settings
from mychatflow.store.session import Store

REFUSED_EXIT = 78


def refuse_unsafe_settings(settings: Settings) -> None:
    """Raise ConfigurationRefused naming all that is wrong. An empty HMAC key is refused everywhere."""
    safety.refuse_unsafe(settings)


async def refuse_unsafe_role(settings: Settings) -> None:
    """Raise ConfigurationRefused when the app role could look over the tenant wall."""
    store = Store(settings, pool_size=1)
    try:
        await store.refuse_unsafe_role()
    finally:
        await store.close()
