"""What a page shows instead of numbers: nothing yet, not allowed, or something failed, each in one honest sentence."""

from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from functools import partial
from typing import Any, Literal, assert_never

import streamlit as st
import structlog

from dashboards import parts
from mychatflow.store.session import AWAY
from warehouse import reader
from warehouse.reader import NothingPublished

Refusal = Literal["sign_in", "not_configured", "no_workspace", "nothing_here", "not_local", "session_ended"]
_NOBODY_INVITED = (
    "You are signed in, but nobody has invited you at an address that your sign-in says is yours. Ask an owner or "
    "admin for an invitation to it; it is open for seven days."
)
log = structlog.get_logger(__name__)


def guarded(page: Callable[[], None]) -> None:
    """Run the page; when its sources have nothing or do not answer, say so in its place."""
    try:
        page()
    except NothingPublished:
        card(
            "empty",
            "The first numbers are on their way",
            "Nothing is published yet. They appear here after the next hourly run, or at once with mychatflow rollup.",
        )
        live(_look_again, every="3s")
    except (*AWAY, OSError) as error:
        log.warning("page failed", error=type(error).__name__)
        card(
            "failed",
            "The database does not answer",
            "This page cannot be shown right now. It tries again when you reload; mychatflow doctor names the cause.",
        )


def _look_again() -> None:
    """The first numbers of all came while somebody waited for them."""
    with suppress(NothingPublished):
        reader.current().version()
        st.rerun()


def reading(height: int) -> AbstractContextManager[Any]:
    """A grey sheet of the height that the numbers will have, when they take longer than a moment."""
    return st.skeleton(height=height)


def live(part: Callable[[], None], *, every: str, key: str | None = None) -> None:
    """Run the part of a page now and again by itself; it answers for its own failures, since no page runs around it."""
    st.fragment(run_every=every, key=key)(partial(guarded, part))()


def forbidden(title: str, least: str) -> None:
    """The page of somebody whose role does not open it."""
    who = "the platform's staff" if least == "staff" else f"the role {least} and above"
    st.html(parts.page_title(title, "This page is closed to you"))
    card("closed", "Your role does not open this page", f"It is for {who}. An owner or admin can change your role.")


def refused(reason: Refusal) -> None:
    """The page of somebody who may not see any."""
    match reason:
        case "sign_in":
            card("closed", "Sign in to MyChatFlow", "Your organisation's sign-in page opens in this window.")
            st.button("Sign in", type="primary", on_click=st.login)
        case "session_ended":
            card("closed", "Your session has ended", "Sign in again to go on where you were.")
            st.button("Sign in again", type="primary", on_click=st.login)
        case "no_workspace":
            card("closed", "No workspace yet", _NOBODY_INVITED)
            if st.user.get("is_logged_in"):
                st.button("Sign out", on_click=st.logout)
        case "nothing_here":
            card(
                "empty",
                "This installation has no workspace yet",
                "It appears by itself once there is one: mychatflow demo, or mychatflow tenant create.",
            )
        case "not_configured":
            card("closed", "Sign-in is not configured", "Set CLERK_ISSUER to your identity provider, then start again.")
        case "not_local":
            card(
                "closed",
                "Only from this machine",
                "Without an identity provider the dashboards answer on localhost alone. Set CLERK_ISSUER to open them.",
            )
        case _:
            assert_never(reason)


def empty(title: str, sentence: str) -> None:
    """A card without data, inside a page that otherwise has some."""
    st.html(parts.state("empty", title, sentence))


def explain_failure(error: Exception) -> bool:
    """Show our own page for a defect; its details go to the log, never to the browser."""
    log.error("page broke", exc_info=error)
    card("failed", "Something broke on our side", "It has been logged. Reload the page, or choose another one.")
    return True


def ended() -> None:
    """In place of a part that runs long after its page did, once the role was changed or the membership ended."""
    empty("Your access has ended", "Reload the page to see what your role opens now.")


def card(kind: str, title: str, sentence: str) -> None:
    with st.container(border=True, key=f"card-state-{kind}"):
        st.html(parts.state(kind, title, sentence))
