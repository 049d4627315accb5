"""Who may let whom into a team, make them more or less, and show them out; an owner always stays."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

from mychatflow.rules import plan, role
from mychatflow.rules.plan import Plan
from mychatflow.rules.role import Role

Refusal = Literal["more_than_held", "last_owner", "plan_limit", "already_in", "invited_enough"]
# Each is an e-mail of ours to somebody who did not ask for it.
LEAST_INVITED_A_DAY: Final = 20
SAID: Final[Mapping[Refusal, str]] = MappingProxyType(
    {
        "more_than_held": "Nobody gives, changes or takes a role above their own.",
        "last_owner": "A tenant always has an owner: make somebody else one first.",
        "plan_limit": "The plan's users are all taken: remove somebody, or take a larger plan.",
        "already_in": "Somebody with that address is in the team.",
        "invited_enough": "As many people were invited today as the plan has users: go on tomorrow.",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Team:
    """How many people are in or invited, how many owners are in, and how many were invited within a day."""

    users: int
    owners: int
    plan: Plan
    invited_lately: int = 0


def refuses_invitation(team: Team, *, by: Role, held: Role | None, wanted: Role, is_in: bool) -> Refusal | None:
    """`held` is what that address is invited as already, or was let in as."""
    if not role.may_grant(by, wanted):
        return "more_than_held"
    if is_in:
        return "already_in"
    if held is not None and not role.may_grant(by, held):
        return "more_than_held"
    if not plan.may_invite(team.plan, users=team.users):
        return "plan_limit"
    is_enough = team.invited_lately >= max(plan.USERS[team.plan], LEAST_INVITED_A_DAY)
    return "invited_enough" if is_enough else None


def refuses_change(team: Team, *, by: Role, held: Role, is_joined: bool, wanted: Role | None) -> Refusal | None:
    """`wanted` is None for leaving. Nobody changes whom they could not have made."""
    if not role.may_grant(by, held) or (wanted is not None and not role.may_grant(by, wanted)):
        return "more_than_held"
    is_last_owner = held is Role.OWNER and is_joined and team.owners <= 1
    return "last_owner" if is_last_owner and wanted is not Role.OWNER else None
