"""What a text says when it is read in the ways in which a model may be asked to hide what it must not tell."""

import base64
import binascii
import codecs
import re
from typing import Final

_BASE64: Final = re.compile(r"[A-Za-z0-9+/_-]{16,}={0,2}")
_HEX: Final = re.compile(r"(?:[0-9a-fA-F]{2}[\s:,-]{0,2}){12,}")
_NOT_HEX: Final = re.compile(r"[^0-9a-fA-F]")
_URL_SAFE: Final = str.maketrans("-_", "+/")


def readings(text: str) -> tuple[str, ...]:
    """The text as it stands, backwards, in ROT13, and what stands in it in Base64 and in hexadecimal."""
    hidden = (_from_base64(text), _from_hex(text))
    return (text, text[::-1], codecs.encode(text, "rot13"), *(each for each in hidden if each))


def _from_base64(text: str) -> str:
    """Line by line, since long ones are broken; what is no Base64 is nonsense that matches nothing."""
    return "".join(_decoded(run) for run in _BASE64.findall(text))


def _decoded(run: str) -> str:
    bare = run.rstrip("=").translate(_URL_SAFE)
    try:
        return base64.b64decode(bare + "=" * (-len(bare) % 4)).decode("utf-8", "ignore")
    except binascii.Error:
        return ""


def _from_hex(text: str) -> str:
    runs = (_NOT_HEX.sub("", run) for run in _HEX.findall(text))
    return "".join(bytes.fromhex(run[: len(run) // 2 * 2]).decode("utf-8", "ignore") for run in runs)
