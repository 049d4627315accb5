"""The bytes of pictures and documents, on disk beside the journal or in memory."""

import re
import secrets
from pathlib import Path
from typing import Final

_SAFE_NAME: Final = re.compile(r"[A-Za-z0-9]{1,64}\.[a-z0-9]{1,8}")
_EXTENSIONS: Final = {
    "image/jpeg": "jpeg",
    "image/png": "png",
    "image/webp": "webp",
    "image/gif": "gif",
    "application/pdf": "pdf",
    "audio/ogg": "oga",
    "audio/mpeg": "mp3",
    "audio/mp4": "m4a",
    "text/plain": "txt",
}
# Only these are played and shown in the page; everything else is offered as a download.
PLAYED_INLINE: Final = frozenset({"audio/ogg", "audio/mpeg", "audio/mp4"})
SHOWN_INLINE: Final = frozenset({"image/jpeg", "image/png", "image/webp", "image/gif"})


class FileStore:
    def __init__(self, directory: Path | None) -> None:
        self._directory = directory
        self._memory: dict[str, bytes] = {}

    def save(self, data: bytes, *, mimetype: str) -> str:
        """Keep the bytes under a new unguessable name."""
        name = f"{secrets.token_hex(16)}.{_EXTENSIONS.get(mimetype.partition(';')[0].strip(), 'bin')}"
        if self._directory is None:
            self._memory[name] = data
        else:
            self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            (self._directory / name).write_bytes(data)
        return name

    def load(self, name: str) -> bytes | None:
        if not _SAFE_NAME.fullmatch(name):
            return None
        if self._directory is None:
            return self._memory.get(name)
        path = self._directory / name
        return path.read_bytes() if path.is_file() else None


def mimetype_of(name: str) -> str:
    """The kind of a stored file, from the name that `save` gave it."""
    extension = name.rpartition(".")[2]
    return next((kind for kind, known in _EXTENSIONS.items() if known == extension), "application/octet-stream")
