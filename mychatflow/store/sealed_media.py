"""What a message's file is called and which place it names: sealed within the row's `media`, clear in older rows."""

import base64
import json
from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from mychatflow.store.cipher import TenantCipher

# Says nothing of a person, and is counted or routed by.
_CLEAR: Final = frozenset({"mimetype", "error", "shape", "url"})
_SEALED: Final = "sealed"


def sealed(media: Mapping[str, Any], cipher: TenantCipher, *, row_id: UUID) -> dict[str, Any]:
    private = {name: value for name, value in media.items() if name not in _CLEAR}
    kept = {name: value for name, value in media.items() if name in _CLEAR}
    if not private:
        return kept
    blob = cipher.encrypt(json.dumps(private), row_id=row_id)
    return kept | {_SEALED: base64.b64encode(blob).decode()}


def opened(media: Mapping[str, Any], cipher: TenantCipher, *, row_id: UUID) -> dict[str, Any]:
    """Either form as it was before it was sealed. Raises Unreadable."""
    shown = {name: value for name, value in media.items() if name != _SEALED}
    if _SEALED not in media:
        return shown
    private: dict[str, Any] = json.loads(cipher.decrypt(base64.b64decode(media[_SEALED]), row_id=row_id))
    return shown | private
