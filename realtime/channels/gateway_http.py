"""Plain HTTP to a gateway: one bounded exchange at a time, with a total timeout and a cut for endless answers."""

import asyncio
from typing import Any, Final

import aiohttp
import msgspec

_LARGEST_ANSWER: Final = 1 << 20


class Answer(msgspec.Struct, frozen=True):
    """What came back; a body above the bound (1 MiB unless told) is cut off and empty."""

    status: int
    body: bytes
    mimetype: str
    is_cut: bool


class GatewayHttp:
    """The connections to one gateway."""

    def __init__(self, base_url: str, api_key: str, *, connections: int) -> None:
        self._base_url = base_url.rstrip("/")
        self._headers = {"X-Api-Key": api_key}
        self._connections = connections
        self._http: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        if self._http is not None:
            await self._http.close()
            self._http = None

    async def exchange(
        self,
        method: str,
        path: str,
        *,
        body: dict[str, Any] | None = None,
        query: dict[str, str] | None = None,
        accept: str = "application/json",
        most: int = _LARGEST_ANSWER,
        timeout: float,  # noqa: ASYNC109  (it bounds connecting, sending and reading together)
    ) -> Answer:
        """One request and its answer; raises aiohttp.ClientError, TimeoutError or OSError, and nothing else."""
        headers = {"Accept": accept}
        if body is not None:
            headers["Content-Type"] = "application/json"
        # Redirects are refused: following one would carry the key to another host.
        async with (
            asyncio.timeout(timeout),
            self._session().request(
                method,
                self._base_url + path,
                data=None if body is None else msgspec.json.encode(body),
                params=query,
                headers=headers,
                allow_redirects=False,
            ) as response,
        ):
            answer, is_cut = await _read_bounded(response, most)
            return Answer(response.status, answer, response.content_type, is_cut)

    def _session(self) -> aiohttp.ClientSession:
        if self._http is None or self._http.closed:
            # Below the 5 s after which Node closes an idle connection: a send must not meet a closing one.
            connector = aiohttp.TCPConnector(limit=self._connections, keepalive_timeout=4)
            self._http = aiohttp.ClientSession(
                connector=connector, headers=self._headers, timeout=aiohttp.ClientTimeout(total=None), trust_env=False
            )
        return self._http


async def _read_bounded(response: aiohttp.ClientResponse, most: int) -> tuple[bytes, bool]:
    """The body up to the bound; a longer one is cut by closing the connection."""
    chunks, size = [], 0
    async for chunk in response.content.iter_any():
        chunks.append(chunk)
        size += len(chunk)
        if size > most:
            response.close()
            return b"", True
    return b"".join(chunks), False
