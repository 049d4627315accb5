"""Who is forgotten, in a file beside the database that no restore takes back: people, and whole tenants."""

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID

FILE_NAME: Final = "erased.jsonl"


@dataclass(frozen=True, slots=True)
class ForgottenList:
    """One JSON object a line; the hashes of WhatsApp ids are keyed, so the file names nobody."""

    path: Path

    def add_people(self, tenant_id: UUID, wa_hashes: Iterable[str], *, at: datetime) -> None:
        """Raises OSError when they could not be put on disk."""
        about = {"tenant_id": str(tenant_id), "erased_at": at.isoformat()}
        self._add([about | {"wa_hash": wa_hash} for wa_hash in wa_hashes])

    def add_tenant(self, tenant_id: UUID, *, at: datetime) -> None:
        """Raises OSError when it could not be put on disk."""
        self._add([{"tenant_id": str(tenant_id), "shredded_at": at.isoformat()}])

    def people(self) -> list[Mapping[str, Any]]:
        """Rows of tenant_id, wa_hash, erased_at, in no order."""
        return [
            {
                "tenant_id": UUID(line["tenant_id"]),
                "wa_hash": line["wa_hash"],
                "erased_at": datetime.fromisoformat(line["erased_at"]),
            }
            for line in self._lines()
            if "wa_hash" in line
        ]

    def tenants(self) -> set[UUID]:
        """Whose keys were dropped; an id is never used again."""
        return {UUID(line["tenant_id"]) for line in self._lines() if "shredded_at" in line}

    def _add(self, lines: Iterable[Mapping[str, str]]) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with os.fdopen(os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a") as file:
            # Begun anew: a full disk may have cut off the last line of whoever came before.
            file.write("\n" + "".join(f"{json.dumps(line)}\n" for line in lines))
            file.flush()
            os.fsync(file.fileno())

    def _lines(self) -> list[dict[str, str]]:
        lines = self.path.read_text().splitlines() if self.path.exists() else []
        return [parsed for line in lines if (parsed := _parsed(line))]


def _parsed(line: str) -> dict[str, str] | None:
    """None of a line that was cut off: its erasure was not committed, and was done again under a line of its own."""
    try:
        found: dict[str, str] = json.loads(line)
    except json.JSONDecodeError:
        return None
    return found
