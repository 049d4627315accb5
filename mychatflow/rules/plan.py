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


def remaining_messages(plan: Plan, *, used: int, reserved: int = 0) -> int:
    """How many messages the day still holds; what is reserved counts as spent until it is released."""
    return max(0, DAILY_MESSAGES[plan] - used - reserved)


def may_send(plan: Plan, *, used: int, reserved: int = 0) -> bool:
    return remaining_messages(plan, used=used, reserved=reserved) > 0


def may_invite(plan: Plan, *, users: int) -> bool:
    return users < USERS[plan]
