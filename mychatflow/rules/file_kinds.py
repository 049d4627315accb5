"""What a file really is, by its first bytes: the sender's own word for it proves nothing."""

import mimetypes
from typing import Final

_SIGNS: Final = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"%PDF-", "application/pdf"),
    (b"OggS", "audio/ogg"),
    (b"ID3", "audio/mpeg"),
    (b"\xff\xfb", "audio/mpeg"),
    (b"\xff\xf3", "audio/mpeg"),
    (b"\xff\xf2", "audio/mpeg"),
)
# What the models look at and browsers show without running anything.
PICTURES: Final = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})
# What browsers play without running anything.
RECORDINGS: Final = frozenset({"audio/ogg", "audio/mpeg", "audio/mp4", "video/mp4"})
UNKNOWN: Final = "application/octet-stream"


def of(data: bytes) -> str:
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    if data[4:8] == b"ftyp":
        return "audio/mp4" if data[8:11] == b"M4A" else "video/mp4"
    return next((kind for sign, kind in _SIGNS if data.startswith(sign)), UNKNOWN)


def served(data: bytes, name: str, *, shown: frozenset[str] = PICTURES) -> tuple[str, dict[str, str]]:
    """The media type and headers for a browser: all but the kinds shown is a download, for people may send anything."""
    kind = of(data)
    disposition = "inline" if kind in shown else "attachment"
    extension = mimetypes.guess_extension(kind) or ".bin"
    headers = {
        "content-disposition": f'{disposition}; filename="{name}{extension}"',
        "content-security-policy": "default-src 'none'; sandbox",
        "x-content-type-options": "nosniff",
        "cache-control": "private, no-store",
    }
    return (kind if kind in shown else UNKNOWN), headers
