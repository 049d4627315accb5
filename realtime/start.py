"""How a program of ours begins, what it refuses to start with, and the exit code that says so."""

import importlib

from mychatflow.local import logs, safety
from mychatflow.settings import Settings
from mychatflow.store.session import Store
from realtime import tracing

REFUSED_EXIT = 78


def begin(settings: Settings, *, process: str) -> None:
    """What every program of ours does first: its log, and where configured its traces and error reports."""
    logs.configure(process=process, level=settings.log_level, is_production=settings.is_production)
    tracing.start(settings, process=process)
    if settings.sentry_dsn is not None:
        # Imported only where it is wanted: it takes a while.
        importlib.import_module("realtime.error_reports").start(settings, process=process)


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
