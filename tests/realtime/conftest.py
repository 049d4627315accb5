"""The webhook's door and an evaluator of alerts, for the rooms beside them."""

from tests.realtime.alerting import evaluator
from tests.realtime.webhooks.conftest import door, tenant

__all__ = ["door", "evaluator", "tenant"]
