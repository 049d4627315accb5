"""Who works here and what programs may do: the team, and the keys of the API."""

from datetime import datetime
from typing import Any
from uuid import UUID

import streamlit as st

from dashboards import changes, forms, parts, shell, states, wording
from dashboards.changes import NotDone
from dashboards.parts import Column
from dashboards.setup import data, people
from dashboards.viewer import Viewer
from mychatflow.rules import role
from mychatflow.rules.role import Permission, Role
from mychatflow.store import api_keys
from mychatflow.store.api_keys import ApiKey
from mychatflow.store.cipher import TenantCipher
from mychatflow.store.on_record import Change

_NEW_KEY = "new-api-key"
_NAME = "api-key-name"
_ROLE = "api-key-role"


def show(looking: Viewer, *, at: datetime) -> None:
    """People on the left, keys on the right."""
    st.html(parts.page_title("Team & keys", "Each role may do all that the ones before it may"))
    left, right = st.columns(2)
    with left.container(border=True, height="stretch", key="card-team"):
        _people(looking, at=at)
    with right.container(border=True, height="stretch", key="card-keys"):
        _keys(looking, at=at)


def _people(looking: Viewer, *, at: datetime) -> None:
    st.html(parts.card_title("People", "Whoever is on duty hears of hand-offs by e-mail"))
    people.invite_form(looking)
    rows = data.team(looking.tenant_id)
    if not rows:
        states.empty("Nobody is a member yet", "Invite somebody, or let them join through your identity provider.")
        return
    columns = [Column(title=name) for name in ("Person", "Role", "On duty", "Joined")]
    cells = [
        (
            _who(row),
            parts.chip(wording.words(row["role"]), "good" if row["role"] == "owner" else "quiet"),
            "yes" if row["is_on_duty"] else "no",
            wording.ago(row["joined_at"], at=at) if row["joined_at"] else parts.chip("invited", "warn"),
        )
        for row in rows
    ]
    st.html(parts.table(columns, cells, label="Team"))
    people.change_form(looking, rows)


def _who(row: dict[str, Any]) -> str:
    """By name, with the address below; whoever has not told a name is their address."""
    address = wording.escaped(row["email"])
    return f"{wording.escaped(row['name'])}<br><small>{address}</small>" if row["name"] else address


def _keys(looking: Viewer, *, at: datetime) -> None:
    st.html(
        parts.card_title("API keys", "Shown once, kept as a hash; revoked together with all that were made with it")
    )
    secret = st.session_state.pop(_NEW_KEY, None)
    if secret:
        st.success("Copy the key now: it is not shown again.")
        st.code(secret, language=None)
    with st.form("new-key", border=False):
        st.text_input("What it is for", max_chars=200, placeholder="Web shop", key=_NAME)
        st.selectbox("Role", people.grantable(looking), format_func=wording.words, key=_ROLE)
        st.form_submit_button("Make a key", type="primary", on_click=make_key, args=(looking,))
    live = [key for key in data.keys(looking.tenant_id) if key.revoked_at is None]
    if not live:
        states.empty("No key yet", "Programs that use the API need one.")
        return
    columns = [Column(title=title) for title in ("Key", "Role", "Last used")]
    cells = [
        (
            f"{wording.escaped(key.name)}<br><small>{wording.escaped(key.prefix)}…</small>",
            parts.chip(wording.words(key.role)),
            wording.ago(key.last_used_at, at=at),
        )
        for key in live
    ]
    st.html(parts.table(columns, cells, label="API keys"))
    _revoke_one(looking, live)


def make_key(looking: Viewer) -> None:
    """The secret is shown on this run and then forgotten; what was typed stays when it is refused."""
    label, held = forms.typed(_NAME), Role(forms.value(_ROLE))

    async def work(change: Change, cipher: TenantCipher, by: Viewer, _at: datetime) -> None:
        if not label:
            raise NotDone("say what the key is for.")
        if not role.may_grant(Role(by.workspace.role), held):
            raise NotDone("a key cannot hold more than whoever makes it.")
        key, secret = await api_keys.create(
            change.transaction, cipher.tenant_id, name=label, role=held, created_by=by.workspace.member_id
        )
        change.subject = str(key.key_id)
        change.detail.update(role=held.value, prefix=key.prefix)
        made.append(secret)

    made: list[str] = []
    if changes.make(looking, Permission.MANAGE_API_KEYS, "api_key.created", None, work):
        st.session_state[_NEW_KEY] = made[0]
        st.session_state[_NAME] = ""


def _revoke_one(looking: Viewer, keys: list[ApiKey]) -> None:
    by_id = {key.key_id: f"{key.name} ({key.prefix}…)" for key in keys}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = st.selectbox(
            "Revoke a key", list(by_id), index=None, format_func=by_id.__getitem__, key=shell.renewed("revoke")
        )
        if st.button("Revoke it", disabled=chosen is None, key="revoke-key") and chosen is not None:
            revoke(looking, chosen)
            shell.renew("revoke")
            st.rerun()


def revoke(looking: Viewer, key_id: UUID) -> bool:
    async def work(change: Change, cipher: TenantCipher, _by: Viewer, at: datetime) -> None:
        count = await api_keys.revoke(change.transaction, cipher.tenant_id, key_id, at=at)
        if not count:
            raise NotDone("this key was revoked before.")
        change.detail["keys"] = count

    return changes.make(looking, Permission.MANAGE_API_KEYS, "api_key.revoked", key_id, work)
