"""What a file really is, by its first bytes: the sender's own word for it proves nothing."""

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
UNKNOWN: Final = "application/octet-stream"


def of(data: bytes) -> str:
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    if data[4:8] == b"ftyp":
        return "audio/mp4" if data[8:11] == b"M4A" else "video/mp4"
    return next((kind for sign, kind in _SIGNS if data.startswith(sign)), UNKNOWN)
