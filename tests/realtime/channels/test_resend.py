"""E-mails through Resend, and into a folder where no key is set."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from pydantic import SecretStr

from mychatflow.settings import Settings
from realtime.channels.resend import Email, EmailOutcome, Resend

EMAIL = Email(key="weekly:1", to=("owner@example.test",), subject="Your\nweek", text="All is well.")


@asynccontextmanager
async def resend_answering(status: int) -> AsyncIterator[tuple[str, list[web.Request], list[dict]]]:
    requests, bodies = [], []

    async def answer(request: web.Request) -> web.Response:
        requests.append(request)
        bodies.append(await request.json())
        return web.json_response({"id": "1"}, status=status)

    app = web.Application()
    app.router.add_post("/emails", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}", requests, bodies
    await runner.cleanup()


@pytest.fixture
def configured(tmp_path) -> Callable[..., Settings]:
    return lambda **given: Settings(_env_file=None, MYCHATFLOW_DATA_DIR=tmp_path, **given)


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(200, EmailOutcome.SENT), (429, EmailOutcome.RETRY), (500, EmailOutcome.RETRY), (422, EmailOutcome.REFUSED)],
)
async def test_resends_answer_decides_what_happens_next(configured, status, outcome):
    async with resend_answering(status) as (url, requests, bodies):
        settings = configured(resend_api_key=SecretStr("re_test"), resend_api_url=url)
        async with Resend(settings) as resend:
            assert await resend.send(EMAIL) is outcome

    assert requests[0].headers["Authorization"] == "Bearer re_test"
    assert requests[0].headers["Idempotency-Key"] == "weekly:1"
    assert bodies[0]["subject"] == "Your week"


async def test_an_unreachable_resend_is_tried_again(configured):
    settings = configured(resend_api_key=SecretStr("re_test"), resend_api_url="http://127.0.0.1:1")
    async with Resend(settings) as resend:
        assert await resend.send(EMAIL) is EmailOutcome.RETRY


async def test_without_a_key_emails_land_in_a_folder(configured, tmp_path):
    async with Resend(configured()) as resend:
        assert await resend.send(EMAIL) is EmailOutcome.SENT
        assert await resend.send(EMAIL) is EmailOutcome.SENT

    (kept,) = (tmp_path / "outbox").iterdir()
    assert json.loads(kept.read_text())["text"] == "All is well."
