"""What a colleague may send beside words, and how WhatsApp shows it: by what the file is, not by what it is called."""

import re
import unicodedata
from dataclasses import asdict, dataclass
from pathlib import PurePath
from typing import Any, Final, Literal, Self

from mychatflow.rules import file_kinds

Shape = Literal["image", "voice", "file"]
LONGEST_CAPTION: Final = 1_024
_LONGEST_NAME: Final = 120
_OFFICE: Final = "application/vnd.openxmlformats-officedocument."
# Media type → how WhatsApp shows it, and the extension of one that comes without a name.
_SHAPES: Final[dict[str, tuple[Shape, str]]] = {
    "image/jpeg": ("image", "jpg"),
    "image/png": ("image", "png"),
    "audio/ogg": ("voice", "ogg"),
    "audio/mpeg": ("voice", "mp3"),
    "audio/mp4": ("voice", "m4a"),
    "image/webp": ("file", "webp"),
    "image/gif": ("file", "gif"),
    "video/mp4": ("file", "mp4"),
    "application/pdf": ("file", "pdf"),
    "text/plain": ("file", "txt"),
    "text/csv": ("file", "csv"),
    f"{_OFFICE}wordprocessingml.document": ("file", "docx"),
    f"{_OFFICE}spreadsheetml.sheet": ("file", "xlsx"),
    f"{_OFFICE}presentationml.presentation": ("file", "pptx"),
}
TAKEN: Final = tuple(_SHAPES)
EXTENSIONS: Final = tuple(extension for _, extension in _SHAPES.values())
_UNSAFE: Final = re.compile(r'[\\/:*?"<>|]')


class AttachmentRefused(Exception):
    """`field` names the part of the request, the message what to do about it."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(problem)
        self.field = field


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A file on its way to a customer; its bytes lie in the vault under its message's id."""

    shape: Shape
    mimetype: str
    filename: str

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> Self:
        return cls(shape=row["shape"], mimetype=row["mimetype"], filename=row["filename"])

    def as_row(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def message_type(self) -> str:
        """As the same file from a customer is called."""
        if self.shape == "voice":
            return "audio"
        family = self.mimetype.partition("/")[0]
        return family if family in {"image", "video"} else "document"


def kind_of(data: bytes, filename: str) -> str | None:
    """The media type of a file somebody chose: by its bytes, else by its name; None when it cannot be sent."""
    found = file_kinds.of(data)
    if found in _SHAPES:
        return found
    extension = PurePath(filename).suffix.lstrip(".").lower()
    named = next((kind for kind, (_, known) in _SHAPES.items() if known == extension), None)
    return named if named and _is_what_it_says(data, named) else None


def judge(data: bytes, *, mimetype: str, filename: str, caption: str, as_file: bool) -> Attachment:
    """Raises AttachmentRefused; `as_file` sends a picture or a recording unaltered, as a document."""
    if not data:
        raise AttachmentRefused("body", "it is empty; the body must be the file itself")
    shape, extension = _SHAPES[mimetype]
    if not _is_what_it_says(data, mimetype):
        raise AttachmentRefused("body", f"the file is no {mimetype}; name its real type in Content-Type")
    if as_file:
        shape = "file"
    if shape == "voice" and caption:
        raise AttachmentRefused("caption", "a voice note has no caption; send the words as a message of their own")
    if len(caption) > LONGEST_CAPTION:
        raise AttachmentRefused("caption", f"it is longer than {LONGEST_CAPTION} characters")
    return Attachment(shape=shape, mimetype=mimetype, filename=_safe_name(filename, extension))


def _is_what_it_says(data: bytes, mimetype: str) -> bool:
    if mimetype.startswith(_OFFICE):
        return data.startswith(b"PK\x03\x04")
    found = file_kinds.of(data)
    if mimetype.startswith("text/"):
        return found == file_kinds.UNKNOWN and b"\x00" not in data
    return found == mimetype


def _safe_name(given: str, extension: str) -> str:
    """No path and no hidden characters, and the extension of what it is."""
    visible = "".join(char for char in given if unicodedata.category(char)[0] != "C")
    stem = _UNSAFE.sub(" ", PurePath(visible.replace("\\", "/")).stem).strip(" .")
    return f"{stem[:_LONGEST_NAME] or 'file'}.{extension}"
