"""Who is looking, what they may see, and which workspace they chose: asked anew on every run, never remembered."""

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import streamlit as st

from dashboards import data
from dashboards.operational import bridge
from dashboards.states import Refusal
from mychatflow import settings as configuration
from mychatflow.rules.role import Permission, Role, may
from mychatflow.store import arrivals
from mychatflow.store.viewers import Workspace

# The least role that may see a page; each role may do all that the ones before it may.
_ORDER = ("viewer", "agent", "admin", "owner")
_LOCAL_NAMES = {"localhost", "127.0.0.1", "::1"}
_ARRIVED = "arrived"
_FORWARDED = {"x-forwarded-for", "forwarded", "x-real-ip"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewer:
    """A signed-in person looking at one workspace."""

    name: str
    workspace: Workspace
    workspaces: tuple[Workspace, ...]
    is_local: bool

    @property
    def tenant_id(self) -> UUID:
        return self.workspace.tenant_id

    @property
    def timezone(self) -> str:
        return self.workspace.timezone

    @property
    def is_platform_staff(self) -> bool:
        return self.workspace.is_platform_staff

    @property
    def actor(self) -> str:
        """For the audit log, in the words of the API."""
        member_id = self.workspace.member_id
        return "local owner" if member_id is None else f"member:{member_id}"

    def permits(self, permission: Permission) -> bool:
        """Whether the role in this workspace holds that permission; an unknown role holds none."""
        role = self.workspace.role
        return role in set(Role) and may(Role(role), permission)

    def may(self, least: str) -> bool:
        """Whether the role in this workspace reaches that one."""
        return is_at_least(self.workspace.role, least)

    def looking_at(self, workspace: Workspace) -> "Viewer":
        return Viewer(name=self.name, workspace=workspace, workspaces=self.workspaces, is_local=self.is_local)


def is_at_least(role: str, least: str) -> bool:
    """An unknown role reaches nothing."""
    return role in _ORDER and _ORDER.index(role) >= _ORDER.index(least)


def look() -> Viewer | Refusal:
    """The person of this session and their first workspace, or why nothing may be shown."""
    settings = configuration.load()
    if settings.clerk_issuer:
        return _signed_in(at=datetime.now(UTC))
    return _in_development() if settings.env == "development" else "not_configured"


def again(looking: Viewer) -> Viewer | None:
    """The same person in the same workspace, asked anew: parts that run on their own outlive a membership."""
    found = local_owner() if looking.is_local else look()
    if not isinstance(found, Viewer):
        return None
    workspace = next((each for each in found.workspaces if each.tenant_id == looking.tenant_id), None)
    return None if workspace is None else found.looking_at(workspace)


def still(looking: Viewer, permission: Permission) -> bool:
    """Whether they may, when their page was made and now: a dialog stays open when a role changes."""
    current = again(looking)
    return looking.permits(permission) and current is not None and current.permits(permission)


def is_on_this_machine(*, address: str | None, host: str | None, headers: Sequence[str]) -> bool:
    """Whether a browser on this very machine asks, under a local name and through no proxy."""
    if any(name.lower() in _FORWARDED for name in headers):
        return False
    # A page of another site may resolve its name to 127.0.0.1; the name it asks for gives it away.
    return _is_loopback(address) and urlsplit(f"//{host or ''}").hostname in _LOCAL_NAMES


def local_owner() -> Viewer | Refusal:
    """The owner of a development machine, who sees every workspace on it."""
    return _viewer("Local owner", data.all_workspaces(), is_local=True)


def _is_loopback(address: str | None) -> bool:
    # Streamlit gives no address for a connection from localhost.
    if address is None:
        return True
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def _in_development() -> Viewer | Refusal:
    context = st.context
    headers = list(context.headers.keys())
    if not is_on_this_machine(address=context.ip_address, host=context.headers.get("host"), headers=headers):
        return "not_local"
    return local_owner()


def _signed_in(*, at: datetime) -> Viewer | Refusal:
    if not st.user.is_logged_in:
        return "sign_in"
    claims = st.user.to_dict()
    # Streamlit's cookie lives for thirty days whatever the token says, so its end is checked here.
    expires = claims.get("exp")
    if not isinstance(expires, int | float) or datetime.fromtimestamp(expires, tz=UTC) <= at:
        return "session_ended"
    subject = str(claims.get("sub") or "")
    if not subject:
        return "sign_in"
    _arrive(subject, claims, at=at)
    return _viewer(str(claims.get("name") or claims.get("email") or "You"), data.workspaces_of(subject), is_local=False)


def _arrive(subject: str, claims: Mapping[str, Any], *, at: datetime) -> None:
    """Once for each visit: teams that invited them take them in, if the provider says that the address is theirs."""
    if st.session_state.get(_ARRIVED) == subject:
        return
    address = verified_address(claims)
    if address is not None:
        name = claims.get("name")
        known_as = name[:200] if isinstance(name, str) else None
        bridge().with_store(partial(arrivals.welcome, subject=subject, address=address, name=known_as, at=at))
    st.session_state[_ARRIVED] = subject


def verified_address(claims: Mapping[str, Any]) -> str | None:
    """Some providers let anybody write any address into their profile: without their word for it, it is nobody's."""
    address = claims.get("email")
    is_theirs = claims.get("email_verified") is True and isinstance(address, str)
    return str(address).strip() or None if is_theirs else None


def _viewer(name: str, workspaces: Sequence[Workspace], *, is_local: bool) -> Viewer | Refusal:
    if not workspaces:
        return "nothing_here" if is_local else "no_workspace"
    return Viewer(name=name, workspace=workspaces[0], workspaces=tuple(workspaces), is_local=is_local)
