"""Files lie sealed in a folder or in a bucket, and go when they must, wherever they lie."""

import io
import resource
import zipfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import ClassVar
from uuid import UUID, uuid4

import obstore
import psycopg
import pytest
from sqlalchemy import text

from mychatflow.local import checkup
from mychatflow.settings import Settings
from mychatflow.store import erasure, export, media_files, media_vault, tenants
from mychatflow.store.media_vault import Bucket, BucketFailed, Folder, MediaVault
from mychatflow.store.privacy import Privacy
from mychatflow.store.session import Store
from tests.factories import a_contact, a_tenant
from tests.fakes import s3 as s3_server
from tests.journeys.conftest import varied

DATA = b"%PDF-1.7 what a customer sent"


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """A server that speaks S3, with the bucket `files`."""
    with s3_server.serving("files") as address:
        yield f"s3://files/media?endpoint={address}"


@pytest.fixture(params=["folder", "bucket"])
def kept(request: pytest.FixtureRequest, fresh: Settings) -> Settings:
    """An installation that keeps its files there."""
    if request.param == "folder":
        return fresh
    url = request.getfixturevalue("s3").replace("/media", f"/{uuid4().hex}")
    return varied(fresh, media_url=url, media_access_key="key:secret")


def names(settings: Settings, tenant_id: UUID | None = None) -> list[str]:
    """What is kept there, of that tenant alone where others of this run have theirs beside it."""
    shelf = media_vault.opened(settings).shelf
    if isinstance(shelf, Bucket):
        found = [each["path"] for page in obstore.list(shelf.store) for each in page]
    else:
        found = [str(path.relative_to(settings.media_dir)) for path in settings.media_dir.rglob("*") if path.is_file()]
    return [name for name in found if tenant_id is None or str(tenant_id) in name]


async def test_a_file_is_sealed_and_comes_back(kept: Settings, store: Store):
    tenant, media_id = await a_tenant(store), uuid4()
    async with store.tenant_transaction(tenant.tenant_id) as transaction:
        cipher = await store.key_ring.for_tenant(tenant.tenant_id, transaction)
    vault = media_vault.opened(kept)

    for data in (b"first", DATA):
        vault.save(cipher, media_id, data)

    (name,) = names(kept, tenant.tenant_id)
    sealed = vault.shelf.get(name)
    assert vault.load(cipher, media_id) == DATA
    assert sealed is not None
    assert DATA not in sealed
    assert vault.load(cipher, uuid4()) is None

    vault.remove(tenant.tenant_id, media_id)
    vault.remove(tenant.tenant_id, media_id)
    assert vault.load(cipher, media_id) is None


async def test_retention_erasure_export_and_an_end_reach_every_file(kept: Settings, store: Store):
    tenant, vault = await a_tenant(store), media_vault.opened(kept)
    ann, ben, eve = [await a_contact(store, tenant, wa_id=f"3460000000{n}@c.us") for n in range(3)]
    now = datetime.now(UTC)
    for contact_id, age in ((ann, 1), (ben, 1), (ben, 100), (eve, 1)):
        await _a_kept_file(store, vault, tenant.tenant_id, contact_id, at=now - timedelta(days=age))
    async with store.tenant_transaction(tenant.tenant_id) as transaction:
        cipher = await store.key_ring.for_tenant(tenant.tenant_id, transaction)
        copy = io.BytesIO()
        made = await export.write(transaction, copy, tenant.tenant_id, cipher=cipher, vault=vault, at=now)
    with zipfile.ZipFile(copy) as archive:
        copied = [archive.read(name) for name in archive.namelist() if name.startswith("media/")]

    assert (made.media_files, copied) == (4, [DATA] * 4)
    for is_on_hold, forgotten in ((True, 0), (False, 1)):
        async with store.platform_transaction() as transaction:
            await tenants.set_legal_hold(transaction, tenant.tenant_id, is_on=is_on_hold)
        assert await media_files.forget(store, vault, tenant.tenant_id, before=now - timedelta(days=90)) == forgotten
    assert len(names(kept, tenant.tenant_id)) == 3
    async with store.platform_transaction() as transaction:
        erased = await erasure.erase(transaction, vault, tenant.tenant_id, ann, master=kept.master, at=now)
    assert erased is not None
    assert (erased.media_files, len(names(kept, tenant.tenant_id))) == (1, 2)
    vault.remove_all(tenant.tenant_id)
    assert names(kept, tenant.tenant_id) == []


async def test_nothing_counts_as_gone_while_the_bucket_is_away(fresh: Settings, store: Store, s3: str):
    tenant = await a_tenant(store)
    contact_id = await a_contact(store, tenant)
    there = media_vault.opened(varied(fresh, media_url=s3, media_access_key="key:secret"))
    await _a_kept_file(store, there, tenant.tenant_id, contact_id, at=datetime.now(UTC) - timedelta(days=100))
    async with store.tenant_transaction(tenant.tenant_id) as transaction:
        cipher = await store.key_ring.for_tenant(tenant.tenant_id, transaction)

    for url in ("s3://files?endpoint=http://127.0.0.1:1", s3.replace("files", "nowhere")):
        away = media_vault.opened(varied(fresh, media_url=url, media_access_key="key:secret"))
        with pytest.raises(OSError, match=r"no such bucket|file not read"):
            away.load(cipher, uuid4())
        with pytest.raises(OSError):  # noqa: PT011  (each way of being away has its own words)
            away.save(cipher, uuid4(), DATA)
    nowhere = media_vault.opened(
        varied(fresh, media_url="s3://files?endpoint=http://127.0.0.1:1", media_access_key="key:secret")
    )
    with pytest.raises(BucketFailed):
        await media_files.forget(store, nowhere, tenant.tenant_id, before=datetime.now(UTC))

    async with store.tenant_transaction(tenant.tenant_id) as transaction:
        assert (await transaction.execute(text("select count(*) from media_files"))).scalar_one() == 1


class SlowShelf(Folder):
    """A folder that looks, while it removes files, whether the person's rows are free; and fails the first time."""

    failures: ClassVar[list[str]] = []
    engine_url: ClassVar[str] = ""

    def remove_these(self, paths: Sequence[str]) -> None:
        if not paths:
            return
        with psycopg.connect(self.engine_url) as connection:
            connection.execute("select id from contacts for update nowait")
        if not self.failures:
            self.failures.append("once")
            raise BucketFailed("files not removed")
        super().remove_these(paths)


class SlowPrivacy(Privacy):
    @property
    def media(self) -> MediaVault:
        return MediaVault(SlowShelf(self.settings.media_dir))


async def test_a_persons_files_go_before_any_row_is_locked(fresh: Settings, store: Store):
    tenant, now = await a_tenant(store), datetime.now(UTC)
    contact_id = await a_contact(store, tenant)
    for _ in range(3):
        await _a_kept_file(store, media_vault.opened(fresh), tenant.tenant_id, contact_id, at=now)
    SlowShelf.engine_url = fresh.role_url("engine")
    SlowShelf.failures.clear()
    privacy = SlowPrivacy(store, fresh)

    with pytest.raises(BucketFailed):
        await privacy.forget(tenant.tenant_id, contact_id, actor="ann", at=now)
    async with store.platform_transaction() as transaction:
        assert (await transaction.execute(text("select count(*) from media_files"))).scalar_one() == 3
    erased = await privacy.forget(tenant.tenant_id, contact_id, actor="ann", at=now)

    assert erased.media_files == 3
    assert names(fresh, tenant.tenant_id) == []


def test_the_doctor_tries_the_bucket(fresh: Settings, s3: str):
    key = {"media_access_key": "key:secret"}

    (well,) = checkup.media(varied(fresh, media_url=s3, **key))
    (away,) = checkup.media(varied(fresh, media_url=s3.replace("files", "nowhere"), **key))

    assert (well.verdict, names(varied(fresh, media_url=s3.replace("/media", "/media/doctor"), **key))) == ("ok", [])
    assert (away.verdict, away.next_step) == ("down", "check MEDIA_URL and MEDIA_ACCESS_KEY")
    assert "secret" not in away.detail
    assert checkup.media(fresh)[0].verdict == "ok"


@pytest.mark.parametrize("url", ["https://files.example", "s3:///media", "s3://id:secret@files", "s3://files?key=x"])
def test_a_malformed_bucket_is_refused_by_name(url: str):
    with pytest.raises(ValueError, match="must look like s3://bucket/prefix"):
        Settings(_env_file=None, media_url=url)


async def _a_kept_file(store: Store, vault: MediaVault, tenant_id, contact_id, *, at: datetime) -> None:
    media_id = uuid4()
    async with store.tenant_transaction(tenant_id) as transaction:
        cipher = await store.key_ring.for_tenant(tenant_id, transaction)
        vault.save(cipher, media_id, DATA)
        await transaction.execute(
            text(
                "insert into media_files (tenant_id, id, contact_id, mimetype, byte_size, kept_at)"
                " values (:tenant_id, :id, :contact_id, 'application/pdf', 5, :at)"
            ),
            {"tenant_id": tenant_id, "id": media_id, "contact_id": contact_id, "at": at},
        )


async def test_a_full_disk_leaves_no_half_of_a_file(fresh: Settings, store: Store):
    tenant = await a_tenant(store)
    async with store.tenant_transaction(tenant.tenant_id) as transaction:
        cipher = await store.key_ring.for_tenant(tenant.tenant_id, transaction)
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, usual[1]))
    try:
        with pytest.raises(OSError, match="too large"):
            media_vault.opened(fresh).save(cipher, uuid4(), bytes(5_000))
        with pytest.raises(OSError, match="too large"):
            Privacy(store, fresh).exports.save(cipher, uuid4(), io.BytesIO(bytes(5_000)))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)

    folders = (fresh.media_dir, fresh.data_dir / "exports")
    assert [path for folder in folders for path in (folder / str(tenant.tenant_id)).rglob("*") if path.is_file()] == []
