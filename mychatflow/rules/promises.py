"""Words by which a reply claims that something is booked or confirmed."""

import re
from typing import Final

from mychatflow.rules import normalisation

_PHRASES: Final = (
    # English
    r"(?:is|are|has been|have been|'s|you're|you are) (?:now |all |already )?(?:booked|confirmed|scheduled|reserved)",
    r"i(?:'ve| have)? (?:just |now )?(?:booked|confirmed|scheduled|reserved)",
    r"(?:booking|appointment|reservation) confirmed",
    # Spanish, Portuguese
    r"(?:esta|queda|ha sido|he|hemos|quedo) (?:ya )?(?:reservad|confirmad|agendad|programad)\w+",
    r"(?:cita|reserva) (?:confirmada|agendada)",
    r"(?:esta|foi|ficou|fica) (?:ja )?(?:reservad|confirmad|agendad|marcad)\w+",
    r"(?:agendei|reservei|marquei|confirmei)",
    # French, Italian
    r"(?:est|a ete|j'ai|nous avons|c'est) (?:bien |deja )?(?:reserve|confirme|planifie|programme)e?s?",
    r"(?:e stat[oa]|ho|abbiamo|e) (?:gia )?(?:prenotat|confermat|fissat)\w",
    # German
    r"(?:ist|wurde|habe|haben) (?:\w+ ){0,6}(?:gebucht|bestatigt|reserviert|eingetragen)",
    # Arabic
    r"(?:تم|لقد تم) (?:\w+ )?(?:حجز|تاكيد|الحجز|التاكيد)",
    # Hindi, Indonesian, Turkish
    r"(?:बुक|कन्फर्म|पक्की?) (?:हो गय[ाी]|हो गई|कर दिय[ाी]|कर दी|है)",
    r"(?:book|confirm) (?:ho gaya|ho gayi|kar diya)",
    r"(?:sudah|telah|berhasil) (?:saya |kami )?(?:di)?(?:pesan|booking|konfirmasi|jadwalkan|reservasi)\w*",
    r"(?:onaylandi|rezerve edildi|ayirtildi|olusturuldu|planlandi|onaylanmistir)",
    # Russian
    r"(?:забронирован|подтвержден|записал|записан)\w*",
    # Chinese, Japanese
    r"(?:已经?|已為您|已为您)(?:为您|帮您|幫您)?(?:预订|预约|確認|确认|订好|預約|预定)",
    r"(?:预订|预约|預約)(?:成功|已确认)",
    r"予約(?:が|は|を)?(?:完了|確定|承りました|お取りしました|しました)",
)
_PROMISE: Final = re.compile(rf"(?<!\w)(?:{'|'.join(_PHRASES[:-3])})|{'|'.join(_PHRASES[-3:])}")
# A condition promises nothing yet. "si," is a yes, "a las once" the eleventh hour, and "se te enviara" no condition.
_CONDITION: Final = (
    r"if|unless|(?<!las )once|when|whether|until|(?<!non )si(?!\s*[,.!])|cuando|una vez"
    r"|se(?! (?:te|le|les|os|nos|me|lo|la|ha|han|[a-z]+ra|[a-z]+ran)\b)|quando|lorsque|quand|wenn|sobald|falls"
    r"|jika|kalau|bila|если|когда"
)
_CONDITION_AHEAD: Final = re.compile(rf"\b(?:{_CONDITION}|before|antes|avant|bevor|prima|sebelum|пока)\b")
_CONDITION_BEHIND: Final = re.compile(rf"\b(?:{_CONDITION})\b")
# "No problem, it is booked": a denial reaches no further than its own clause.
_DENIAL: Final = re.compile(r"\b(?:not|nothing|no|nao|pas|non|nicht|kein\w*|nichts|belum|не)\b")
_CLAUSE_END: Final = re.compile(r"[,;:–—、،]")
_SENTENCE: Final = re.compile(r"[^.!?\n。！？]+[.!?。！？]*")


def find(text: str) -> str | None:
    """The first such claim that is neither asked, nor denied, nor made on a condition."""
    plain = normalisation.normalise(text).text
    for sentence in _SENTENCE.findall(plain):
        told = _without_question(sentence)
        for found in _PROMISE.finditer(told):
            if not _is_open(told, found.start(), found.end()):
                return found.group()
    return None


def _without_question(sentence: str) -> str:
    """Of "It is booked for five, anything else?" the last clause alone asks."""
    if "?" not in sentence:
        return sentence
    return sentence.partition("¿")[0] if "¿" in sentence else sentence.rpartition(",")[0]


def _is_open(sentence: str, start: int, end: int) -> bool:
    begins = max((found.end() for found in _CLAUSE_END.finditer(sentence, 0, start)), default=0)
    ends = _CLAUSE_END.search(sentence, end)
    behind = sentence[end : ends.start() if ends else len(sentence)]
    return bool(
        _CONDITION_AHEAD.search(sentence, 0, start)
        or _CONDITION_BEHIND.search(behind)
        or _DENIAL.search(sentence, begins, end)
    )
