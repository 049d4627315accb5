"""The bytes of pictures, voice notes and documents: one sealed file each, under the tenant's own folder."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from mychatflow.store.cipher import TenantCipher


@dataclass(frozen=True, slots=True)
class MediaVault:
    """Blocking: call it in a thread. A file says nothing without the tenant's key."""

    folder: Path

    def save(self, cipher: TenantCipher, media_id: UUID, data: bytes) -> None:
        """Whole or not at all; the same id again is the same file."""
        path = self._path(cipher.tenant_id, media_id)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(cipher.encrypt_bytes(data, row_id=media_id))
        draft.replace(path)

    def load(self, cipher: TenantCipher, media_id: UUID) -> bytes | None:
        """None when the file is gone. Raises cipher.Unreadable."""
        try:
            sealed = self._path(cipher.tenant_id, media_id).read_bytes()
        except FileNotFoundError:
            return None
        return cipher.decrypt_bytes(sealed, row_id=media_id)

    def remove(self, tenant_id: UUID, media_id: UUID) -> None:
        self._path(tenant_id, media_id).unlink(missing_ok=True)

    def remove_all(self, tenant_id: UUID) -> None:
        shutil.rmtree(self.folder / str(tenant_id), ignore_errors=True)

    def _path(self, tenant_id: UUID, media_id: UUID) -> Path:
        return self.folder / str(tenant_id) / media_id.hex[:2] / media_id.hex
