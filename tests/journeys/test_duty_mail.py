"""People on duty hear by e-mail that a customer waits for a person: once each, and without the customer's words."""

import json
from pathlib import Path
from typing import Any

from realtime.accounts.due_mail import DueMail
from realtime.agent.duty_mail import DUTY_MAIL
from realtime.channels.resend import Resend
from realtime.engine.pool import engine_pool
from tests.factories import Tenant
from tests.journeys.conftest import House, until, varied
from tests.realtime.channels.test_resend import resend_answering

_JOINS = (
    "insert into team_members (tenant_id, email, role, is_on_duty, invited_at, joined_at)"
    " values (%(t)s, %(e)s, %(r)s, %(d)s, now(), case when %(j)s then now() end)"
)


async def a_member(
    house: House, tenant: Tenant, email: str, *, role: str = "agent", is_on_duty: bool = True, has_come: bool = True
) -> None:
    await house.execute(_JOINS, t=tenant.tenant_id, e=email, r=role, d=is_on_duty, j=has_come)


def kept(house: House, *people: str) -> list[dict[str, Any]]:
    """The e-mails to exactly these, where no key is set."""
    folder = Path(house.settings.data_dir) / "outbox"
    found = [json.loads(path.read_text()) for path in folder.glob("*.json")]
    return [email for email in found if email["to"] == list(people)]


async def test_members_on_duty_hear_of_a_handoff(house: House):
    tenant = await house.a_business()
    name = tenant.session
    await a_member(house, tenant, f"on-{name}@example.test")
    await a_member(house, tenant, f"off-{name}@example.test", is_on_duty=False)
    await a_member(house, tenant, f"looks-{name}@example.test", role="viewer")
    await a_member(house, tenant, f"invited-{name}@example.test", has_come=False)
    chat = house.a_customer()

    house.write(tenant, chat, "I want to talk to a human please")

    await until(lambda: len(kept(house, f"on-{name}@example.test")) == 1)
    (email,) = kept(house, f"on-{name}@example.test")
    assert "A customer waits for a person" in email["subject"]
    assert "human please" not in email["text"]
    assert chat.partition("@")[0] not in email["text"]


async def test_an_email_is_tried_until_resend_takes_it(house: House):
    tenant = await house.a_business()
    insert = (
        "insert into notifications (tenant_id, kind, title, is_urgent, email_due_at)"
        " values (%(t)s, 'handoff', 'Waits', true, now() + interval '1 hour')"
    )
    due = "update notifications set email_due_at = now() where tenant_id = %(t)s and emailed_at is null"
    await a_member(house, tenant, "duty@example.test")
    await house.execute(insert, t=tenant.tenant_id)
    house.worker.stop()
    keys: list[str] = []
    async with engine_pool(house.settings, name="mail", size=1) as pool:
        for status in (500, 200, 200):
            async with resend_answering(status) as (url, requests, _bodies):
                settings = varied(house.settings, resend_api_key="re_test", resend_api_url=url)
                async with Resend(settings) as resend:
                    await house.execute(due, t=tenant.tenant_id)
                    await DueMail(DUTY_MAIL, pool, resend, dashboards_url=None).send_due()
                keys += [request.headers["Idempotency-Key"] for request in requests]

    assert len(keys) == 2
    assert len(set(keys)) == 1
