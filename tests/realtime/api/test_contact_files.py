"""/contacts/import and /contacts/export over HTTP, and back again."""

import csv
import io
import re
import tracemalloc
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from mychatflow.rules.attributes import Definition
from mychatflow.rules.contact_filter import ContactFilter
from mychatflow.store import contact_attributes, contact_export, contact_imports
from realtime.contacts import importing
from realtime.contacts.importing import Imports
from tests.factories import a_contact, keys_lost
from tests.realtime.api.conftest import a_shop, bearer

# A media type is written in any case.
CSV = {"content-type": "Text/CSV; charset=utf-8"}
SHEET = """phone;name;tags;opt_in;attributes.visits
+34 600 111 222;Ann Lee;vip; new;yes;3
nonsense;Bob;;;
0034600111222;Twice;;;
34600111223;;;yes;lots
"""


@pytest.fixture
async def visits(store, shop):
    async with store.tenant_transaction(shop.tenant.tenant_id) as transaction:
        definition = Definition(key="visits", type="number")
        await contact_attributes.define(transaction, shop.tenant.tenant_id, definition, label="Visits")


async def uploaded(api, body, **query):
    content = body.encode() if isinstance(body, str) else body
    return await api.post("/contacts/import", content=content, headers=CSV, params=query)


async def imported(api, store, body, **query):
    made = await uploaded(api, body, **query)
    assert made.status_code == 202, made.text
    while await Imports(store).read_next(at=datetime.now(UTC) + timedelta(days=1)):
        pass
    return (await api.get(f"/contacts/imports/{made.json()['id']}")).json()


async def test_valid_rows_come_in_and_the_others_are_named(api, shop, store, rows, visits):
    sheet = SHEET.replace("vip; new", '"vip; new"')

    done = await imported(api, store, sheet, opt_in_method="fair in Madrid")

    assert (done["state"], done["row_count"], done["done_count"]) == ("done", 4, 4)
    assert (done["created_count"], done["updated_count"], done["skipped_count"]) == (2, 0, 2)
    report = (await api.get(f"/contacts/imports/{done['id']}/report")).json()
    assert [(issue["row"], issue["column"]) for issue in report["data"]] == [
        (3, "phone"), (4, "phone"), (5, "attributes.visits"),
    ]  # fmt: skip
    assert report["data"][1]["problem"] == "is the same as in row 2"
    ann, other = rows(
        "select name, phone, tags, attributes from contacts where phone like '+34600111%%' order by phone"
    )
    assert ann == {"name": "Ann Lee", "phone": "+34600111222", "tags": ["vip", "new"], "attributes": {"visits": 3}}
    assert other["attributes"] == {}
    consents = rows("select kind, method from consents")
    assert consents == [{"kind": "opt_in", "method": "fair in Madrid"}] * 2
    assert rows("select 1 from contact_imports where body is not null and state = 'done' and row_count > 0") == []


async def test_a_contact_we_know_keeps_what_the_sheet_does_not_say(api, shop, store, rows, now):
    known = await a_contact(store, shop.tenant, wa_id="5511987654321@c.us", name="Rui", tags=["old"])
    out = await a_contact(store, shop.tenant, wa_id="34600111333@c.us", opted_out_at=now)

    # Brazil's ninth digit: the same phone under its other id.
    done = await imported(api, store, "phone,tags,opt_in\n551187654321,new,\n34600111333,,yes\n")

    assert (done["created_count"], done["updated_count"]) == (0, 2)
    (rui,) = rows("select name, tags from contacts where id = %s", known)
    assert rui == {"name": "Rui", "tags": ["new", "old"]}
    (stays,) = rows("select opted_out_at from contacts where id = %s", out)
    assert stays["opted_out_at"] is not None
    report = (await api.get(f"/contacts/imports/{done['id']}/report")).json()
    assert [(issue["row"], issue["column"]) for issue in report["data"]] == [(3, "opt_in")]
    assert rows("select 1 from consents") == []


async def test_an_import_that_broke_off_goes_on_and_writes_each_row_once(api, shop, store, rows, monkeypatch, now):
    monkeypatch.setattr(importing, "_BATCH", 10)
    sheet = "phone,opt_in\n" + "".join(f"{34_600_500_000 + n},yes\n" for n in range(35))
    made = (await uploaded(api, sheet)).json()
    real, calls = contact_imports.write, []

    async def dying(*given, **named):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return await real(*given, **named)

    monkeypatch.setattr(contact_imports, "write", dying)
    with pytest.raises(KeyboardInterrupt):
        await Imports(store).read_next(at=now + timedelta(hours=1))
    half = (await api.get(f"/contacts/imports/{made['id']}")).json()
    assert (half["state"], half["done_count"]) == ("pending", 20)

    await Imports(store).read_next(at=now + timedelta(hours=2))

    done = (await api.get(f"/contacts/imports/{made['id']}")).json()
    assert (done["state"], done["created_count"], done["skipped_count"]) == ("done", 35, 0)
    assert len(rows("select 1 from consents")) == 35


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ("phone\n" + "34600111222\n" * 50_001, 413, "too_many_rows"),
        ('phone\n34600111222\n"34600', 422, "unreadable_file"),
        (b"phone\n\xff\xfe\xfa", 422, "unreadable_file"),
        ("name\nAnn\n", 422, "unreadable_file"),
    ],
)
async def test_a_file_that_cannot_be_read_is_refused_at_once(api, body, status, code):
    refused = await uploaded(api, body)

    assert refused.status_code == status
    assert refused.json()["code"] == code


async def test_the_row_of_a_broken_quote_is_told(api):
    refused = await uploaded(api, 'phone,name\n34600111222,Ann\n34600111223,"Bob\n' + "x" * 5_000_000)

    assert refused.status_code == 422
    assert refused.json()["row"] == 3


async def test_hostile_names_are_inert_in_the_file_and_come_back_as_they_were(api, shop, store, rows, now):
    names = ["=HYPERLINK(1)", "@SUM(A1)", "\t=1", "＝1+1", "-2+3", "+1", "|x", "%x", "'quoted", 'Zoë; "Q", Ltd']
    names += ["Ana;=HYPERLINK(1)", 'Ana; "=1+1;b', "Ana; \u200b＝1+1", "Ana\n=1+1;b", "\n-1", "a;b - c"]
    for n, name in enumerate(names):
        await a_contact(
            store, shop.tenant, wa_id=f"346008880{n:02}@c.us", phone=f"+346008880{n:02}", name=name, tags=["x"]
        )

    exported = await api.get("/contacts/export", params={"tag": "x"})

    assert exported.headers["content-type"].startswith("text/csv")
    read = list(csv.DictReader(io.StringIO(exported.content.decode("utf-8-sig"))))
    assert len(read) == len(names)
    for row in read:
        assert row["name"].lstrip()[:1] not in {"=", "+", "-", "@", "|", "%", "＝"}
        assert row["phone"].isdigit()
    # As a program reads it whose lists have semicolons: to it the commas are words, and the quotes behind them too.
    begun = [cell.strip(' "\u200b\ufeff') for cell in re.split(r"[;\r\n]", exported.content.decode())]
    assert [cell for cell in begun if cell[:1] in {"=", "+", "-", "@", "|", "%", "＝"}] == []
    other = await a_shop(store)
    made = await api.post("/contacts/import", content=exported.content, headers=CSV | bearer(other.key))
    while await Imports(store).read_next(at=now + timedelta(days=1)):
        pass
    assert made.status_code == 202
    back = rows(
        "select phone, name, tags from contacts where tenant_id = %s and phone like '+346008880%%' order by phone",
        other.tenant.tenant_id,
    )
    assert [row["phone"] for row in back] == [f"+346008880{n:02}" for n in range(len(names))]
    assert [row["name"] for row in back] == [" ".join(name.split()) for name in names]
    assert all(row["tags"] == ["x"] for row in back)


async def test_a_sheet_finds_people_by_every_number_that_leads_to_them(api, shop, store, rows):
    """One merged away, one behind an id without a number: another contact would take their chat over."""
    kept = await a_contact(store, shop.tenant, wa_id="34600700001@c.us", name="Ann")
    other = await a_contact(store, shop.tenant, wa_id="34600700002@c.us", phone="+34600700002")
    await api.post(f"/contacts/{kept}/merge", json={"contact_id": str(other)})
    hidden = await a_contact(store, shop.tenant, wa_id="99000111222333@lid", phone="+34600700003", name="Bob")
    async with store.tenant_transaction(shop.tenant.tenant_id) as transaction:
        await transaction.execute(
            text(
                "insert into contact_identities (tenant_id, contact_id, kind, value)"
                " values (:tenant_id, :contact_id, 'phone', '+34600700003')"
            ),
            {"tenant_id": shop.tenant.tenant_id, "contact_id": hidden},
        )

    done = await imported(api, store, "phone,tags\n34600700001,a\n34600700002,b\n34600700003,c\n")

    assert (done["created_count"], done["updated_count"], done["skipped_count"]) == (0, 2, 1)
    found = rows("select name, tags from contacts where id in (%s, %s) order by name", kept, hidden)
    assert found == [{"name": "Ann", "tags": ["a"]}, {"name": "Bob", "tags": ["c"]}]
    report = (await api.get(f"/contacts/imports/{done['id']}/report")).json()["data"]
    assert [(each["row"], each["problem"]) for each in report] == [(3, "leads to the same person as row 2")]
    assert [row["id"] for row in rows("select id from contacts where wa_id like '346007%%'")] == [kept]


async def test_both_forms_of_a_brazilian_number_are_one_row(api, shop, store, rows):
    done = await imported(api, store, "phone,name\n5511987654321,Rui\n551187654321,Rui again\n")

    assert (done["created_count"], done["skipped_count"]) == (1, 1)
    assert [row["name"] for row in rows("select name from contacts where wa_id like '55%%'")] == ["Rui"]


async def test_a_yes_from_the_future_outlasts_no_later_no(api, shop, store, rows):
    known = await a_contact(store, shop.tenant, wa_id="34600700005@c.us")
    sheet = "phone,opt_in,opted_in_at\n34600700005,yes,2099-01-01\n34600700006,yes,0001-01-01T00:00:00+05:00\n"

    made = (await uploaded(api, sheet)).json()
    assert await Imports(store).read_next(at=datetime.now(UTC))
    said = await api.post(f"/contacts/{known}/consents", json={"kind": "opt_out", "method": "call"})

    assert said.status_code == 201
    assert (await api.get(f"/contacts/{known}")).json()["opted_out_at"] is not None
    report = (await api.get(f"/contacts/imports/{made['id']}/report")).json()["data"]
    assert [(each["row"], each["column"]) for each in report] == [(3, "opted_in_at")]
    # A moment that no reader of ours could read would end every export in the middle.
    assert (await api.get("/contacts/export")).content.count(b"\r\n") == 4


async def test_an_export_read_back_changes_nobody(api, shop, store, rows, visits):
    state = "select id, name, phone, tags, attributes, opted_out_at from contacts order by id"
    for n, changes in enumerate(({"tags": ["a; b", "c"]}, {"attributes": {"visits": 12_345_678_901_234_567}})):
        contact_id = await a_contact(store, shop.tenant, wa_id=f"3460080000{n}@c.us", phone=f"+3460080000{n}")
        assert (await api.patch(f"/contacts/{contact_id}", json=changes)).status_code == 200
    # Whose number nobody knows.
    await a_contact(store, shop.tenant, wa_id="99000111222444@lid", phone=None, name="Hidden")
    before = rows(state)

    done = await imported(api, store, (await api.get("/contacts/export")).content)

    assert rows(state) == before
    assert (done["created_count"], done["skipped_count"]) == (0, 1)


async def test_an_export_holds_a_thousand_rows_at_a_time(shop, store, now):
    people = (
        "insert into contacts (tenant_id, instance_id, wa_id, chat_id, name, tags, attributes)"
        " select %s, %s, n || '@c.us', n || '@c.us', 'Customer ' || n, array['many'], jsonb_build_object('visits', n)"
        " from generate_series(34900000000, 34900019999) as n"
    )
    async with store.platform_transaction() as transaction:
        await transaction.exec_driver_sql(people, (shop.tenant.tenant_id, shop.tenant.instance_id))

    lines = 0
    tracemalloc.start()
    async with store.tenant_transaction(shop.tenant.tenant_id) as transaction:
        wanted = ContactFilter(tags_all=("many",))
        async for piece in contact_export.pieces(transaction, shop.tenant.tenant_id, wanted, at=now):
            lines += piece.count(b"\r\n")
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert lines == 20_001
    # All at once they are 25 MB.
    assert most < 8_000_000, most


async def test_an_export_is_on_record_and_for_some_alone(api, shop, store, rows):
    assert (await api.get("/contacts/export")).status_code == 200

    assert len(rows("select 1 from audit_log where action = 'contacts.exported'")) == 1


async def test_a_sheet_that_no_key_opens_is_given_up_in_words(api, shop, store, rows):
    made = (await uploaded(api, SHEET)).json()
    await keys_lost(store, shop.tenant)
    imports, at = Imports(store), datetime.now(UTC)

    tries = 0
    while rows("select 1 from contact_imports where due_at is not null"):
        at += timedelta(days=1)
        assert await imports.read_next(at=at)
        tries += 1

    assert tries == contact_imports.MOST_ATTEMPTS + 1
    done = (await api.get(f"/contacts/imports/{made['id']}")).json()
    assert (done["state"], done["failure"]) == ("failed", "the file could not be read; upload it again")
