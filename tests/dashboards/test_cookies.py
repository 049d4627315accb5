"""Where the dashboards are served by https, their cookies never leave a browser by plain http."""

from http import HTTPStatus
from pathlib import Path

import httpx
import pytest

from tests.dashboards import browsing
from tests.dashboards.conftest import Town


@pytest.mark.parametrize(("public", "is_secure"), [("https://dash.example", True), ("http://dash.example", False)])
def test_a_cookie_of_an_https_address_is_secure(town: Town, tmp_path: Path, public: str, is_secure: bool) -> None:
    environment = town.environment | {
        "CLERK_ISSUER": "http://127.0.0.1:9",
        "CLERK_CLIENT_ID": "dash",
        "CLERK_CLIENT_SECRET": "sekret",
        "DASHBOARDS_URL": public,
    }
    with browsing.serving(environment, tmp_path / "dashboards.log") as address:
        answer = httpx.get(f"{address}/auth/logout", timeout=60)

    assert answer.status_code == HTTPStatus.FOUND
    cookies = answer.headers.get_list("set-cookie")
    assert cookies
    assert all(cookie.endswith("; Secure") is is_secure for cookie in cookies)
