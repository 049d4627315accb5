"""The bytes of pictures, voice notes and documents: one sealed file each, in a folder or in a bucket."""

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from mychatflow.settings import Settings
from mychatflow.store.cipher import TenantCipher

if TYPE_CHECKING:
    from obstore.store import S3Config

_DEFAULT_REGION: Final = "us-east-1"
_TIMEOUT: Final = "15s"
_CONNECT_TIMEOUT: Final = "3s"
# Whoever calls tries again later by itself: here only a hiccup is waited out.
_RETRIES: Final = 2
_RETRYING: Final = timedelta(seconds=20)


class Shelf(Protocol):
    """Where files lie under their paths; what is wrong with the place itself is an OSError."""

    def put(self, path: str, data: bytes) -> None: ...
    def get(self, path: str) -> bytes | None: ...
    def remove(self, path: str) -> None: ...
    def remove_these(self, paths: Sequence[str]) -> None: ...
    def remove_under(self, path: str) -> None: ...


@dataclass(frozen=True, slots=True)
class MediaVault:
    """Blocking: call it in a thread. A file says nothing without the tenant's key, wherever it lies."""

    shelf: Shelf

    def save(self, cipher: TenantCipher, media_id: UUID, data: bytes) -> None:
        """Whole or not at all; the same id again is the same file. Raises OSError."""
        self.shelf.put(_path(cipher.tenant_id, media_id), cipher.encrypt_bytes(data, row_id=media_id))

    def load(self, cipher: TenantCipher, media_id: UUID) -> bytes | None:
        """None when the file is gone. Raises cipher.Unreadable and OSError."""
        sealed = self.shelf.get(_path(cipher.tenant_id, media_id))
        return None if sealed is None else cipher.decrypt_bytes(sealed, row_id=media_id)

    def remove(self, tenant_id: UUID, media_id: UUID) -> None:
        """Raises OSError, so that nobody believes gone what is still there."""
        self.shelf.remove(_path(tenant_id, media_id))

    def remove_these(self, tenant_id: UUID, media_ids: Sequence[UUID]) -> None:
        """Raises OSError; some may be gone then, and to ask again does no harm."""
        self.shelf.remove_these([_path(tenant_id, media_id) for media_id in media_ids])

    def remove_all(self, tenant_id: UUID) -> None:
        self.shelf.remove_under(str(tenant_id))


def opened(settings: Settings) -> MediaVault:
    """The installation's vault: MEDIA_URL's bucket, or the folder that the web and the workers share."""
    if settings.media_url is None:
        return MediaVault(Folder(settings.media_dir))
    key = settings.media_access_key.get_secret_value() if settings.media_access_key else None
    return MediaVault(Bucket.at(settings.media_url, key))


@dataclass(frozen=True, slots=True)
class Folder:
    root: Path

    def put(self, path: str, data: bytes) -> None:
        place = self.root / path
        place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = place.with_name(f".{place.name}.{os.getpid()}")
        try:
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(data)
            draft.replace(place)
        finally:
            # Half of a file, where the disk is full: nobody would ever look for it again.
            draft.unlink(missing_ok=True)

    def get(self, path: str) -> bytes | None:
        try:
            return (self.root / path).read_bytes()
        except FileNotFoundError:
            return None

    def remove(self, path: str) -> None:
        (self.root / path).unlink(missing_ok=True)

    def remove_these(self, paths: Sequence[str]) -> None:
        for path in paths:
            self.remove(path)

    def remove_under(self, path: str) -> None:
        shutil.rmtree(self.root / path, ignore_errors=True)


class BucketFailed(OSError):
    """The bucket did not do what was asked: it is away, is not there or lets us not in."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """Any store that speaks S3."""

    store: S3Store

    @classmethod
    def at(cls, url: str, access_key: str | None) -> "Bucket":
        """`s3://bucket/prefix?endpoint=…&region=…`; without a key, that of the machine's own role."""
        parts = urlsplit(url)
        given = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        config: S3Config = {"region": given.get("region", _DEFAULT_REGION)}
        if access_key:
            config["access_key_id"], _, config["secret_access_key"] = access_key.partition(":")
        if "endpoint" in given:
            config["endpoint"] = given["endpoint"]
        return cls(
            S3Store(
                parts.netloc,
                prefix=parts.path.strip("/") or None,
                config=config,
                client_options={
                    "allow_http": given.get("endpoint", "").startswith("http://"),
                    "timeout": _TIMEOUT,
                    "connect_timeout": _CONNECT_TIMEOUT,
                },
                retry_config={"max_retries": _RETRIES, "retry_timeout": _RETRYING},
            )
        )

    def put(self, path: str, data: bytes) -> None:
        try:
            obstore.put(self.store, path, data)
        except BaseError as error:
            raise BucketFailed("file not kept") from error

    def get(self, path: str) -> bytes | None:
        try:
            return bytes(obstore.get(self.store, path).bytes())
        except FileNotFoundError as error:
            # A bucket that is not there has lost no file.
            if "NoSuchBucket" in str(error):
                raise BucketFailed("no such bucket") from error
            return None
        except BaseError as error:
            raise BucketFailed("file not read") from error

    def remove(self, path: str) -> None:
        try:
            obstore.delete(self.store, path)
        except BaseError as error:
            raise BucketFailed("file not removed") from error

    def remove_these(self, paths: Sequence[str]) -> None:
        """A thousand with each request, as S3 takes them."""
        try:
            obstore.delete(self.store, list(paths))
        except BaseError as error:
            raise BucketFailed("files not removed") from error

    def remove_under(self, path: str) -> None:
        try:
            for page in obstore.list(self.store, prefix=path):
                obstore.delete(self.store, [found["path"] for found in page])
        except BaseError as error:
            raise BucketFailed("files not removed") from error


def _path(tenant_id: UUID, media_id: UUID) -> str:
    return f"{tenant_id}/{media_id.hex[:2]}/{media_id.hex}"
