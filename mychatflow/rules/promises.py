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
# An offer or a condition promises nothing yet.
_OPEN: Final = re.compile(
    r"\b(?:if|once|when|before|unless|not|until|si|cuando|una vez|se|quando|lorsque|quand|wenn|sobald|nicht|no"
    r"|nao|pas|non|jika|kalau|belum|если|когда|не)\b"
)
_SENTENCE: Final = re.compile(r"[^.!?\n。！？]+[.!?。！？]*")


def find(text: str) -> str | None:
    """The first such claim in a sentence that neither asks nor makes conditions."""
    plain = normalisation.normalise(text).text
    for sentence in _SENTENCE.findall(plain):
        if "?" in sentence:
            continue
        found = _PROMISE.search(sentence)
        if found is not None and not _OPEN.search(sentence):
            return found.group()
    return None
