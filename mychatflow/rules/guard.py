"""What a reply may say: nothing invented, nothing leaked, nothing promised without a receipt."""

import functools
import itertools
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from mychatflow.rules import claims, disguises, keywords, language, normalisation, promises, reply_text
from mychatflow.rules.claims import Claims

# WhatsApp's own limit, beyond which nothing is even looked at.
LONGEST_TEXT: Final = 4_096
# Nobody reads more on a phone.
LONGEST_REPLY: Final = 1_000
LEAK_LENGTH: Final = 60
# So few letters say nothing: a canary this short would be found by accident.
_SHORTEST_CANARY: Final = 8
_FEWEST_LETTERS: Final = 20
_SURE: Final = 0.7


class GuardReason(StrEnum):
    PASSED = "passed"
    EMPTY = "empty"
    WRONG_LANGUAGE = "wrong_language"
    UNKNOWN_NUMBER = "unknown_number"
    UNKNOWN_TIME = "unknown_time"
    UNKNOWN_LINK = "unknown_link"
    UNKNOWN_EMAIL = "unknown_email"
    UNKNOWN_PHONE = "unknown_phone"
    UNKNOWN_SOURCE = "unknown_source"
    NO_KNOWLEDGE = "no_knowledge"
    PROMISE_WITHOUT_RECEIPT = "promise_without_receipt"
    TOO_LONG = "too_long"
    SYSTEM_PROMPT = "system_prompt"
    SECRET = "secret"  # noqa: S105 - the name of a reason, not a password
    CARD_NUMBER = "card_number"
    ONE_TIME_CODE = "one_time_code"
    BANNED_WORD = "banned_word"


# What was found is ours alone: people are told, whatever the reply became in the end.
LEAKS: Final = frozenset({GuardReason.SYSTEM_PROMPT, GuardReason.SECRET})


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What a reply may lean on: passages, tool results, the business profile and the conversation, as texts.

    `instructions` are our own rules in the prompt, without the knowledge that customers may be told. `canaries` are
    words that stand in the prompt for no other end than to be found where it leaks, also spelt out or in capitals.
    """

    texts: tuple[str, ...] = ()
    instructions: str = ""
    canaries: tuple[str, ...] = ()
    source_ids: frozenset[str] = frozenset()
    banned: tuple[str, ...] = ()
    has_booking_receipt: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardVerdict:
    """`text` is the reply made fit to send; only send it when `ok`. `detail` names what was found."""

    ok: bool
    reason: GuardReason
    text: str
    detail: str | None = None


def check(
    reply: str,
    *,
    evidence: Evidence,
    language: str,
    supported: tuple[str, ...] = (),
    sources: tuple[str, ...] = (),
    cuts: bool = False,
) -> GuardVerdict:
    """A leak is looked for first, since it is reported to people; then the reply's contract in its order.

    With `cuts` a long reply is shortened to whole sentences instead of refused.
    """
    text = reply_text.clean(reply, longest=LONGEST_REPLY if cuts else LONGEST_TEXT)
    verdict = GuardVerdict(ok=True, reason=GuardReason.PASSED, text=text)
    if not text:
        return replace(verdict, ok=False, reason=GuardReason.EMPTY)
    fault = (
        _leaked(text, evidence)
        or _secret(text)
        or _wrong_language(text, wanted=language, supported=supported)
        or _invented(text, evidence)
        or _foreign_source(sources, evidence)
        or _promised(text, evidence)
        or _too_long(text)
        or _private(text, evidence)
    )
    if fault is None:
        return verdict
    reason, detail = fault
    return replace(verdict, ok=False, reason=reason, detail=detail)


Fault = tuple[GuardReason, str | None]


def _wrong_language(text: str, *, wanted: str, supported: tuple[str, ...]) -> Fault | None:
    rivals = supported if wanted in supported else (*supported, wanted)
    found = language.detect(text, supported=rivals)
    if found.language is None or found.letters < _FEWEST_LETTERS or found.language == wanted:
        return None
    # Close relatives share many short replies; only a clear finding counts against one.
    if found.probability < _SURE:
        return None
    return GuardReason.WRONG_LANGUAGE, found.language


def _invented(text: str, evidence: Evidence) -> Fault | None:
    stated, known = claims.read(text), claims.NONE
    fault = _unknown(stated, known)
    for told in evidence.texts:
        # What the business says of itself comes first and covers nearly every reply: the rest need not be read.
        if fault is None:
            break
        known |= _known(told)
        fault = _unknown(stated, known)
    return fault


def _unknown(stated: Claims, known: Claims) -> Fault | None:
    checks = (
        (GuardReason.UNKNOWN_LINK, stated.links - known.links),
        (GuardReason.UNKNOWN_EMAIL, stated.emails - known.emails),
        (GuardReason.UNKNOWN_PHONE, claims.unknown_phones(stated, known)),
        (GuardReason.UNKNOWN_TIME, claims.unknown_times(stated, known)),
        (GuardReason.UNKNOWN_NUMBER, claims.unknown_numbers(stated, known)),
    )
    return next(((reason, min(unknown)) for reason, unknown in checks if unknown), None)


@functools.lru_cache(maxsize=1024)
def _known(text: str) -> Claims:
    return claims.read(text, is_evidence=True)


def _foreign_source(sources: tuple[str, ...], evidence: Evidence) -> Fault | None:
    foreign = sorted(set(sources) - evidence.source_ids)
    return (GuardReason.UNKNOWN_SOURCE, foreign[0]) if foreign else None


def _promised(text: str, evidence: Evidence) -> Fault | None:
    if evidence.has_booking_receipt:
        return None
    promise = promises.find(text)
    return (GuardReason.PROMISE_WITHOUT_RECEIPT, promise) if promise is not None else None


def _too_long(text: str) -> Fault | None:
    return (GuardReason.TOO_LONG, f"{len(text)} characters") if len(text) > LONGEST_REPLY else None


def _leaked(text: str, evidence: Evidence) -> Fault | None:
    found = (_leaked_as_read(reading, evidence) for reading in disguises.readings(text))
    return next((fault for fault in found if fault is not None), None)


def _leaked_as_read(text: str, evidence: Evidence) -> Fault | None:
    bare = _bare(text)
    if any(len(canary) >= _SHORTEST_CANARY and _bare(canary) in bare for canary in evidence.canaries):
        return GuardReason.SYSTEM_PROMPT, "canary"
    said = _words(text)
    instructions = _instruction_words(evidence.instructions)
    if not _may_repeat(said, instructions):
        return None
    starts = range(max(0, len(said) - LEAK_LENGTH))
    windows = (said[start : start + LEAK_LENGTH + 1] for start in starts)
    repeated = [window for window in windows if window in instructions]
    if not repeated:
        return None
    public = _words("\n".join(evidence.texts))
    leaked = next((window for window in repeated if window not in public), None)
    return (GuardReason.SYSTEM_PROMPT, leaked) if leaked is not None else None


def _may_repeat(said: str, instructions: str) -> bool:
    """Whether a closer look is due: a passage that is long enough to be a leak covers one of these blocks whole."""
    block = LEAK_LENGTH // 2 + 1
    return any(said[start : start + block] in instructions for start in range(0, len(said) - block + 1, block))


def _secret(text: str) -> Fault | None:
    return (GuardReason.SECRET, None) if reply_text.has_secret(text) else None


def _private(text: str, evidence: Evidence) -> Fault | None:
    if reply_text.has_card_number(text):
        return GuardReason.CARD_NUMBER, None
    if reply_text.has_one_time_code(text):
        return GuardReason.ONE_TIME_CODE, None
    banned = keywords.match(text, evidence.banned)
    return (GuardReason.BANNED_WORD, banned) if banned is not None else None


def _bare(text: str) -> str:
    """Letters and digits alone, each once in a row: "c-a-n n a r y" is the same word as "canary"."""
    # Normalising shortens "aaa" and leaves "a-a-a": only without any repetition are the two alike.
    letters = filter(str.isalnum, normalisation.normalise(text).text)
    return "".join(letter for letter, _ in itertools.groupby(letters))


@functools.lru_cache(maxsize=256)
def _instruction_words(instructions: str) -> str:
    """The same few texts, one a tenant, stand beside every reply."""
    return _words(instructions)


def _words(text: str) -> str:
    return " ".join(normalisation.normalise(text).text.split())
