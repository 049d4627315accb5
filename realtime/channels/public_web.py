"""What a foreign web address must be before we call it: public, and the very address that was checked."""

import asyncio
import ipaddress
import re
import socket
from collections.abc import Callable
from typing import Final

from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
WEB_PORTS: Final = frozenset({80, 443})
# Of a provider's or a translator's own network, and global to Python: 192.0.0.192 gives out a cloud's credentials, and
# 168.63.129.16 another's.
_OWN: Final = ("64:ff9b::/96", "64:ff9b:1::/48", "fec0::/10", "192.0.0.0/24", "168.63.129.16/32")
# What a name server may be asked for; an underscore is in some names, a space in none.
_LABEL: Final = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME: Final = re.compile(rf"(?=.{{1,254}}$){_LABEL}(?:\.{_LABEL})*\.?", re.IGNORECASE)
_INNER: Final = tuple(map(ipaddress.ip_network, _OWN))


class AddressRefused(Exception):
    """An address that we do not call, in words for whoever typed it."""


def is_public(address: Address) -> bool:
    """Nothing of loopback, private nets, link-local metadata, multicast, or the same dressed up as IPv6."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
        if inner is not None:
            return is_public(inner)
    if any(address in network for network in _INNER):
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def check(url: str, *, allows: Callable[[Address], bool] = is_public, ports: frozenset[int] | None = WEB_PORTS) -> None:
    """Raises AddressRefused for what, by its words, is no public web address; without `ports` any port will do."""
    try:
        # As whoever calls it reads it: to them ①②⑦.⓪.⓪.① is 127.0.0.1, which they do not look up.
        parts = URL(url)
        host, port = parts.raw_host, parts.port
    except ValueError as error:
        raise AddressRefused("this is not a web address") from error
    if parts.scheme not in {"http", "https"} or not host:
        raise AddressRefused("the address must begin with https:// or http://")
    if parts.user or parts.password:
        raise AddressRefused("the address must not hold a user name or password")
    if ports is not None and port not in ports:
        raise AddressRefused(f"the port {port} is none of the web's")
    # A number in place of a name is not looked up, so it is checked here.
    literal = _literal(host)
    if literal is not None and not allows(literal):
        raise AddressRefused("the address lies in a private network")
    if literal is None and (not _NAME.fullmatch(host) or host.replace(".", "").isdigit()):
        raise AddressRefused("this is not a web address")


class CheckedResolver(AbstractResolver):
    """Looks a name up once; the connection goes to an address that was checked, whatever the name says later."""

    def __init__(self, allows: Callable[[Address], bool]) -> None:
        self._allows = allows

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM, family=family)
        addresses = [str(entry[4][0]) for entry in found]
        if not addresses or not all(self._allows(ipaddress.ip_address(each)) for each in addresses):
            raise AddressRefused("the address lies in a private network")
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


def _literal(host: str) -> Address | None:
    # A dot at the end makes a name absolute, and an address stays one.
    host = host.rstrip(".")
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        pass
    try:
        # 2130706433, 0x7f.1 and 017700000001 are addresses to whoever connects.
        return ipaddress.IPv4Address(socket.inet_aton(host))
    except OSError:
        return None
