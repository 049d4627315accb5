"""Lists page by page: each page ends with a signed cursor that says where the next one begins."""

import base64
import binascii
import hmac
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Final, Generic, TypeVar
from uuid import UUID

from fastapi import Query
from pydantic import BaseModel, ConfigDict

from realtime.api.desk import Desk
from realtime.api.problems import Problem

Item = TypeVar("Item", bound=BaseModel)
MOST: Final = 500
_TAG_BYTES: Final = 16
Limit = Annotated[int, Query(ge=1, description=f"How many at most; {MOST} whatever is asked for.")]
Cursor = Annotated[str | None, Query(max_length=400, description="`next_cursor` of the page before.")]


class Page(BaseModel, Generic[Item]):
    """One page; no cursor on the last."""

    model_config = ConfigDict(frozen=True)

    data: list[Item]
    next_cursor: str | None


def size(limit: int) -> int:
    return min(limit, MOST)


def page(
    desk: Desk, name: str, model: type[Item], rows: Sequence[Mapping[str, Any]], *, limit: int, by: tuple[str, str]
) -> Page[Item]:
    """`rows` holds one more than `limit` when there is a next page; `by` names the columns of its order."""
    shown = rows[: size(limit)]
    following = seal(desk, name, shown[-1][by[0]], shown[-1][by[1]]) if len(rows) > len(shown) else None
    return Page(data=[model.model_validate(dict(row)) for row in shown], next_cursor=following)


def seal(desk: Desk, name: str, at: datetime | None, row_id: UUID | int) -> str:
    body = json.dumps([at.isoformat() if at else None, str(row_id)]).encode()
    return base64.urlsafe_b64encode(_tag(desk, name, body) + body).decode().rstrip("=")


def opened(desk: Desk, name: str, cursor: str | None) -> dict[str, Any]:
    """`before_at` and `before_id` of that cursor, both None without one. Raises Problem for one that is not ours."""
    if cursor is None:
        return {"before_at": None, "before_id": None}
    try:
        # One form only: ours come without padding.
        raw = (
            b"" if "=" in cursor else base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        )
        tag, body = raw[:_TAG_BYTES], raw[_TAG_BYTES:]
    except (binascii.Error, ValueError) as error:
        raise _forged() from error
    if not hmac.compare_digest(tag, _tag(desk, name, body)):
        raise _forged()
    at, row_id = json.loads(body)
    return {"before_at": datetime.fromisoformat(at) if at else None, "before_id": row_id}


def _tag(desk: Desk, name: str, body: bytes) -> bytes:
    """Bound to tenant and list: a cursor opens nothing else."""
    key = desk.doors.settings.derived_secret("cursor").encode()
    return hmac.digest(key, f"{desk.tenant_id}:{name}:".encode() + body, "sha256")[:_TAG_BYTES]


def _forged() -> Problem:
    return Problem(400, "invalid_cursor", "This cursor does not come from this list.")
