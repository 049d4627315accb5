"""Makes a reply fit for WhatsApp and finds what must never be in one."""

import re
import unicodedata
from typing import Final

_BOLD: Final = re.compile(r"\*\*(\S(?:.*?\S)?)\*\*|__(\S(?:.*?\S)?)__")
_HEADING: Final = re.compile(r"^#{1,6}\s+(.+?)\s*#*$", re.MULTILINE)
_IMAGE_OR_LINK: Final = re.compile(r"!?\[([^\]\n]*)\]\((\S+?)\)")
_BULLET: Final = re.compile(r"^([ \t]*)[*+][ \t]+(?=\S)", re.MULTILINE)
_BLANK_LINES: Final = re.compile(r"\n{3,}")
# A full stop or question mark inside an address ends no sentence.
_SENTENCE_END: Final = re.compile(r"[.!?](?=\s|$|[\"'»”)\]*_~])|[。！？।…؟]")
# A line break that was escaped once too often.
_WRITTEN_BREAK: Final = re.compile(r"(?:\\r)?\\n(?![a-z])")
# What follows a plus or a slash is dialled.
_CARD: Final = re.compile(r"(?<![\d+/])\d(?:[ -]?\d){12,18}(?!\d)")
# How the numbers of cards begin, by their length; the rest are 2 to 6.
_ISSUED: Final = {13: "4", 14: "3", 15: "3"}
_ONE_TIME_CODE: Final = re.compile(
    r"\b(?:otp|one[- ]time (?:code|password)|verification code|security code"
    r"|c[oó]digo de (?:verificaci[oó]n|verifica[cç][aã]o|seguridad|seguran[cç]a)"
    r"|code de v[eé]rification|best[aä]tigungscode|codice di verifica|kode verifikasi"
    r"|do[gğ]rulama kodu|код подтверждения|验证码|認証コード|رمز التحقق)\D{0,20}\d{4,8}\b",
    re.IGNORECASE,
)
_SECRET: Final = re.compile(
    r"\b(?:sk-[A-Za-z0-9_-]{16,}|mcf_[A-Za-z0-9_-]{8,}|AIza[A-Za-z0-9_-]{20,}|whsec_[A-Za-z0-9+/=]{8,}"
    r"|eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]+|AKIA[A-Z0-9]{16})"
)
_JOINERS: Final = frozenset("\u200c\u200d")


def clean(text: str, *, longest: int) -> str:
    """Invisible and control characters gone, markdown as WhatsApp markup, cut at the end of a sentence."""
    visible = _visible(_WRITTEN_BREAK.sub("\n", text).replace("\r\n", "\n").replace("\r", "\n"))
    return cut(_whatsapp_markup(visible).strip(), longest=longest)


def cut(text: str, *, longest: int) -> str:
    """At the last sentence that fits, else at the last word, else hard."""
    if len(text) <= longest:
        return text
    head = text[:longest]
    ends = [found.end() for found in _SENTENCE_END.finditer(text, 0, longest + 1) if found.end() <= longest]
    # A sentence that ends in the first half says too little: better a cut sentence than a lost answer.
    if ends and ends[-1] > longest // 2:
        return head[: ends[-1]].rstrip()
    space = head.rfind(" ", 0, longest - 1)
    return (head[:space] if space > longest // 2 else head[: longest - 1]).rstrip() + "…"


def has_card_number(text: str) -> bool:
    found = (re.sub(r"\D", "", each) for each in _CARD.findall(text))
    return any(digits[0] in _ISSUED.get(len(digits), "23456") and _passes_luhn(digits) for digits in found)


def has_one_time_code(text: str) -> bool:
    return _ONE_TIME_CODE.search(text) is not None


def has_secret(text: str) -> bool:
    return _SECRET.search(text) is not None


def _visible(text: str) -> str:
    kept: list[str] = []
    for index, character in enumerate(text):
        category = unicodedata.category(character)
        if character == "\n" or category not in {"Cc", "Cf", "Cs", "Co", "Cn"} or _is_newer_emoji(character):
            kept.append(character)
        elif character == "\t":
            kept.append(" ")
        elif character in _JOINERS and _joins(text, index):
            kept.append(character)
    return "".join(kept)


def _is_newer_emoji(character: str) -> bool:
    """Phones learn a few new ones each year, before our tables do."""
    return "\U0001f000" <= character <= "\U0001faff"


def _joins(text: str, index: int) -> bool:
    """Between emoji or in Indic and Persian writing a joiner is spelling, anywhere else it hides something."""
    if index == 0 or index + 1 >= len(text):
        return False
    return all(_takes_joiner(text[place]) for place in (index - 1, index + 1))


def _takes_joiner(character: str) -> bool:
    code = ord(character)
    return 0x600 <= code <= 0x6FF or 0x900 <= code <= 0xDFF or code == 0xFE0F or code >= 0x2600


def _whatsapp_markup(text: str) -> str:
    text = _IMAGE_OR_LINK.sub(
        lambda found: f"{found[1]} {found[2]}".strip() if found[1] != found[2] else found[2], text
    )
    text = _HEADING.sub(r"*\1*", text)
    text = _BULLET.sub(r"\1- ", text)
    text = _BOLD.sub(lambda found: f"*{found[1] or found[2]}*", text)
    return _BLANK_LINES.sub("\n\n", text)


def _passes_luhn(digits: str) -> bool:
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0 and len(set(digits)) > 1
