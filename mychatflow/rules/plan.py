"""What each plan allows a tenant: messages a day and users."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class Plan(StrEnum):
    FREE = "free"
    STARTER = "starter"
    PRO = "pro"
    ENTERPRISE = "enterprise"


DAILY_MESSAGES: Mapping[str, int] = MappingProxyType(
    {Plan.FREE: 100, Plan.STARTER: 500, Plan.PRO: 5_000, Plan.ENTERPRISE: 50_000}
)
USERS: Mapping[str, int] = MappingProxyType({Plan.FREE: 1, Plan.STARTER: 10, Plan.PRO: 100, Plan.ENTERPRISE: 1_000})


# Campaigns leave a fifth of the day to the customers who write, and to those who answer the campaign.
_CAMPAIGNS_PERCENT = 80


def campaign_messages(plan: Plan) -> int:
    """Up to how many of the day's messages a campaign goes on sending."""
    return DAILY_MESSAGES[plan] * _CAMPAIGNS_PERCENT // 100


def may_invite(plan: Plan, *, users: int) -> bool:
    return users < USERS[plan]
