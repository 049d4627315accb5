"""The one way a page changes anything: by permission asked anew, on record, and with a word when it is refused."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy.exc import SQLAlchemyError

from dashboards import toasts, viewer
from dashboards.operational import bridge
from dashboards.viewer import Viewer
from mychatflow.rules.role import Permission
from mychatflow.store.cipher import TenantCipher
from mychatflow.store.on_record import Change

log = structlog.get_logger(__name__)
# The change, the tenant's cipher, who changes it and when.
Work = Callable[[Change, TenantCipher, Viewer, datetime], Awaitable[Any]]


class NotDone(Exception):
    """The change cannot be made now; its words are for the person who asked."""


def refuse_stale(shown: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raises NotDone for a row that changed since a form showed it, which would write all of its past over that.

    Read `now` of a row that is held (row_lock), or two who save at once both pass.
    """
    if any(shown[name] != now[name] for name in now if name in shown):
        raise NotDone("a colleague changed this meanwhile. Close this and open it again to see how it stands now.")


def make(looking: Viewer, permission: Permission, action: str, subject: UUID | str | None, work: Work) -> bool:
    """Whether it was done; if not, the page says why and nothing changed."""
    at = datetime.now(UTC)
    try:
        current = viewer.again(looking)
        if current is None or not current.permits(permission):
            toasts.refused("your role does not allow this.", icon=":material/block:")
            return False
        bridge().changing(
            current.tenant_id,
            lambda change, cipher: work(change, cipher, current, at),
            actor=current.actor,
            action=action,
            subject=subject,
            at=at,
        )
    except NotDone as refused:
        toasts.refused(refused)
        return False
    except (SQLAlchemyError, OSError) as error:
        log.warning("change failed", action=action, error=type(error).__name__)
        toasts.refused("the database does not answer. Try again.", icon=":material/error:")
        return False
    return True
