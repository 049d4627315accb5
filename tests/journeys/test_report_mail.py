"""A weekly report goes out once, and its link ends them, but only when a person presses the button."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx
import pytest

from mychatflow.store import report_mails
from realtime.agent.report_mail import ReportMails
from realtime.channels.resend import Resend
from tests.factories import Tenant
from tests.journeys.conftest import House
from tests.journeys.test_duty_mail import kept

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
_WRITTEN = (
    "insert into report_mails (tenant_id, id, week, email, subject, body_text, body_html, due_at)"
    " values (%(t)s, %(i)s, %(w)s, %(e)s, 'Your week', 'words', '<p>words</p>', now())"
)


async def a_report(house: House, tenant: Tenant, email: str, *, week: str = "2026-11-16") -> UUID:
    day = datetime.fromisoformat(week).date()
    id_ = report_mails.mail_id(tenant.tenant_id, week=day, email=email)
    await house.execute(_WRITTEN, t=tenant.tenant_id, i=id_, w=day, e=email)
    return id_


async def sent(house: House) -> None:
    house.worker.stop()
    async with Resend(house.settings) as resend:
        await ReportMails(house.store, house.settings).send_due(resend)


async def asked(house: House, method: str, link: dict[str, Any], **headers: str) -> httpx.Response:
    address = house.webhook_url.removesuffix("/api/webhooks/whatsapp") + "/api/reports/unsubscribe"
    async with httpx.AsyncClient(trust_env=False) as client:
        return await client.request(method, address, params=link, headers=headers)


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(("change", "status"), [({"token": "0" * 64}, 404), ({"mail": "cut-sho"}, 422)])
async def test_a_link_that_does_not_work_says_so_on_a_page(
    house: House, method: str, change: dict[str, str], status: int
):
    tenant = await house.a_business()
    id_ = await a_report(house, tenant, "owner@a.test")
    good = report_mails.token(house.settings, tenant.tenant_id, id_)
    link = {"tenant": str(tenant.tenant_id), "mail": str(id_), "token": good} | change

    page = await asked(house, method, link, accept=BROWSER)
    program = await asked(house, method, link)

    assert (page.status_code, program.status_code) == (status, status)
    assert page.headers["content-type"].startswith("text/html")
    assert "<h1>This link does not work</h1>" in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert program.headers["content-type"] == "application/problem+json"
    assert program.json()["status"] == status


async def test_a_report_is_sent_once_to_who_wants_it(house: House):
    tenant = await house.a_business()
    mine, theirs = f"owner-{tenant.session}@a.test", f"gone-{tenant.session}@a.test"
    await a_report(house, tenant, mine)
    refused = await a_report(house, tenant, theirs)
    async with house.store.tenant_transaction(tenant.tenant_id) as transaction:
        await report_mails.refuse(transaction, tenant.tenant_id, refused, at=datetime.now(UTC))

    for _ in range(2):
        await sent(house)

    (email,) = kept(house, mine)
    assert email["html"] == "<p>words</p>"
    assert kept(house, theirs) == []


async def test_a_report_ends_by_its_link_and_a_button(house: House):
    tenant = await house.a_business()
    id_ = await a_report(house, tenant, "owner@a.test")
    good = report_mails.token(house.settings, tenant.tenant_id, id_)
    link = {"tenant": str(tenant.tenant_id), "mail": str(id_), "token": good}
    refusals = "select count(*) as n from report_refusals where tenant_id = %(t)s"

    assert (await asked(house, "POST", link | {"token": "0" * 64})).status_code == 404
    assert (await asked(house, "GET", link)).status_code == 200
    assert house.rows(refusals, t=tenant.tenant_id)[0]["n"] == 0

    for _ in range(2):
        assert (await asked(house, "POST", link)).status_code == 200

    assert house.rows(refusals, t=tenant.tenant_id)[0]["n"] == 1
