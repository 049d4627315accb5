"""Where finished copies lie until they are fetched: sealed with the tenant's key, a piece at a time."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final
from uuid import UUID

from mychatflow.store.cipher import TenantCipher

_PIECE: Final = 1 << 20
_LENGTH_BYTES: Final = 4


@dataclass(frozen=True, slots=True)
class ExportVault:
    """Blocking: call it in a thread. Whoever drops the tenant's key drops every copy with it."""

    folder: Path

    def save(self, cipher: TenantCipher, export_id: UUID, plain: BinaryIO) -> int:
        """Whole or not at all; returns how many bytes the copy has."""
        path = self._path(cipher.tenant_id, export_id)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        total = 0
        try:
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                for number, piece in enumerate(iter(lambda: plain.read(_PIECE), b"")):
                    sealed = cipher.encrypt_bytes(piece, row_id=f"{export_id}:{number}")
                    file.write(len(sealed).to_bytes(_LENGTH_BYTES, "big") + sealed)
                    total += len(piece)
            draft.replace(path)
        finally:
            # Half of a copy, where the disk is full: nobody would ever look for it again.
            draft.unlink(missing_ok=True)
        return total

    def load(self, cipher: TenantCipher, export_id: UUID) -> Iterator[bytes]:
        """Raises FileNotFoundError before the first piece, cipher.Unreadable for damage."""
        with self._path(cipher.tenant_id, export_id).open("rb") as file:
            number = 0
            while head := file.read(_LENGTH_BYTES):
                sealed = file.read(int.from_bytes(head, "big"))
                yield cipher.decrypt_bytes(sealed, row_id=f"{export_id}:{number}")
                number += 1

    def remove(self, tenant_id: UUID, export_id: UUID) -> None:
        self._path(tenant_id, export_id).unlink(missing_ok=True)

    def remove_all(self, tenant_id: UUID) -> None:
        shutil.rmtree(self.folder / str(tenant_id), ignore_errors=True)

    def _path(self, tenant_id: UUID, export_id: UUID) -> Path:
        return self.folder / str(tenant_id) / export_id.hex
