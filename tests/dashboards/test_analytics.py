"""The numbers over HTTP: the pages' own, for callers with the permission, each about their own business."""

import csv
import io
import shutil
import zipfile
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pyarrow.parquet
import pytest

from dashboards.analytics import routes
from mychatflow.rules.role import Role
from mychatflow.store import api_keys
from mychatflow.store.session import Store
from tests.dashboards.conftest import Town, forget
from warehouse import metrics, reads, rollup
from warehouse.periods import Period

_OWN = ("summary", "hourly", "daily", "funnel", "llm-usage", "outcomes", "grades", "metrics")
_OF_A_METRIC = ("value", "series", "parts", "facts", "export")


@pytest.fixture
async def store(town: Town) -> AsyncIterator[Store]:
    store = Store(town.settings)
    yield store
    await store.close()


@pytest.fixture
async def api(pages: Town) -> AsyncIterator[httpx.AsyncClient]:
    app = routes.app()
    opened = routes.open_with(app, pages.settings)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://analytics") as client:
        yield client
    await opened.close()


async def _key(store: Store, tenant_id: UUID, role: Role = Role.OWNER, **more: Any) -> dict[str, str]:
    async with store.tenant_transaction(tenant_id) as transaction:
        _, secret = await api_keys.create(transaction, tenant_id, name=role.value, role=role, **more)
    return {"authorization": f"Bearer {secret}"}


async def test_the_api_tells_the_pages_numbers(api, store, town):
    key = await _key(store, town.dental.tenant_id)
    until = town.at.date()
    period = Period(since=until - timedelta(days=28), until=until)

    answer = await api.get("/summary", headers=key, params={"from": period.since, "to": period.until})

    page = reads.overview_kpis(town.dental.tenant_id, period)[0]
    told = answer.json()
    assert told["data"]["messages"]["value"] == page["message_count"] > 0
    assert told["data"]["people_reached"]["value"] == page["contact_count"]
    assert told["data"]["answered"]["value"] == pytest.approx(page["answered_rate"])
    assert told["data"]["messages"]["previous"] is not None
    assert (told["timezone"], told["from"]) == ("Europe/Madrid", str(period.since))
    assert told["as_of"] is not None
    series = (
        await api.get("/series", headers=key, params={"metric": "messages", "from": period.since, "to": period.until})
    ).json()
    assert sum(day["value"] for day in series["data"]) == page["message_count"]


async def test_an_answer_is_of_one_publication(api, store, town, tmp_path, monkeypatch):
    key = await _key(store, town.dental.tenant_id)
    # A copy: the town is read by other tests, too.
    copy = town.settings.model_copy(update={"warehouse_url": f"duckdb:///{tmp_path}/copy/warehouse.duckdb"})
    shutil.copytree(town.settings.warehouse_dir, tmp_path / "copy", symlinks=True)
    monkeypatch.setenv("WAREHOUSE_URL", copy.warehouse_url)
    forget()
    before, read = reads.as_of(town.dental.tenant_id), reads.daily

    def published_meanwhile(*asked: Any, **more: Any) -> list[dict[str, Any]]:
        rows = read(*asked, **more)
        rollup.rollup(copy, at=town.at)
        return rows

    monkeypatch.setattr(reads, "daily", published_meanwhile)

    answer = (await api.get("/daily", headers=key)).json()

    assert datetime.fromisoformat(answer["as_of"]) == before
    assert reads.as_of(town.dental.tenant_id) > before


async def test_every_route_answers_its_own_business(api, store, town):
    for shop in (town.dental, town.hotel):
        key = await _key(store, shop.tenant_id)
        for path in _OWN:
            assert (await api.get(f"/{path}", headers=key)).status_code == 200, path
        for path in _OF_A_METRIC:
            answer = await api.get(f"/{path}", headers=key, params={"metric": "messages_sent", "by": "language"})
            assert answer.status_code == 200, path
    hotel = await _key(store, town.hotel.tenant_id)
    mine = {
        row["event_id"] for row in (await api.get("/facts?metric=messages&limit=500", headers=hotel)).json()["data"]
    }
    dental = await _key(store, town.dental.tenant_id)
    theirs = {
        row["event_id"] for row in (await api.get("/facts?metric=messages&limit=500", headers=dental)).json()["data"]
    }
    assert mine
    assert mine.isdisjoint(theirs)


async def test_nobody_asks_without_a_key_or_a_permission(api, store, town):
    viewer = await _key(store, town.dental.tenant_id, Role.VIEWER)
    narrow = await _key(store, town.dental.tenant_id, scopes=["view_leads"])
    for path in (*_OWN, *_OF_A_METRIC):
        stranger = await api.get(f"/{path}", params={"metric": "messages", "by": "language"})
        forged = await api.get(f"/{path}", headers={"authorization": "Bearer mcf_unknown"})
        assert stranger.status_code == forged.status_code == 401, path
        assert stranger.headers["content-type"] == "application/problem+json"
        refused = await api.get(f"/{path}", headers=narrow, params={"metric": "messages", "by": "language"})
        assert refused.status_code == 403, path
    assert (await api.get("/facts?metric=messages", headers=viewer)).status_code == 200
    taken = await api.get("/export?metric=messages", headers=viewer)
    assert (taken.status_code, taken.json()["permission"]) == (403, "export_data")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("from=2026-03-02&to=2026-03-01", "from"),
        ("from=2026-03-01&to=2026-03-01", "from"),
        ("from=2016-03-01&to=2026-03-01", "to"),
        ("from=2025-01-01&to=2026-01-03", "to"),
        ("timezone=Mars/X", "timezone"),
        ("timezone=Asia/Kolkata", "timezone"),
        ("from=yesterday", "from"),
        ("instance_id=' or 1=1--", "instance_id"),
        ("metric=sales", "metric"),
        ("metric=messages&provider=openai", "provider"),
        ("metric=answer_quality", "metric"),
    ],
)
async def test_a_wrong_question_names_its_field(api, store, town, query, field):
    key = await _key(store, town.dental.tenant_id)

    answer = await api.get(f"/export?{'' if 'metric' in query else 'metric=messages&'}{query}", headers=key)

    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["where"] == ["query", field]


async def test_a_filter_that_would_be_ignored_is_refused(api, store, town):
    key = await _key(store, town.dental.tenant_id)

    assert (await api.get("/funnel?language=es", headers=key)).status_code == 422
    assert (await api.get("/daily?grade=A", headers=key)).status_code == 422


async def test_each_file_holds_exactly_the_facts(api, store, town):
    key = await _key(store, town.dental.tenant_id)
    value = (await api.get("/value?metric=messages", headers=key)).json()["data"]["value"]

    files = {
        kind: await api.get(f"/export?metric=messages&format={kind}", headers=key)
        for kind in ("csv", "xlsx", "parquet")
    }

    rows = list(csv.DictReader(io.StringIO(files["csv"].content.decode("utf-8-sig"))))
    sheet = zipfile.ZipFile(io.BytesIO(files["xlsx"].content)).read("xl/worksheets/sheet1.xml")
    table = pyarrow.parquet.read_table(io.BytesIO(files["parquet"].content))
    assert len(rows) == sheet.count(b"<row ") - 1 == table.num_rows == value > 0
    assert [row["event_id"] for row in rows] == table.column("event_id").to_pylist()
    assert "messages_" in files["csv"].headers["content-disposition"]


async def test_a_file_that_lacks_what_is_no_longer_kept_says_so_in_its_name(api, store, town, monkeypatch):
    key = await _key(store, town.dental.tenant_id)
    today = town.at.date()
    monkeypatch.setattr(reads, "kept_from", lambda _tenant_id: today - timedelta(days=3))

    names = []
    for days in (3, 4):
        asked = f"/export?metric=messages&from={today - timedelta(days=days)}&to={today}"
        names.append((await api.get(asked, headers=key)).headers["content-disposition"])

    assert [f"_kept-from-{today - timedelta(days=3)}.csv" in name for name in names] == [False, True]


async def test_no_file_of_facts_holds_an_id_of_another_tenant(api, store, town):
    # Whatever the kind of file, its rows come from one read: one number of every table, and one as every kind.
    of_tables = {metric.model: name for name, metric in metrics.METRICS.items() if metric.kind != "none"}
    listed = [(name, "csv") for name in of_tables.values()] + [("messages", "xlsx"), ("messages", "parquet")]
    for shop, other in ((town.dental, town.hotel), (town.hotel, town.dental)):
        key = await _key(store, shop.tenant_id)
        mine, theirs = ([str(row[1]) for row in one.rows["contacts"]] for one in (shop, other))
        named = 0
        for name, kind in listed:
            file = await api.get(f"/export?metric={name}&format={kind}", headers=key)

            assert file.status_code == 200, name
            words = _words(file.content, kind)
            assert [each for each in theirs if each in words] == [], name
            named += any(each in words for each in mine)
        assert named > 2


def _words(file: bytes, kind: str) -> str:
    if kind == "parquet":
        return str(pyarrow.parquet.read_table(io.BytesIO(file)).to_pylist())
    if kind == "xlsx":
        sheet = zipfile.ZipFile(io.BytesIO(file))
        return "".join(sheet.read(name).decode() for name in sheet.namelist())
    return file.decode()


async def test_an_empty_period_is_a_file_with_its_header(api, store, town):
    key = await _key(store, town.dental.tenant_id)

    answer = await api.get("/export?metric=messages&from=2020-01-01&to=2020-02-01", headers=key)

    assert answer.content.decode("utf-8-sig").startswith("local_date,event_id")
    assert len(answer.content.splitlines()) == 1
