"""The checkable facts that a text states: numbers, times, links, e-mail addresses and phone numbers."""

import re
from dataclasses import dataclass
from typing import Final

from mychatflow.rules import normalisation

_EMAIL: Final = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,5}")
_LINK: Final = re.compile(
    r"(?:https?://|www\.)[^\s<>\"'\])]+|(?<![\w.-])(?:[a-z0-9-]{1,63}\.){1,5}(?:com|net|org|io|co|app|shop|store|info|biz|me|eu|[a-z]{2})"
    r"(?:/[^\s<>\"'\])]*)?\b"
)
_PHONE: Final = re.compile(r"\+?\(?\d(?:[\s().-]{0,2}\d){6,16}")
_TIME: Final = re.compile(
    r"\b(\d{1,2})(?:[:.h](\d{2}))?\s?(a\.?m\.?|p\.?m\.?)(?!\w)"
    r"|\b(\d{1,2})(?::|\s?h\s?|\.(?=\d\d\s?uhr\b))(\d{2})\b(?!\s?[ap]\.?m)(?:\s?uhr\b)?|\b(\d{1,2})\s?(?:h|uhr)\b"
)
# "下午6点", "akşam 6", "6 de la tarde": the half of the day in a word, before the hour or behind it.
_SPOKEN_TIME: Final = re.compile(
    r"(?:(上午|早上|早晨|凌晨|清晨|午前|朝)|下午|中午|晚上|傍晚|午後|夕方|夜)\s?(\d{1,2})\s?[点點时時:]\s?(?:(\d{1,2})分?|(半))?"
    r"|\b(?:(sabah|सुबह)|ogleden sonra|aksam|दोपहर|शाम|रात)\s(?:saat\s)?(\d{1,2})(?:[:.](\d{2}))?"
    r"|(?<![\d.,:])(\d{1,2})(?:\s?[:.h]\s?(\d{2}))?\s?(?:h|heures?|uhr|часов|часа)?\s?"
    r"(?:(صباحا|de la manana|da manha|du matin|di mattina|del mattino|morgens|vormittags|утра)"
    r"|مساء|de la tarde|de la noche|da tarde|da noite|du soir|de l'apres-midi|di sera|del pomeriggio|abends|nachmittags"
    r"|вечера)(?!\w)|\b(?:jam|pukul)\s(\d{1,2})(?:[:.](\d{2}))?\s(?:(pagi)|siang|sore|malam)\b"
)
_ISO_DATE: Final = re.compile(r"\b\d{4}-(\d{2})-(\d{2})\b")
_NUMBER: Final = re.compile(r"\d+(?:[.,'\u00a0\u202f ]\d{3}(?!\d))+(?:[.,]\d{1,2}(?!\d))?|\d+(?:[.,]\d+)?")
# Every link holds one, and every number, time and phone number a digit: most replies need no closer look.
_LINK_MARK: Final = re.compile(r"\.\S|://")
_DIGIT: Final = re.compile(r"\d")
_NOTHING: Final[frozenset[str]] = frozenset()
_LIST_MARK: Final = re.compile(r"^[ \t]*\d{1,2}[.)]\s", re.MULTILINE)
_HALF_DAY: Final = 12 * 60
_HALF_HOUR: Final = 30
_PHONE_DIGITS: Final = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """Numbers in one plain form ("1.200,50" is "1200.5"), times as minutes of the day, phones as digits."""

    numbers: frozenset[str]
    times: frozenset[int]
    links: frozenset[str]
    emails: frozenset[str]
    phones: frozenset[str]

    def __or__(self, other: "Claims") -> "Claims":
        return Claims(
            numbers=self.numbers | other.numbers,
            times=self.times | other.times,
            links=self.links | other.links,
            emails=self.emails | other.emails,
            phones=self.phones | other.phones,
        )


NONE: Final = Claims(numbers=frozenset(), times=frozenset(), links=frozenset(), emails=frozenset(), phones=frozenset())


def read(text: str, *, is_evidence: bool = False) -> Claims:
    """In evidence every reading of an ambiguous number or time is known; in a reply each must be covered."""
    plain = normalisation.normalise(text).text
    emails, rest = _split_off(_EMAIL, plain) if "@" in plain else (_NOTHING, plain)
    found, without = _split_off(_LINK, rest) if _LINK_MARK.search(rest) else (_NOTHING, rest)
    links = frozenset(map(_plain_link, found))
    rest = rest if is_evidence else without
    if not _DIGIT.search(rest):
        return Claims(numbers=_NOTHING, times=frozenset(), links=links, emails=emails, phones=_NOTHING)
    phones = frozenset(_phones(rest))
    if not is_evidence:
        rest = _LIST_MARK.sub(" ", rest)
        rest = _PHONE.sub(
            lambda found: (
                " " if len(_digits(found.group())) >= _PHONE_DIGITS and _looks_dialled(found.group()) else found.group()
            ),
            rest,
        )
    times = set(map(_spoken_minute, _SPOKEN_TIME.finditer(rest)))
    if not is_evidence:
        rest = _SPOKEN_TIME.sub(" ", rest)
    times.update(minute for found in _TIME.finditer(rest) for minute in _minutes(found, is_evidence=is_evidence))
    if not is_evidence:
        rest = _TIME.sub(" ", rest)
    numbers = {form for found in _NUMBER.finditer(rest) for form in _forms(found.group(), is_evidence)}
    if is_evidence:
        # As much of the world writes it: the 24th of December is "24.12."
        numbers.update(_canonical(f"{day}.{month}") for month, day in _ISO_DATE.findall(rest))
    return Claims(numbers=frozenset(numbers), times=frozenset(times), links=links, emails=emails, phones=phones)


def _split_off(pattern: re.Pattern[str], text: str) -> tuple[frozenset[str], str]:
    """What the pattern finds, and the text without it."""
    return frozenset(pattern.findall(text)), pattern.sub(" ", text)


def unknown_numbers(stated: Claims, known: Claims) -> frozenset[str]:
    return stated.numbers - known.numbers


def unknown_phones(stated: Claims, known: Claims) -> frozenset[str]:
    """A phone number may be known with or without its country code, which takes the place of a first 0."""
    return frozenset(
        phone for phone in stated.phones if not any(_is_same_phone(phone, other) for other in known.phones)
    )


def _is_same_phone(one: str, other: str) -> bool:
    if one == other:
        return True
    local, known = one.lstrip("0"), other.lstrip("0")
    return len(local) >= _PHONE_DIGITS and len(known) >= _PHONE_DIGITS and (local in known or known in local)


def unknown_times(stated: Claims, known: Claims) -> frozenset[str]:
    return frozenset(f"{minute // 60:02}:{minute % 60:02}" for minute in stated.times - known.times)


def _phones(text: str) -> list[str]:
    found = (match.group() for match in _PHONE.finditer(text))
    return [_digits(phone) for phone in found if _looks_dialled(phone)]


def _looks_dialled(phone: str) -> bool:
    """Long enough, and not a date or an amount with separators."""
    digits = _digits(phone)
    if len(digits) < _PHONE_DIGITS:
        return False
    is_date = re.fullmatch(r"\d{4}[-./ ]\d{1,2}[-./ ]\d{1,2}|\d{1,2}[-./ ]\d{1,2}[-./ ]\d{4}", phone)
    is_amount = re.fullmatch(r"\d{1,3}(?:[., ]\d{3})+", phone) and not phone.startswith("0")
    return is_date is None and not is_amount


def _digits(text: str) -> str:
    return "".join(filter(str.isdigit, text))


def _plain_link(link: str) -> str:
    bare = re.sub(r"^(?:https?://)?(?:www\.)?", "", link)
    return bare.rstrip("/.,;:!?")


def _spoken_minute(found: re.Match[str]) -> int:
    """Of each of the four ways to say it, the groups hold the word for the morning, the hour and the minutes."""
    early_1, hour_1, minute_1, half, early_2, hour_2, minute_2, *behind = found.groups()
    hour_3, minute_3, early_3, hour_4, minute_4, early_4 = behind
    hour = int(hour_1 or hour_2 or hour_3 or hour_4)
    minute = _HALF_HOUR if half else int(minute_1 or minute_2 or minute_3 or minute_4 or 0)
    if hour * 60 > _HALF_DAY:
        return hour * 60 + minute
    return hour % 12 * 60 + minute + (0 if early_1 or early_2 or early_3 or early_4 else _HALF_DAY)


def _minutes(found: re.Match[str], *, is_evidence: bool) -> list[int]:
    hour_12, minute_12, half, hour_24, minute_24, hour_alone = found.groups()
    if half is not None:
        total = int(hour_12) % 12 * 60 + int(minute_12 or 0) + (_HALF_DAY if half.startswith("p") else 0)
        return [total]
    total = int(hour_24 or hour_alone) * 60 + int(minute_24 or 0)
    # "5:30" written without am or pm may mean either half of the day, "05:30" does not.
    is_open = is_evidence and total < _HALF_DAY and not (hour_24 or "").startswith("0")
    return [total, total + _HALF_DAY] if is_open else [total]


def _forms(number: str, is_evidence: bool) -> list[str]:
    canonical = _canonical(number)
    parts = [_plain_whole(part) for part in re.findall(r"\d+", number)]
    return [canonical, *parts] if is_evidence else [canonical]


def _canonical(number: str) -> str:
    marks = [character for character in number if not character.isdigit()]
    if not marks:
        return _plain_whole(number)
    head, _, tail = number.rpartition(marks[-1])
    is_grouped = len(tail) == 3 and (marks[-1] not in ".," or marks.count(marks[-1]) == len(marks))
    if is_grouped:
        return _plain_whole(_digits(number))
    fraction = tail.rstrip("0")
    whole = _plain_whole(_digits(head))
    return f"{whole}.{fraction}" if fraction else whole


def _plain_whole(digits: str) -> str:
    # int() refuses what has more than 4,300 digits, and customers can send that.
    return digits.lstrip("0") or "0"
