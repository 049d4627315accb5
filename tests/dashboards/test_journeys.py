"""What people come for, from the first click to the last, in a real browser."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final, LiteralString

import httpx
import psycopg
import pytest
from playwright.sync_api import Browser

from tests import ports
from tests.dashboards import browsing
from tests.dashboards.browsing import CHROMIUM, PATIENCE, Visit
from tests.dashboards.conftest import Town

ANN = "ann@example.test"
INVITED: Final = (
    "insert into team_members (email, role, invited_at, tenant_id) select %s, 'viewer', now(), id from tenants"
    " where id = %s"
)
GONE: Final = "delete from team_members where email = %s and tenant_id = %s"
pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(600),
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium"),
]


def test_a_business_user_finds_why_a_day_was_slow(visit: Visit) -> None:
    visit.open("?range=28d")
    visit.page.locator(".st-key-card-reply-time .nsewdrag").first.wait_for(timeout=PATIENCE)

    visit.click_day("card-reply-time")

    dialog = visit.page.get_by_role("dialog")
    dialog.get_by_text("slowest first").first.wait_for(timeout=PATIENCE)
    dialog.locator(".mcf-bubble.out").first.wait_for(timeout=PATIENCE)
    dialog.locator("summary").first.click()
    assert "ms" in dialog.locator(".mcf-turn").first.inner_text()
    assert visit.failures == []


def test_an_agent_takes_over_answers_and_hands_back(visit: Visit) -> None:
    visit.open("inbox")
    page = visit.page
    # Two people share the town: whoever has the chat now, in the end the assistant has it again.
    turn = page.locator(".st-key-turn button")
    turn.wait_for(timeout=PATIENCE)
    if "Hand back" in turn.inner_text():
        turn.click()
    page.get_by_role("button", name="Take over").click(timeout=PATIENCE)
    page.get_by_text("took over").first.wait_for(timeout=PATIENCE)

    page.get_by_placeholder("Write an answer").fill("We are open until eight.")
    page.get_by_role("button", name="Send").click()

    page.locator(".mcf-bubble.out", has_text="We are open until eight.").last.wait_for(timeout=PATIENCE)
    page.get_by_role("button", name="Hand back").click()
    page.get_by_text("With the assistant").last.wait_for(timeout=PATIENCE)
    assert visit.failures == []


def test_an_operator_goes_from_the_menu_to_a_message(visit: Visit) -> None:
    visit.open("operations")
    visit.page.locator(".st-key-card-freshness .mcf-table").wait_for(timeout=PATIENCE)

    visit.page.get_by_role("link", name="Message trace").click()
    visit.page.get_by_placeholder("false_").fill("nobody-sent-this")
    visit.page.get_by_placeholder("false_").press("Enter")

    visit.page.get_by_text("Nothing is known of this message").wait_for(timeout=PATIENCE)
    assert "message=nobody-sent-this" in visit.page.url


@pytest.fixture
def with_sign_in(town: Town, tmp_path: Path) -> Iterator[str]:
    """The application behind a real OIDC provider, which knows a person whom the dental practice invited."""
    port = ports.free()
    arguments = [sys.executable, "-W", "ignore", "-m", "oidc_provider_mock", "--port", str(port)]
    provider = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    discovery = f"http://127.0.0.1:{port}/.well-known/openid-configuration"
    mine = ports.free()
    environment = town.environment | {
        "CLERK_ISSUER": f"http://127.0.0.1:{port}",
        "CLERK_CLIENT_ID": "dash",
        "CLERK_CLIENT_SECRET": "sekret",
        "DASHBOARDS_URL": f"http://127.0.0.1:{mine}",
    }
    _on_the_team(town, INVITED)
    try:
        browsing.wait_until_answered(discovery, provider)
        claims = {"email": ANN, "email_verified": True, "name": "Ann"}
        httpx.put(f"http://127.0.0.1:{port}/users/ann", json=claims, trust_env=False).raise_for_status()
        with browsing.serving(environment, tmp_path / "dashboards.log", port=mine) as address:
            yield address
    finally:
        provider.terminate()
        provider.wait(timeout=20)
        _on_the_team(town, GONE)


def _on_the_team(town: Town, change: LiteralString) -> None:
    with psycopg.connect(town.settings.role_url("engine")) as connection:
        connection.execute(change, (ANN, town.dental.tenant_id))


def _signed_in(visit: Visit, address: str) -> None:
    visit.page.goto(address)
    visit.page.get_by_role("button", name="Sign in").click(timeout=PATIENCE)
    visit.page.locator("input[name=sub]").fill("ann", timeout=PATIENCE)
    visit.page.locator("[type=submit]").first.click()
    visit.settled()
    visit.page.locator("[data-testid=stMetric]").first.wait_for(timeout=PATIENCE)


def test_a_bookmark_leads_a_stranger_to_the_way_in(browser: Browser, with_sign_in: str) -> None:
    with browsing.visiting(browser, with_sign_in) as visit:
        for path in ("inbox", "overview", ""):
            visit.page.goto(f"{with_sign_in}/{path}")
            visit.page.get_by_role("button", name="Sign in").wait_for(timeout=PATIENCE)
            visit.page.wait_for_selector("[data-test-script-state=notRunning]", timeout=PATIENCE)
            assert visit.page.get_by_text("Page not found").count() == 0
            assert visit.page.locator("[data-testid=stSidebarNav]").count() == 0


def test_an_invited_viewer_signs_in_sees_numbers_and_is_refused_the_rest(browser: Browser, with_sign_in: str) -> None:
    with browsing.visiting(browser, with_sign_in) as visit:
        page = visit.page
        _signed_in(visit, with_sign_in)
        menu = page.locator("[data-testid=stSidebarNav]").inner_text()
        assert "Overview" in menu
        assert "Inbox" not in menu
        assert "Delivery" not in menu

        for closed in ("inbox", "delivery"):
            page.goto(f"{with_sign_in}/{closed}")
            page.get_by_text("Your role does not open this page").wait_for(timeout=PATIENCE)
            assert page.locator(".mcf-bubble").count() == 0


def test_a_changed_role_holds_at_the_next_click_and_in_an_open_dialog(
    browser: Browser, with_sign_in: str, town: Town
) -> None:
    _on_the_team(town, "update team_members set role = 'agent' where email = %s and tenant_id = %s")
    with browsing.visiting(browser, with_sign_in) as visit:
        page = visit.page
        _signed_in(visit, with_sign_in)
        page.get_by_role("button", name="who is behind it").first.press("Enter")
        dialog = page.get_by_role("dialog")
        dialog.locator(".mcf-bubble").first.wait_for(timeout=PATIENCE)

        _on_the_team(town, "update team_members set role = 'viewer' where email = %s and tenant_id = %s")
        # The table is a canvas below a layer of its own: the box of its second row is pressed by hand.
        box = dialog.get_by_test_id("stDataFrame").bounding_box()
        assert box is not None
        page.mouse.click(box["x"] + 16, box["y"] + 90)
        dialog.get_by_text("Messages are for the team").wait_for(timeout=PATIENCE)
        assert dialog.locator(".mcf-bubble").count() == 0

        dialog.get_by_role("button", name="Close").click()
        dialog.wait_for(state="detached", timeout=PATIENCE)
        _on_the_team(town, "update team_members set role = 'admin' where email = %s and tenant_id = %s")
        page.get_by_role("link", name="Leads").click()
        page.get_by_role("link", name="Campaigns").wait_for(timeout=PATIENCE)

        _on_the_team(town, "update team_members set removed_at = now() where email = %s and tenant_id = %s")
        page.get_by_role("link", name="Campaigns").click()
        page.get_by_text("No workspace yet").wait_for(timeout=PATIENCE)
        assert page.locator("[class*=st-key-card-campaign]").count() == 0


def test_an_owner_sees_how_to_remove_somebody_and_that_it_is_done(visit: Visit, town: Town) -> None:
    _on_the_team(town, INVITED)
    try:
        page, dialog = visit.page, visit.page.get_by_role("dialog")
        visit.open(f"team?workspace={town.dental.name}")
        page.get_by_label("Change somebody").click(timeout=PATIENCE)
        page.get_by_role("option", name=ANN).click()
        page.get_by_role("button", name="Edit").click()
        dialog.get_by_role("button", name="Save").wait_for(timeout=PATIENCE)
        remove = dialog.get_by_text("Remove from the team")
        assert remove.evaluate("label => label.getBoundingClientRect().width") > 100
        # A title is no link that opens a mail program.
        assert dialog.locator("a").count() == 0

        remove.click()

        page.get_by_test_id("stToast").get_by_text("Removed from the team").wait_for(timeout=PATIENCE)
        assert ANN not in page.locator(".st-key-card-team").inner_text()
    finally:
        _on_the_team(town, GONE)
