"""Who may change a team, by table."""

import pytest

from mychatflow.rules import team
from mychatflow.rules.plan import Plan
from mychatflow.rules.role import Role
from mychatflow.rules.team import Team

OWNER, ADMIN, AGENT, VIEWER = Role.OWNER, Role.ADMIN, Role.AGENT, Role.VIEWER


@pytest.mark.parametrize(
    ("users", "by", "held", "wanted", "is_in", "refusal"),
    [
        (9, OWNER, None, OWNER, False, None),
        (10, OWNER, None, VIEWER, False, "plan_limit"),
        (3, ADMIN, None, ADMIN, False, None),
        (3, ADMIN, None, OWNER, False, "more_than_held"),
        (3, AGENT, None, VIEWER, False, "more_than_held"),
        (3, ADMIN, AGENT, AGENT, True, "already_in"),
        # Invited before, and not in: once more, but not as less by whoever could not have invited them.
        (3, ADMIN, ADMIN, VIEWER, False, None),
        (3, ADMIN, OWNER, VIEWER, False, "more_than_held"),
        (3, OWNER, OWNER, VIEWER, False, None),
    ],
)
def test_invitations_stay_within_plan_and_rank(users, by, held, wanted, is_in, refusal):
    known = Team(users=users, owners=1, plan=Plan.STARTER)

    assert team.refuses_invitation(known, by=by, held=held, wanted=wanted, is_in=is_in) == refusal


@pytest.mark.parametrize(
    ("plan", "invited_lately", "refusal"),
    [
        (Plan.STARTER, 19, None),
        (Plan.STARTER, 20, "invited_enough"),
        (Plan.PRO, 99, None),
        (Plan.PRO, 100, "invited_enough"),
    ],
)
def test_a_day_has_an_end_of_invitations(plan, invited_lately, refusal):
    known = Team(users=3, owners=1, plan=plan, invited_lately=invited_lately)

    assert team.refuses_invitation(known, by=OWNER, held=None, wanted=VIEWER, is_in=False) == refusal


@pytest.mark.parametrize(
    ("owners", "by", "held", "is_joined", "wanted", "refusal"),
    [
        (1, OWNER, OWNER, True, None, "last_owner"),
        (1, OWNER, OWNER, True, ADMIN, "last_owner"),
        (1, OWNER, OWNER, True, OWNER, None),
        (2, OWNER, OWNER, True, None, None),
        # An owner who never came does not hold the tenant.
        (1, OWNER, OWNER, False, None, None),
        (2, ADMIN, OWNER, True, None, "more_than_held"),
        (1, ADMIN, AGENT, True, OWNER, "more_than_held"),
        (1, ADMIN, AGENT, True, ADMIN, None),
        (1, AGENT, VIEWER, True, None, "more_than_held"),
    ],
)
def test_the_last_owner_stays(owners, by, held, is_joined, wanted, refusal):
    known = Team(users=5, owners=owners, plan=Plan.PRO)

    assert team.refuses_change(known, by=by, held=held, is_joined=is_joined, wanted=wanted) == refusal
