"""Limits of plans, rights of roles and what is kept how long."""

from datetime import UTC, datetime, timedelta

import pytest

from mychatflow.rules import plan, retention, role
from mychatflow.rules.plan import Plan
from mychatflow.rules.retention import RetentionSettings
from mychatflow.rules.role import Permission, Role

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "messages", "users"),
    [("free", 100, 1), ("starter", 500, 10), ("pro", 5_000, 100), ("enterprise", 50_000, 1_000)],
)
def test_each_plan_has_its_limits(name, messages, users):
    assert (plan.DAILY_MESSAGES[name], plan.USERS[name]) == (messages, users)


def test_the_last_seat_is_the_last():
    assert plan.may_invite(Plan.STARTER, users=9)
    assert not plan.may_invite(Plan.STARTER, users=10)


@pytest.mark.parametrize(
    ("permission", "roles"),
    [
        (Permission.VIEW_ANALYTICS, {Role.OWNER, Role.ADMIN, Role.AGENT, Role.VIEWER}),
        (Permission.READ_MESSAGES, {Role.OWNER, Role.ADMIN, Role.AGENT}),
        (Permission.REPLY, {Role.OWNER, Role.ADMIN, Role.AGENT}),
        (Permission.MANAGE_SETTINGS, {Role.OWNER, Role.ADMIN}),
        (Permission.MANAGE_TEAM, {Role.OWNER, Role.ADMIN}),
        (Permission.ERASE_CONTACT, {Role.OWNER, Role.ADMIN}),
        (Permission.MANAGE_BILLING, {Role.OWNER}),
        (Permission.DELETE_TENANT, {Role.OWNER}),
    ],
)
def test_each_right_belongs_to_its_roles(permission, roles):
    assert {each for each in Role if role.may(each, permission)} == roles


def test_every_rank_holds_all_rights_below_it():
    for lower, higher in zip(role.RANKS, role.RANKS[1:], strict=False):
        assert role.PERMISSIONS[lower] < role.PERMISSIONS[higher]


def test_nobody_grants_more_than_they_hold():
    assert role.may_grant(Role.OWNER, Role.OWNER)
    assert role.may_grant(Role.ADMIN, Role.ADMIN)
    assert not role.may_grant(Role.ADMIN, Role.OWNER)
    assert not role.may_grant(Role.AGENT, Role.VIEWER)


def test_each_kind_of_data_has_its_own_term():
    found = retention.cutoffs(RetentionSettings(retention_days_messages=30), at=NOON)

    assert found.messages_before == NOON - timedelta(days=30)
    assert found.events_before is None
    assert found.inbox_before == NOON - timedelta(days=7)


def test_events_go_by_whole_days():
    found = retention.cutoffs(RetentionSettings(retention_days_events=30), at=NOON)

    assert found.events_before == NOON.replace(hour=0) - timedelta(days=30)


def test_a_legal_hold_keeps_everything():
    found = retention.cutoffs(RetentionSettings(retention_days_messages=1, is_on_legal_hold=True), at=NOON)

    assert (found.messages_before, found.inbox_before) == (None, None)
