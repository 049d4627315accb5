"""Knowledge is uploaded or fetched, read by a worker, versioned, and what it lacks is taught in one step."""

from datetime import UTC, datetime

import pytest

from mychatflow.store import documents as stored
from realtime.documents.fetch import FetchRefused
from realtime.documents.ingest import Ingestion
from tests.factories import keys_lost
from tests.realtime.api.conftest import a_shop, bearer
from tests.realtime.api.possessions import a_question
from tests.realtime.documents.test_reading import a_docx, a_pdf

WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


async def upload(api, body, media_type="text/markdown", title="Prices"):
    headers = {"content-type": media_type}
    return await api.post("/documents", content=body, headers=headers, params={"title": title})


async def read_all(store, **given):
    ingestion = Ingestion(store, **given)
    count = 0
    while await ingestion.read_next(at=datetime.now(UTC)):
        count += 1
    return count


def version(rows, shop):
    [row] = rows("select knowledge_version from settings where tenant_id = %s", shop.tenant.tenant_id)
    return row["knowledge_version"]


@pytest.mark.parametrize(
    ("media_type", "body", "chunks"),
    [
        ("text/plain", b"A cut is 20.", 1),
        ("text/markdown; charset=utf-8", b"# Cut\n20\n# Beard\n10", 2),
        ("application/pdf", a_pdf("A cut is 20."), 1),
        (WORD, a_docx(), 3),
    ],
)
async def test_an_uploaded_file_is_read(api, store, shop, rows, media_type, body, chunks):
    before = version(rows, shop)

    taken = await upload(api, body, media_type)
    waiting = rows("select body from document_uploads")
    await read_all(store)
    found = (await api.get(f"/documents/{taken.json()['id']}")).json()

    assert (taken.status_code, taken.json()["status"]) == (202, "pending")
    assert body not in bytes(waiting[0]["body"])
    assert (found["status"], found["chunk_count"], found["version"]) == ("ready", chunks, 1)
    assert len(found["passages"]) == chunks
    assert rows("select 1 from document_uploads") == []
    assert version(rows, shop) == before + 1


async def test_nobody_waits_for_all_that_another_has(api, store):
    for number in range(3):
        await upload(api, f"# Cut\n{number}".encode())
    other = await a_shop(store)
    theirs = await api.post(
        "/documents",
        content=b"# Beard\n10",
        headers={"content-type": "text/markdown", **bearer(other.key)},
        params={"title": "B"},
    )

    ingestion = Ingestion(store)
    for _ in range(2):
        await ingestion.read_next(at=datetime.now(UTC))

    found = await api.get(f"/documents/{theirs.json()['id']}", headers=bearer(other.key))
    assert found.json()["status"] == "ready"
    assert await read_all(store) == 2


async def test_a_new_version_replaces_the_old_passages(api, store, rows):
    made = (await upload(api, b"# Cut\n20\n# Beard\n10")).json()
    await read_all(store)
    path = f"/documents/{made['id']}"
    headers = {"content-type": "text/markdown"}

    await api.put(f"{path}/file", content=b"# Cut\n25", headers=headers)
    between = (await api.get(path)).json()
    await read_all(store)
    after = (await api.get(path)).json()
    await api.put(f"{path}/file", content=b"# Cut\n25", headers=headers)
    await read_all(store)
    same = (await api.get(path)).json()

    assert (between["status"], len(between["passages"])) == ("ready", 2)
    assert ([each["body"] for each in after["passages"]], after["version"]) == (["25"], 2)
    assert same["version"] == 2


async def test_a_broken_version_leaves_the_old_answering(api, store):
    made = (await upload(api, a_pdf("A cut is 20."), "application/pdf")).json()
    await read_all(store)

    await api.put(f"/documents/{made['id']}/file", content=b"%PDF- broken", headers={"content-type": "application/pdf"})
    await read_all(store)
    found = (await api.get(f"/documents/{made['id']}")).json()

    assert (found["status"], found["version"], len(found["passages"])) == ("ready", 1, 1)
    assert "not a PDF" in found["failure"]


async def test_a_file_that_cannot_be_read_says_why(api, store):
    made = (await upload(api, b"PK nonsense", WORD)).json()
    await read_all(store)

    found = (await api.get(f"/documents/{made['id']}")).json()

    assert (found["status"], found["chunk_count"]) == ("failed", 0)
    assert found["failure"] == "this is not a Word file (.docx) that can be read"


async def test_knowledge_has_an_end(api, store, shop, rows):
    async with store.tenant_transaction(shop.tenant.tenant_id) as transaction:
        await transaction.exec_driver_sql(f"update documents set chunk_count = {stored.MOST_PASSAGES}")
    made = (await upload(api, b"One more.", "text/plain")).json()
    await read_all(store)

    found = (await api.get(f"/documents/{made['id']}")).json()

    assert (found["status"], found["chunk_count"]) == ("failed", 0)
    assert "5,000 passages" in found["failure"]


async def test_pages_are_fetched_and_fetched_again(api, store):
    asked = []

    async def fetched(url):
        asked.append(url)
        return f"<h1>Hours</h1><p>Version {len(asked)}</p>".encode()

    made = (await api.post("/documents/urls", json={"urls": ["https://a.test/hours"], "language": "es"})).json()
    [page] = made["data"]
    await read_all(store, fetched=fetched)
    await api.post(f"/documents/{page['id']}/refresh")
    await read_all(store, fetched=fetched)
    found = (await api.get(f"/documents/{page['id']}")).json()

    assert asked == ["https://a.test/hours"] * 2
    assert (found["title"], found["language"], found["version"]) == ("a.test/hours", "es", 2)
    assert found["passages"][0] == {"position": 0, "heading": "Hours", "body": "Version 2"}


async def test_a_version_that_comes_while_the_old_one_is_read_is_read_too(api, store):
    versions = []

    async def fetched(_url):
        versions.append(f"<p>Version {len(versions) + 1}</p>".encode())
        if len(versions) == 1:
            await api.post(f"/documents/{page['id']}/refresh")
        return versions[-1]

    [page] = (await api.post("/documents/urls", json={"urls": ["https://a.test/hours"]})).json()["data"]

    assert await read_all(store, fetched=fetched) == 2
    found = (await api.get(f"/documents/{page['id']}")).json()
    assert (found["status"], found["passages"][0]["body"]) == ("ready", "Version 2")


async def test_a_silent_page_is_asked_a_few_times(api, store, rows):
    async def silent(_url):
        raise FetchRefused("the page does not answer", is_final=False)

    [page] = (await api.post("/documents/urls", json={"urls": ["https://a.test/"]})).json()["data"]
    ingestion = Ingestion(store, fetched=silent)
    tries = 0
    while due := rows("select ingest_due_at from documents where ingest_due_at is not null"):
        await ingestion.read_next(at=due[0]["ingest_due_at"])
        tries += 1

    assert tries == stored.MOST_ATTEMPTS
    assert (await api.get(f"/documents/{page['id']}")).json()["status"] == "failed"


async def test_a_file_that_no_key_opens_is_given_up_in_words(api, shop, store, rows):
    made = (await upload(api, b"# Cut\n20")).json()
    await keys_lost(store, shop.tenant)

    ingestion = Ingestion(store)
    while due := rows("select ingest_due_at from documents where ingest_due_at is not null"):
        assert await ingestion.read_next(at=due[0]["ingest_due_at"])

    found = (await api.get(f"/documents/{made['id']}")).json()
    assert found["status"] == "failed"
    assert "no key opens the file" in str(found)


async def test_two_workers_read_different_documents(api, store, now):
    for number in range(2):
        await upload(api, f"text {number}".encode(), "text/plain")

    async with store.platform_transaction() as first, store.platform_transaction() as second:
        claimed = [await stored.claim(each, at=now.replace(year=now.year + 1)) for each in (first, second)]

    assert len({each.id for each in claimed}) == 2


@pytest.mark.parametrize(
    ("url", "where"),
    [("http://127.0.0.1/", "urls[0]"), ("ftp://a.test/", "urls[0]"), ("http://a.test:22/", "urls[0]")],
)
async def test_inner_addresses_are_refused_by_field(api, url, where):
    answer = await api.post("/documents/urls", json={"urls": [url]})

    assert answer.status_code == 422
    assert where in answer.json()["detail"]


async def test_foreign_and_oversized_files_are_refused(api):
    image = await upload(api, b"x", "image/png")
    large = await upload(api, b"x" * ((10 << 20) + 1), "text/plain")
    fits = await upload(api, b"x" * (10 << 20), "text/plain")
    empty = await upload(api, b"", "text/plain")

    assert [each.status_code for each in (image, large, fits, empty)] == [415, 413, 202, 422]
    assert "text/markdown" in image.json()["detail"]


async def test_a_deleted_document_is_forgotten(api, store, shop, rows):
    made = (await upload(api, b"# Cut\n20")).json()
    await read_all(store)
    before = version(rows, shop)

    gone = await api.delete(f"/documents/{made['id']}")

    assert gone.status_code == 204
    assert rows("select 1 from document_chunks") == []
    assert version(rows, shop) == before + 1


async def test_an_unanswered_question_is_taught_once(api, shop, store, rows):
    question_id = await a_question(store, shop.tenant, shop.contact_id, "Do you cut beards?")
    await api.delete(f"/unanswered-questions/{shop.question_id}")
    [asked] = (await api.get("/unanswered-questions")).json()["data"]
    path = f"/unanswered-questions/{question_id}"

    taught = await api.post(f"{path}/quick-reply", json={"body": "Yes, for 10 €."})
    again = await api.post(f"{path}/quick-reply", json={"body": "No."})
    settled = (await api.get("/unanswered-questions", params={"with_settled": True})).json()["data"]

    assert (asked["text"], asked["reason"]) == ("Do you cut beards?", "clarify")
    assert (taught.json()["title"], taught.json()["language"]) == ("Do you cut beards?", "en")
    assert (again.status_code, again.json()["code"]) == (409, "settled")
    assert (await api.get("/unanswered-questions")).json()["data"] == []
    assert taught.json()["id"] in {each["quick_reply_id"] for each in settled}
    assert len(rows("select 1 from quick_replies where title = 'Do you cut beards?'")) == 1


async def test_an_erased_question_needs_a_title(api, shop, store, rows):
    other = await a_shop(store)
    path = f"/unanswered-questions/{shop.question_id}/quick-reply"
    nameless = await api.post(path, json={"body": "Yes."})
    named = await api.post(path, json={"body": "Yes.", "title": "Beards"})

    assert (nameless.status_code, named.status_code) == (409, 201)
    assert rows("select 1 from unanswered_questions where id = %s and settled_at is null", other.question_id)
