"""Who comes into the team, what they may do there, and who leaves: by the rules and functions of the API."""

import re
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any, Final
from uuid import UUID

import streamlit as st

from dashboards import changes, forms, shell, toasts, wording
from dashboards.changes import NotDone
from dashboards.setup.data import Rows
from dashboards.viewer import Viewer
from mychatflow.rules import role as roles
from mychatflow.rules import team as rules
from mychatflow.rules.role import Permission, Role
from mychatflow.rules.team import Refusal
from mychatflow.store import members, team
from mychatflow.store.cipher import TenantCipher
from mychatflow.store.on_record import Change

_ADDRESS: Final = re.compile(r"[^@\s<>,;]+@[^@\s<>,;]+")
_LONGEST_ADDRESS: Final = 254
_WHOM: Final = "invited-address"
_AS: Final = "invited-role"
_MEANING: Final = {
    Role.VIEWER: "sees numbers, never messages",
    Role.AGENT: "reads and answers chats",
    Role.ADMIN: "sets everything up",
    Role.OWNER: "also the plan and the end of the workspace",
}


def invite_form(looking: Viewer) -> None:
    """By e-mail; they are in once they sign in with that address, within seven days."""
    with (
        st.form("invite", border=False),
        st.container(horizontal=True, vertical_alignment="bottom"),
    ):
        st.text_input("Invite somebody", max_chars=_LONGEST_ADDRESS, placeholder="name@company.com", key=_WHOM)
        st.selectbox("As", grantable(looking), format_func=lambda each: wording.words(each.value), width=110, key=_AS)
        st.form_submit_button("Invite", type="primary", on_click=_invite, args=(looking,))


def _invite(looking: Viewer) -> None:
    """What was typed stays when it is refused."""
    if invite(looking, forms.typed(_WHOM), Role(forms.value(_AS))):
        st.session_state[_WHOM] = ""


def change_form(looking: Viewer, rows: Rows) -> None:
    """Choose somebody to change or to remove."""
    by_id = {row["id"]: row for row in rows}
    names = wording.told_apart(
        {row["id"]: row["name"] or row["email"] for row in rows}, lambda member_id: str(by_id[member_id]["email"])
    )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = st.selectbox(
            "Change somebody",
            list(names),
            index=None,
            format_func=names.__getitem__,
            key=shell.renewed("member"),
        )
        if st.button("Edit", icon=":material/edit:", key="edit-member", disabled=chosen is None) and chosen:
            row = by_id[chosen]
            forms.opened(row["name"] or row["email"], partial(_form, looking, row), renews="member")


def _form(looking: Viewer, row: dict[str, Any]) -> None:
    mark = shell.keyed("member", row["id"], row["role"], row["is_on_duty"])
    held = Role(row["role"])
    offered = list(dict.fromkeys([*grantable(looking), held]))
    st.selectbox("Role", offered, index=offered.index(held), format_func=told, key=f"role-{mark}")
    st.toggle("On duty", row["is_on_duty"], key=f"duty-{mark}", help="Whoever is on duty hears of hand-offs by e-mail.")
    with st.container(horizontal=True):
        forms.button("Save", partial(_save, looking, row, mark), key="save-member", kind="primary")
        gone = partial(remove, looking, row["id"])
        forms.button("Remove from the team", gone, key="remove-member", kind="tertiary")
    st.caption("Whoever is removed is out with the next click, and so are the API keys they made.")


def _save(looking: Viewer, row: dict[str, Any], mark: str) -> bool:
    return change(looking, row["id"], Role(forms.value(f"role-{mark}")), is_on_duty=bool(forms.value(f"duty-{mark}")))


def invite(looking: Viewer, email: str, wanted: Role) -> bool:
    async def work(change: Change, cipher: TenantCipher, by: Viewer, at: datetime) -> None:
        if len(email) > _LONGEST_ADDRESS or not _ADDRESS.fullmatch(email):
            raise NotDone(f"{email or 'nothing'} is no e-mail address.")
        known = await members.locked_team(change.transaction, cipher.tenant_id)
        there = await members.find(change.transaction, cipher.tenant_id, email=email)
        is_in = there is not None and there["joined_at"] is not None
        # Whoever was invited and did not come may be invited again, and counts once.
        size = replace(known, users=known.users - 1) if there is not None and not is_in else known
        held = Role(there["role"]) if there is not None else None
        _refuse(rules.refuses_invitation(size, by=Role(by.workspace.role), held=held, wanted=wanted, is_in=is_in))
        made = await members.invite(change.transaction, cipher.tenant_id, email=email, role=wanted, at=at)
        change.subject = str(made)
        change.detail["role"] = wanted.value

    is_done = changes.make(looking, Permission.MANAGE_TEAM, "member.invited", None, work)
    if is_done:
        toasts.done("Invited: the e-mail is on its way.")
    return is_done


def change(looking: Viewer, member_id: UUID, wanted: Role, *, is_on_duty: bool) -> bool:
    async def work(change: Change, cipher: TenantCipher, by: Viewer, at: datetime) -> None:
        held = await _refuse_change(change, cipher, member_id, by=by, wanted=wanted)
        if wanted is not held:
            await team.set_role(change.transaction, cipher.tenant_id, member_id, role=wanted, at=at)
            change.detail.update(role=wanted.value, previous=held.value)
        await members.set_duty(change.transaction, cipher.tenant_id, member_id, is_on_duty=is_on_duty)

    is_done = changes.make(looking, Permission.MANAGE_TEAM, "member.changed", member_id, work)
    if is_done:
        toasts.done_then("Saved: it holds from their next click on.")
    return is_done


def remove(looking: Viewer, member_id: UUID) -> bool:
    async def work(change: Change, cipher: TenantCipher, by: Viewer, at: datetime) -> None:
        await _refuse_change(change, cipher, member_id, by=by, wanted=None)
        await team.dismiss(change.transaction, cipher.tenant_id, member_id, at=at)

    is_done = changes.make(looking, Permission.MANAGE_TEAM, "member.removed", member_id, work)
    if is_done:
        toasts.done_then("Removed from the team.")
    return is_done


def grantable(looking: Viewer) -> list[Role]:
    """What this person may give."""
    held = looking.workspace.role
    return [each for each in roles.RANKS if held in set(Role) and roles.may_grant(Role(held), each)]


def told(wanted: Role) -> str:
    return f"{wording.words(wanted.value)}: {_MEANING[wanted]}"


async def _refuse_change(
    change: Change, cipher: TenantCipher, member_id: UUID, *, by: Viewer, wanted: Role | None
) -> Role:
    """The role they hold now. Raises NotDone."""
    known = await members.locked_team(change.transaction, cipher.tenant_id)
    member = await members.find(change.transaction, cipher.tenant_id, member_id=member_id)
    if member is None:
        raise NotDone("they left the team meanwhile.")
    held = Role(member["role"])
    is_joined = member["joined_at"] is not None
    _refuse(rules.refuses_change(known, by=Role(by.workspace.role), held=held, is_joined=is_joined, wanted=wanted))
    return held


def _refuse(refusal: Refusal | None) -> None:
    if refusal is not None:
        words = rules.SAID[refusal]
        raise NotDone(words[:1].lower() + words[1:])
