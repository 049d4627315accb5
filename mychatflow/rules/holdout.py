"""Who is left out for comparison: decided by a hash, so that it is the same whoever asks and however often."""

import hashlib
from typing import Final
from uuid import UUID

_PARTS: Final = 1 << 32
# The same rule in SQL, over the bound values :subject_id and :holdout_share and the column contacts.id.
HELD_OUT_SQL: Final = (
    "('x' || left(md5(cast(:subject_id as text) || ':' || contacts.id::text), 8))::bit(32)::bigint"
    f" < cast(:holdout_share as float8) * {_PARTS}"
)


def is_held_out(subject_id: UUID, contact_id: UUID, *, share: float) -> bool:
    """`subject_id` is the campaign or sequence: each draws its own control group."""
    digest = hashlib.md5(f"{subject_id}:{contact_id}".encode(), usedforsecurity=False).digest()
    return int.from_bytes(digest[:4], "big") < share * _PARTS
