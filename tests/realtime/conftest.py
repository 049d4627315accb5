"""The webhook's door, for the rooms beside it."""

from tests.realtime.webhooks.conftest import door, tenant

__all__ = ["door", "tenant"]
