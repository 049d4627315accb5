"""Fetches a public web page for the knowledge, and never anything inside our own network."""

from collections.abc import Callable
from typing import Final
from urllib.parse import urljoin

import aiohttp

from realtime.channels import public_web
from realtime.channels.public_web import Address, AddressRefused, CheckedResolver

LARGEST: Final = 10 << 20
_PATIENCE: Final = 10.0
_MOST_HOPS: Final = 3
_MOVED: Final = frozenset({301, 302, 303, 307, 308})
_TEXT: Final = ("text/html", "application/xhtml+xml", "text/plain", "text/markdown")


class FetchRefused(Exception):
    """`is_final` when asking again gets the same answer."""

    def __init__(self, why: str, *, is_final: bool = True) -> None:
        super().__init__(why)
        self.is_final = is_final


async def page(
    url: str, *, allows: Callable[[Address], bool] = public_web.is_public, ports: frozenset[int] = public_web.WEB_PORTS
) -> bytes:
    """The page's bytes, after at most three moves. Raises FetchRefused."""
    connector = aiohttp.TCPConnector(resolver=CheckedResolver(allows), limit=2, use_dns_cache=False)
    timeout = aiohttp.ClientTimeout(total=_PATIENCE)
    try:
        async with aiohttp.ClientSession(
            connector=connector, timeout=timeout, trust_env=False, cookie_jar=aiohttp.DummyCookieJar()
        ) as session:
            for _ in range(_MOST_HOPS + 1):
                public_web.check(url, allows=allows, ports=ports)
                found = await _once(session, url)
                if isinstance(found, bytes):
                    return found
                url = found
    except AddressRefused as refused:
        raise FetchRefused(str(refused)) from refused
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        raise FetchRefused(f"the page does not answer ({type(error).__name__})", is_final=False) from error
    raise FetchRefused("the page moves from address to address")


async def _once(session: aiohttp.ClientSession, url: str) -> bytes | str:
    """The body, or where it moved."""
    async with session.get(url, allow_redirects=False, headers={"accept": ", ".join(_TEXT)}) as response:
        if response.status in _MOVED:
            return urljoin(url, response.headers.get("location", ""))
        if response.status != 200:
            is_final = response.status < 500 and response.status != 429
            raise FetchRefused(f"the page answers {response.status}", is_final=is_final)
        if response.content_type not in _TEXT:
            raise FetchRefused(f"the page is no text but {response.content_type}")
        body = bytearray()
        async for part in response.content.iter_chunked(65_536):
            body += part
            if len(body) > LARGEST:
                raise FetchRefused("the page is larger than 10 MB")
        return bytes(body)
