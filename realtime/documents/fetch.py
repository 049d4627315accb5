"""Fetches a public web page for the knowledge, and never anything inside our own network."""

import asyncio
import ipaddress
import socket
from collections.abc import Callable
from typing import Final
from urllib.parse import urljoin, urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
LARGEST: Final = 10 << 20
_PATIENCE: Final = 10.0
_MOST_HOPS: Final = 3
_PORTS: Final = frozenset({80, 443})
_MOVED: Final = frozenset({301, 302, 303, 307, 308})
_TEXT: Final = ("text/html", "application/xhtml+xml", "text/plain", "text/markdown")


class FetchRefused(Exception):
    """`is_final` when asking again gets the same answer."""

    def __init__(self, why: str, *, is_final: bool = True) -> None:
        super().__init__(why)
        self.is_final = is_final


def is_public(address: Address) -> bool:
    """Nothing of loopback, private nets, link-local metadata, multicast, or the same dressed up as IPv6."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
        if inner is not None:
            return is_public(inner)
        # Addresses that a translator turns into IPv4 ones of its own network.
        if address in ipaddress.ip_network("64:ff9b::/96") or address in ipaddress.ip_network("64:ff9b:1::/48"):
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved


async def page(url: str, *, allows: Callable[[Address], bool] = is_public, ports: frozenset[int] = _PORTS) -> bytes:
    """The page's bytes, after at most three moves. Raises FetchRefused."""
    connector = aiohttp.TCPConnector(resolver=_Checked(allows), limit=2, use_dns_cache=False)
    timeout = aiohttp.ClientTimeout(total=_PATIENCE)
    try:
        async with aiohttp.ClientSession(
            connector=connector, timeout=timeout, trust_env=False, cookie_jar=aiohttp.DummyCookieJar()
        ) as session:
            for _ in range(_MOST_HOPS + 1):
                check(url, allows=allows, ports=ports)
                found = await _once(session, url)
                if isinstance(found, bytes):
                    return found
                url = found
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        raise FetchRefused(f"the page does not answer ({type(error).__name__})", is_final=False) from error
    raise FetchRefused("the page moves from address to address")


def check(url: str, *, allows: Callable[[Address], bool] = is_public, ports: frozenset[int] = _PORTS) -> None:
    """Raises FetchRefused for what is no public web address, as far as its words tell."""
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError as error:
        raise FetchRefused("this is not a web address") from error
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise FetchRefused("the address must begin with https:// or http://")
    if parts.username or parts.password:
        raise FetchRefused("the address must not hold a user name or password")
    if port not in ports:
        raise FetchRefused(f"the port {port} is none of the web's")
    # A number in place of a name is not looked up, so it is checked here.
    literal = _literal(parts.hostname)
    if literal is not None and not allows(literal):
        raise FetchRefused("the address lies in a private network")


class _Checked(AbstractResolver):
    """Looks a name up once; the connection goes to an address that was checked, whatever the name says later."""

    def __init__(self, allows: Callable[[Address], bool]) -> None:
        self._allows = allows

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM, family=family)
        addresses = [str(entry[4][0]) for entry in found]
        if not addresses or not all(self._allows(ipaddress.ip_address(each)) for each in addresses):
            raise FetchRefused("the address lies in a private network")
        return [
            ResolveResult(
                hostname=host,
                host=each,
                port=port,
                family=socket.AF_INET6 if ":" in each else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for each in addresses
        ]

    async def close(self) -> None:
        """Nothing is held open."""


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


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
