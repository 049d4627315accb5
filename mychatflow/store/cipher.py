"""Message text and notes at rest: AES-GCM with one key per tenant, wrapped by the master key."""

import hashlib
import hmac
import os
import time
import unicodedata
from dataclasses import dataclass, field
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_NONCE_BYTES = 12
# Other processes' new keys are known, and dropped ones forgotten, after this long.
CACHED_SECONDS = 30.0
# Whose keys were dropped gets no new one.
_INSERT_KEY = text(
    """
    insert into tenant_keys (tenant_id, id, wrapped_key)
    select id, 1, :wrapped_key from tenants where id = :tenant_id and deleted_at is null
    on conflict do nothing
    """
)
_SELECT_KEYS = text("select id, wrapped_key from tenant_keys where tenant_id = :tenant_id order by id")


class Unreadable(Exception):
    """A blob that no key of this tenant opens for that row: wrong tenant, wrong row, erased key or damage."""


@dataclass(frozen=True, slots=True)
class TenantCipher:
    """Encrypts one tenant's text; `row_id` ties a blob to its row, so that no blob can be moved to another."""

    tenant_id: UUID
    version: int
    keys: dict[int, AESGCM] = field(repr=False)
    token_key: bytes = field(repr=False)
    # Writing an id out costs as much as encrypting a short text.
    written_id: str = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "written_id", str(self.tenant_id))

    def encrypt(self, plain: str, *, row_id: UUID | int | str) -> bytes:
        """Key version (1 byte), nonce (12), ciphertext and tag; 29 bytes more than the text's UTF-8."""
        return self.encrypt_bytes(plain.encode(), row_id=row_id)

    def encrypt_bytes(self, plain: bytes, *, row_id: UUID | int | str) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)
        sealed = self.keys[self.version].encrypt(nonce, plain, self._bound_to(row_id))
        return bytes([self.version]) + nonce + sealed

    def decrypt(self, blob: bytes, *, row_id: UUID | int | str) -> str:
        """Raises Unreadable."""
        try:
            return self.decrypt_bytes(blob, row_id=row_id).decode()
        except UnicodeDecodeError as error:
            raise Unreadable(f"row {row_id} of tenant {self.tenant_id} is no text") from error

    def decrypt_bytes(self, blob: bytes, *, row_id: UUID | int | str) -> bytes:
        """Raises Unreadable."""
        key = self.keys.get(blob[0]) if blob else None
        if key is None:
            raise Unreadable(f"no key for row {row_id} of tenant {self.tenant_id}")
        nonce, sealed = blob[1 : 1 + _NONCE_BYTES], blob[1 + _NONCE_BYTES :]
        try:
            return key.decrypt(nonce, sealed, self._bound_to(row_id))
        except (InvalidTag, ValueError) as error:
            raise Unreadable(f"row {row_id} of tenant {self.tenant_id} does not open") from error

    def token_hashes(self, plain: str) -> list[int]:
        """Keyed 64-bit hashes of the text's words, for word search over encrypted text."""
        words = set(unicodedata.normalize("NFKC", plain).casefold().split())
        digests = (hmac.digest(self.token_key, word.strip(".,;:!?¿¡…\"'()").encode(), "sha256") for word in words)
        return sorted({int.from_bytes(digest[:8], "big", signed=True) for digest in digests})

    def mark(self, purpose: str) -> str:
        """A word of 20 letters that is always the same for this tenant and that nobody else can guess."""
        # No text holds a NUL, so no word's hash is ever a mark.
        digest = hmac.digest(self.token_key, b"\0" + purpose.encode(), "sha256")
        return "".join(chr(ord("a") + byte % 26) for byte in digest[:20])

    def _bound_to(self, row_id: UUID | int | str) -> bytes:
        return f"{self.written_id}:{row_id}".encode()


class KeyRing:
    """The tenants' keys of this process, unwrapped once and kept in memory for a while.

    Several master keys, the newest first: it wraps, and all of them unwrap.
    """

    def __init__(self, *masters: bytes) -> None:
        self._masters = [AESGCM(master) for master in masters]
        self._ciphers: dict[UUID, tuple[float, TenantCipher]] = {}

    def known(self, tenant_id: UUID) -> TenantCipher | None:
        expires_at, cipher = self._ciphers.get(tenant_id, (0.0, None))
        return cipher if time.monotonic() < expires_at else None

    async def for_tenant(self, tenant_id: UUID, transaction: AsyncConnection) -> TenantCipher:
        """The tenant's cipher; makes and stores the tenant's first key inside this transaction. Raises Unreadable."""
        cipher = self.known(tenant_id)
        if cipher is not None:
            return cipher
        parameters = {"tenant_id": tenant_id}
        rows = (await transaction.execute(_SELECT_KEYS, parameters)).all()
        if not rows:
            await transaction.execute(_INSERT_KEY, parameters | {"wrapped_key": self.wrap_new_key(tenant_id)})
            rows = (await transaction.execute(_SELECT_KEYS, parameters)).all()
            # Not cached yet: the transaction may still be rolled back, and the key with it.
            return self._unwrap_all(tenant_id, {row.id: row.wrapped_key for row in rows})
        return self.remember(tenant_id, {row.id: row.wrapped_key for row in rows})

    def remember(self, tenant_id: UUID, wrapped: dict[int, bytes]) -> TenantCipher:
        """For callers that read tenant_keys (version → wrapped key) with statements of their own."""
        cipher = self._unwrap_all(tenant_id, wrapped)
        self._ciphers[tenant_id] = (time.monotonic() + CACHED_SECONDS, cipher)
        return cipher

    def forget(self, tenant_id: UUID) -> None:
        self._ciphers.pop(tenant_id, None)

    def wrap_new_key(self, tenant_id: UUID) -> bytes:
        """A fresh tenant key under the master key, for the column tenant_keys.wrapped_key."""
        return self._wrap(tenant_id, os.urandom(32))

    def rewrap(self, tenant_id: UUID, blob: bytes) -> bytes:
        """The same key under the newest master key. Raises Unreadable."""
        return self._wrap(tenant_id, self._unwrap(tenant_id, blob))

    def _wrap(self, tenant_id: UUID, key: bytes) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._masters[0].encrypt(nonce, key, tenant_id.bytes)

    def _unwrap_all(self, tenant_id: UUID, wrapped: dict[int, bytes]) -> TenantCipher:
        if not wrapped:
            raise Unreadable(f"the keys of tenant {tenant_id} were dropped")
        raw = {version: self._unwrap(tenant_id, blob) for version, blob in wrapped.items()}
        # A negative version is on its way: it reads already, and never writes.
        keys = {abs(version): AESGCM(key) for version, key in raw.items()}
        token_key = hmac.digest(raw[min(raw, key=abs)], b"word search", "sha256")
        return TenantCipher(tenant_id, max(raw), keys, token_key)

    def _unwrap(self, tenant_id: UUID, blob: bytes) -> bytes:
        for master in self._masters:
            try:
                return master.decrypt(blob[:_NONCE_BYTES], blob[_NONCE_BYTES:], tenant_id.bytes)
            except InvalidTag:
                continue
        raise Unreadable(f"no master key opens the key of tenant {tenant_id}")


def wa_hash(master: bytes, tenant_id: UUID, wa_id: str) -> str:
    """The keyed hash under which a WhatsApp id may leave the operational store (32 hex digits)."""
    return hmac.new(master, f"wa:{tenant_id}:{wa_id}".encode(), hashlib.sha256).hexdigest()[:32]


def platform_cipher(master: bytes) -> TenantCipher:
    """For what belongs to no tenant yet: dead letters of unknown sessions."""
    nobody = UUID(int=0)
    key = hmac.digest(master, b"platform", "sha256")
    return TenantCipher(nobody, 1, {1: AESGCM(key)}, hmac.digest(key, b"word search", "sha256"))
