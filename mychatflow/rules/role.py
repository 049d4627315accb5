"""Who may do what: the four roles and the one table that pages, commands and the API ask."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class Role(StrEnum):
    OWNER = "owner"
    ADMIN = "admin"
    AGENT = "agent"
    VIEWER = "viewer"


class Permission(StrEnum):
    VIEW_ANALYTICS = "view_analytics"
    VIEW_LEADS = "view_leads"
    VIEW_CONVERSATIONS = "view_conversations"
    READ_MESSAGES = "read_messages"
    REPLY = "reply"
    TAKE_OVER = "take_over"
    EDIT_CONTACTS = "edit_contacts"
    GRADE_ANSWERS = "grade_answers"
    MANAGE_APPOINTMENTS = "manage_appointments"
    VIEW_SETTINGS = "view_settings"
    MANAGE_SETTINGS = "manage_settings"
    MANAGE_KNOWLEDGE = "manage_knowledge"
    MANAGE_CAMPAIGNS = "manage_campaigns"
    MANAGE_FOLLOW_UPS = "manage_follow_ups"
    MANAGE_INSTANCES = "manage_instances"
    MANAGE_TEAM = "manage_team"
    MANAGE_WEBHOOKS = "manage_webhooks"
    IMPORT_CONTACTS = "import_contacts"
    EXPORT_DATA = "export_data"
    VIEW_AUDIT = "view_audit"
    MANAGE_API_KEYS = "manage_api_keys"
    VIEW_BILLING = "view_billing"
    MANAGE_BILLING = "manage_billing"
    ERASE_CONTACT = "erase_contact"
    HOLD_DATA = "hold_data"
    DELETE_TENANT = "delete_tenant"


_VIEWER: Final = frozenset({Permission.VIEW_ANALYTICS, Permission.VIEW_LEADS, Permission.VIEW_CONVERSATIONS})
_AGENT: Final = _VIEWER | {
    Permission.READ_MESSAGES,
    Permission.REPLY,
    Permission.TAKE_OVER,
    Permission.EDIT_CONTACTS,
    Permission.GRADE_ANSWERS,
    Permission.MANAGE_APPOINTMENTS,
}
_OWNER_ALONE: Final = frozenset({Permission.MANAGE_BILLING, Permission.HOLD_DATA, Permission.DELETE_TENANT})

PERMISSIONS: Final[Mapping[Role, frozenset[Permission]]] = MappingProxyType(
    {
        Role.VIEWER: _VIEWER,
        Role.AGENT: _AGENT,
        Role.ADMIN: frozenset(Permission) - _OWNER_ALONE,
        Role.OWNER: frozenset(Permission),
    }
)
# From the least to the most powerful.
RANKS: Final = (Role.VIEWER, Role.AGENT, Role.ADMIN, Role.OWNER)


def may(role: Role, permission: Permission) -> bool:
    return permission in PERMISSIONS[role]


def is_at_least(role: Role, least: Role) -> bool:
    """Whether a page in brackets of `least` opens for this role."""
    return RANKS.index(role) >= RANKS.index(least)


def above(role: Role) -> tuple[Role, ...]:
    """Those that may do more."""
    return RANKS[RANKS.index(role) + 1 :]


def may_grant(granter: Role, granted: Role) -> bool:
    """Nobody hands out more than they hold, and only those who manage the team hand out anything."""
    return may(granter, Permission.MANAGE_TEAM) and is_at_least(granter, granted)
