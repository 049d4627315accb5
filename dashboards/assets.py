"""What a browser fetches before it shows anything, made light: scripts compressed once and for all, fonts cut to size.

`python -m dashboards.assets` compresses them; the dashboards start it by themselves where that was never done.
"""

import asyncio
import importlib.util
import os
import sys
from pathlib import Path
from typing import Final

import pyarrow as pa
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import FileResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_HERE: Final = Path(__file__).parent
_STREAMLIT: Final = Path(str(importlib.util.find_spec("streamlit").origin)).parent / "static"  # type: ignore[union-attr]  # installed
# Beside the packages, because it changes with them alone: an image brings it along, and every process reads it.
COMPRESSED: Final = Path(sys.prefix) / "share" / "mychatflow" / "compressed"
_MEDIA: Final = _STREAMLIT / "static" / "media"
# Streamlit's fonts, of four thousand icons and of letters that our theme replaces before anybody reads one; ours are
# made by `cut_fonts`. Another Streamlit has other names here, and then serves its own.
SYMBOLS: Final = _MEDIA / "MaterialSymbols-Rounded.nEdyypZU.woff2"
LETTERS: Final = _MEDIA / "SourceSansVF-Upright.ttf.BsWL4Kly.woff2"
CUT: Final = {path.name: _HERE / "theme" / "cut" / path.name for path in (SYMBOLS, LETTERS)}
_THEIR_FONT: Final = f"./static/media/{LETTERS.name}".encode()
_OUR_FONT: Final = b"./app/static/inter-latin.woff2"
# A page under an address of its own would look for its server below that address first, and be told twice that nothing
# is there. Said before Streamlit's scripts run, and relative to the page as their addresses are.
_SAID_FIRST: Final = b"window.prerenderReady = false"
_SERVER: Final = _SAID_FIRST + b'; window.__streamlit = {BACKEND_BASE_URL: new URL("./", location.href).href}'
# The big ones that our pages load, first what the first page does. What is bigger draws maps and diagrams.
_BIG: Final = ("PlotlyChart.", "index.", "embed.", "protobuf.", "DataFrame.", "arrowFormatUtils.")
_SMALL: Final = 300_000
_TIGHTEST: Final = 11
_TYPES: Final = {".js": "text/javascript", ".css": "text/css"}
# As Streamlit serves them: their names change with what is in them.
_FOREVER: Final = {"cache-control": "public, immutable, max-age=31536000", "vary": "Accept-Encoding"}


def used() -> list[Path]:
    """Streamlit's scripts and styles that our pages may load, the most needed first."""
    files = [path for kind in ("js", "css") for path in sorted((_STREAMLIT / "static" / kind).iterdir())]
    big = [path for name in _BIG for path in files if path.name.startswith(name)]
    return big + [path for path in files if path not in big and path.stat().st_size < _SMALL]


def missing() -> list[Path]:
    return [path for path in used() if not _compressed(path.name).exists()]


def compress(path: Path) -> None:
    """A browser that takes brotli gets a quarter less than by gzip; a reader never sees half a file."""
    COMPRESSED.mkdir(parents=True, exist_ok=True)
    packed = pa.Codec("brotli", compression_level=_TIGHTEST).compress(path.read_bytes(), asbytes=True)
    written = COMPRESSED / f"{path.name}.{os.getpid()}"
    written.write_bytes(packed)
    written.replace(_compressed(path.name))


def _compressed(name: str) -> Path:
    return COMPRESSED / f"{name}.br"


async def start_compressing() -> asyncio.subprocess.Process | None:
    """Behind everything else; until then scripts travel as gzip. None when all is there, or nothing can be kept."""
    writable = next(folder for folder in (COMPRESSED, *COMPRESSED.parents) if folder.exists())
    if not missing() or not os.access(writable, os.W_OK):
        return None
    return await asyncio.create_subprocess_exec(sys.executable, "-m", "dashboards.assets", cwd=_HERE.parent)


class Light:
    """The files that were made light, in place of Streamlit's; stands within whatever else compresses."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "GET":
            await self._app(scope, receive, send)
        elif answer := _light(scope["path"], Headers(scope=scope).get("accept-encoding", "")):
            await answer(scope, receive, send)
        else:
            await self._app(_plain(scope), receive, _Page(send))


def _plain(scope: Scope) -> Scope:
    """Streamlit compresses its pages, too, and nobody could read them: what is around us does it afterwards."""
    return {**scope, "headers": [pair for pair in scope["headers"] if pair[0] != b"accept-encoding"]}


def _light(path: str, accepted: str) -> FileResponse | None:
    folder, _, name = path.rpartition("/")
    if folder == "/static/media" and name in CUT:
        return FileResponse(CUT[name], media_type="font/woff2", headers=_FOREVER)
    kind = _TYPES.get(Path(name).suffix)
    if kind is None or folder not in {"/static/js", "/static/css"} or not _takes_brotli(accepted):
        return None
    packed = _compressed(name)
    if not packed.exists():
        return None
    return FileResponse(packed, media_type=kind, headers=_FOREVER | {"content-encoding": "br"})


def _takes_brotli(accepted: str) -> bool:
    return "br" in {each.partition(";")[0].strip() for each in accepted.split(",") if "q=0" not in each.split(";")[1:]}


class _Page:
    """Hands on what is sent; a page asks at once for our font and our server, where it would have asked elsewhere."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._started: Message | None = None
        self._body = b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start" and _is_page(message):
            self._started = message
        elif self._started is None:
            await self._send(message)
        else:
            self._body += message.get("body", b"")
            if not message.get("more_body", False):
                await self._finish(self._started)

    async def _finish(self, started: Message) -> None:
        body = self._body.replace(_THEIR_FONT, _OUR_FONT).replace(_SAID_FIRST, _SERVER)
        MutableHeaders(scope=started)["content-length"] = str(len(body))
        await self._send(started)
        await self._send({"type": "http.response.body", "body": body})


def _is_page(message: Message) -> bool:
    headers = Headers(raw=message["headers"])
    return headers.get("content-type", "").startswith("text/html") and "content-encoding" not in headers


def main() -> None:
    """Compress what is missing."""
    os.nice(10)
    for path in missing():
        compress(path)


if __name__ == "__main__":
    main()
