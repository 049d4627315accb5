"""Pages come from the public web alone, however their address is dressed up."""

import ipaddress
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from realtime.channels import public_web
from realtime.documents import fetch
from realtime.documents.fetch import FetchRefused


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
        "255.255.255.255", "::1", "::", "fe80::1", "fc00::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "2002:7f00:1::",
        "64:ff9b::7f00:1", "ff02::1", "2001:db8::1", "192.0.2.1", "198.18.0.1",
    ],
)  # fmt: skip
def test_inner_addresses_are_not_public(address):
    assert not public_web.is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946", "2002:5db8:d822::"])
def test_the_web_is_public(address):
    assert public_web.is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("ftp://example.com/", "must begin with"),
        ("file:///etc/passwd", "must begin with"),
        ("http://user:pass@example.com/", "user name"),
        ("http://example.com:6379/", "port 6379"),
        ("http://127.0.0.1/", "private"),
        ("http://[::1]/", "private"),
        ("http://[::ffff:169.254.169.254]/latest", "private"),
        ("http://localhost/", "private"),
        ("http://2130706433/", "private"),
        ("http://0x7f.1/", "private"),
        ("http://017700000001/", "private"),
        ("http://①②⑦.⓪.⓪.①/", "private"),
        ("http://127.0.0.1./", "private"),
        ("http://[half", "not a web address"),
        ("http://exa mple.com/", "not a web address"),
        ("http://./", "not a web address"),
        ("http://-.example.com/", "not a web address"),
        (f"http://{'a' * 64}.example.com/", "not a web address"),
        (f"http://{'a.' * 130}com/", "not a web address"),
    ],
)
async def test_inner_places_are_never_asked(url, why):
    with pytest.raises(FetchRefused, match=why):
        await fetch.page(url)


@pytest.fixture
async def site() -> AsyncIterator[tuple[str, frozenset[int]]]:
    async def page(_: web.Request) -> web.Response:
        return web.Response(text="<p>Hello</p>", content_type="text/html")

    async def moved(_: web.Request) -> web.Response:
        raise web.HTTPFound("/page")

    async def inside(_: web.Request) -> web.Response:
        raise web.HTTPFound("http://10.0.0.1/")

    async def around(_: web.Request) -> web.Response:
        raise web.HTTPFound("/around")

    async def image(_: web.Request) -> web.Response:
        return web.Response(body=b"x", content_type="image/png")

    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/html"})
        await response.prepare(request)
        for _ in range(200):
            await response.write(b"x" * 65_536)
        return response

    app = web.Application()
    app.add_routes([web.get(f"/{each.__name__}", each) for each in (page, moved, inside, around, image, endless)])
    runner = web.AppRunner(app)
    await runner.setup()
    server = web.TCPSite(runner, "127.0.0.1", 0)
    await server.start()
    port = runner.addresses[0][1]
    yield f"http://127.0.0.1:{port}", frozenset({port, 80})
    await runner.cleanup()


def is_here(address):
    return address == ipaddress.ip_address("127.0.0.1")


async def test_a_page_is_fetched_also_after_a_move(site):
    base, ports = site

    for path in ("page", "moved"):
        assert await fetch.page(f"{base}/{path}", allows=is_here, ports=ports) == b"<p>Hello</p>"


@pytest.mark.parametrize(
    ("path", "why", "is_final"),
    [
        ("inside", "private", True),
        ("around", "from address to address", True),
        ("image", "image/png", True),
        ("endless", "larger than 10 MB", True),
        ("nowhere", "404", True),
    ],
)
async def test_bad_pages_are_refused(site, path, why, is_final):
    base, ports = site

    with pytest.raises(FetchRefused, match=why) as refused:
        await fetch.page(f"{base}/{path}", allows=is_here, ports=ports)

    assert refused.value.is_final is is_final


async def test_a_silent_page_is_asked_again_later():
    with pytest.raises(FetchRefused) as refused:
        await fetch.page("http://127.0.0.1:9/", allows=is_here, ports=frozenset({9}))

    assert not refused.value.is_final
