"""Whether a message, as a whole, asks us to stop writing or allows us to write again."""

import re
from typing import Final, Literal

from mychatflow.rules import normalisation

Command = Literal["stop", "start"]

# "cancel" alone is ambiguous where people book and cancel appointments: it is no opt-out.
_STOP: Final = """
    stop | stop stop | stopall | stop all | quit | stop messaging me | stop texting me | stop writing me
    unsubscribe | opt out | optout | opt-out | remove me | unsubscribe me
    baja | dar de baja | darme de baja | cancelar suscripción | cancelar suscripcion | detener
    sair | parar | pare | descadastrar | cancelar inscrição | cancelar assinatura
    arrêt | arrêter | arrête | arretez | désabonner | désinscrire | me désabonner | se désabonner | désinscription
    stopp | abmelden | abbestellen | austragen | abmeldung
    rimuovimi | cancellami | disiscrivimi | annulla iscrizione | disiscriviti
    إيقاف | ايقاف | توقف | إلغاء الاشتراك | الغاء الاشتراك | أوقف
    रोकें | रोको | बंद करो | बंद करें | सदस्यता रद्द | band karo | roko | message band karo
    berhenti | berhenti langganan | stop langganan | batal langganan
    dur | durdur | abonelikten çık | iptal et abonelik | listeden çık | ret
    стоп | отписаться | отпишите меня | отписка | отпишите
    退订 | 停止 | 取消订阅 | 退訂 | 取消訂閱 | td | 别发了
    停止して | 停止してください | 配信停止 | 解除 | 配信解除 | ストップ
    הסר | הסירו אותי | להסרה | עצור
    afmelden | uitschrijven
    acha | sitisha | simama | jiondoe
"""
_START: Final = """
    start | unstop | subscribe | resume | opt in | optin | opt-in
    alta | reanudar | suscribir | suscribirme | empezar
    voltar | retomar | assinar | começar
    reprendre | abonner | m'abonner | commencer | démarrer
    anmelden | starten | fortsetzen
    iscrivimi | riprendi | inizia
    ابدأ | اشتراك | استئناف
    शुरू | शुरू करें | शुरू करो | shuru karo
    mulai | lanjut | berlangganan
    başla | başlat | devam
    старт | подписаться | начать
    开始 | 订阅 | 恢复 | 開始 | 訂閱
    再開 | 配信再開 | スタート
    התחל | הירשם
    anza
"""
# Politeness around a command leaves it a command: "Stop. Thank you" must work.
_COURTESY: Final = """
    please | pls | plz | thanks | thank you | thx | now | por favor | gracias | porfa | obrigado | obrigada
    merci | svp | s'il vous plaît | bitte | danke | grazie | per favore | شكرا | من فضلك | धन्यवाद | कृपया
    tolong | terima kasih | makasih | lütfen | teşekkürler | пожалуйста | спасибо | 请 | 谢谢 | ください | お願いします
    sofort | ya | ok | okay
"""
_TRIM: Final = re.compile(rf"[^\w{normalisation.INDIC_SIGNS}]+")
_LONGEST: Final = 60


def _forms(table: str) -> frozenset[str]:
    return frozenset(_plain(form) for line in table.splitlines() for form in line.split("|") if form.strip())


def _plain(text: str) -> str:
    return _TRIM.sub(" ", normalisation.normalise(text).text).strip()


_STOPS: Final = _forms(_STOP)
_STARTS: Final = _forms(_START) - _STOPS
_COURTESIES: Final = tuple(sorted(_forms(_COURTESY), key=len, reverse=True))


def read(text: str) -> Command | None:
    """The command that the whole message is; a sentence that merely holds the word is none."""
    if len(text) > _LONGEST:
        return None
    candidate: str | None = _plain(text)
    while candidate:
        if candidate in _STOPS:
            return "stop"
        if candidate in _STARTS:
            return "start"
        candidate = _without_courtesy(candidate)
    return None


def _without_courtesy(words: str) -> str | None:
    for courtesy in _COURTESIES:
        if words.endswith(f" {courtesy}"):
            return words[: -len(courtesy) - 1].strip()
        if words.startswith(f"{courtesy} "):
            return words[len(courtesy) + 1 :].strip()
    return None
