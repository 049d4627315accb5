"""The views of a page: its filters under a name, one's own or the workspace's, opened by an address."""

from datetime import datetime
from functools import partial
from urllib.parse import parse_qsl, urlencode
from uuid import UUID

import streamlit as st

from dashboards import changes, data, parts, shell, toasts
from dashboards.changes import NotDone
from dashboards.viewer import Viewer
from mychatflow.rules.role import Permission
from mychatflow.store import saved_views
from mychatflow.store.cipher import TenantCipher
from mychatflow.store.on_record import Change
from mychatflow.store.saved_views import SavedView

_WORKSPACE = "workspace"


def menu(looking: Viewer, page: str) -> None:
    """Names to open and a field to save what is on the page now; `page` is the page's address."""
    views = data.saved_views(looking.tenant_id, page=page, member_id=looking.workspace.member_id)
    with st.popover("Views", type="tertiary", icon=":material/bookmark:", key="views"):
        for view in views:
            _line(looking, view)
        if not views:
            st.caption("Save the filters of this page under a name, to come back to them.")
        with st.form("new-view", border=False, clear_on_submit=True):
            name = "Weekdays with long waits"
            st.text_input("Name", key="view-name", max_chars=saved_views.LONGEST_NAME, placeholder=name)
            if looking.permits(Permission.EDIT_CONTACTS):
                st.checkbox("Share with the workspace", key="view-shared")
            st.form_submit_button("Save this view", key="save-view", on_click=partial(_save, looking, page))


def filters_now() -> str:
    """What the address says beside the workspace, which a view belongs to anyway."""
    found = [(name, value) for name in st.query_params for value in st.query_params.get_all(name)]
    return urlencode(sorted(pair for pair in found if pair[0] != _WORKSPACE))


def address(filters: str, workspace: str | None) -> str:
    """The page's address with those filters; encoded anew, so that it is never anything but filters."""
    pairs = parse_qsl(filters) + ([(_WORKSPACE, workspace)] if workspace else [])
    return f"?{urlencode(pairs)}"


def _line(looking: Viewer, view: SavedView) -> None:
    told = "" if view.is_mine and not view.is_shared else "shared"
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key=f"view-{view.view_id}"):
        st.html(parts.view_link(view.name, address(view.filters, st.query_params.get(_WORKSPACE)), told))
        if view.is_mine or looking.permits(Permission.MANAGE_SETTINGS):
            st.button(
                f"Remove {shell.plain(view.name)}",
                key=f"remove-{view.view_id}",
                icon=":material/close:",
                type="tertiary",
                on_click=partial(_remove, looking, view.view_id),
            )


def _save(looking: Viewer, page: str) -> None:
    filters = filters_now()
    name = str(st.session_state.get("view-name") or "").strip()
    if not name:
        toasts.refused("give the view a name.", what="Nothing was saved")
        return
    if len(filters) > saved_views.LONGEST_FILTERS:
        toasts.refused("this page has more filters than a view can hold.", what="Nothing was saved")
        return
    is_shared = bool(st.session_state.get("view-shared"))
    permission = Permission.EDIT_CONTACTS if is_shared else Permission.VIEW_ANALYTICS
    changes.make(looking, permission, "view.saved", None, partial(_write, page, name, filters, is_shared))


def _remove(looking: Viewer, view_id: UUID) -> None:
    changes.make(looking, Permission.VIEW_ANALYTICS, "view.removed", view_id, partial(_erase, view_id))


async def _write(
    page: str, name: str, filters: str, is_shared: bool, change: Change, cipher: TenantCipher, by: Viewer, at: datetime
) -> None:
    await saved_views.keep(
        change.transaction,
        cipher.tenant_id,
        page=page,
        name=name,
        filters=filters,
        is_shared=is_shared,
        member_id=by.workspace.member_id,
        at=at,
    )


async def _erase(view_id: UUID, change: Change, cipher: TenantCipher, by: Viewer, at: datetime) -> None:
    del at
    may_tidy, member_id = by.permits(Permission.MANAGE_SETTINGS), by.workspace.member_id
    if not await saved_views.forget(
        change.transaction, cipher.tenant_id, view_id, member_id=member_id, may_tidy=may_tidy
    ):
        raise NotDone("this view is gone, or a colleague's.")
