"""Without any model the tenant's own quick replies answer, in thirteen languages."""

import re
from pathlib import Path

import pytest

from mychatflow.local.demo import business
from realtime.llm import contract, sandbox
from realtime.llm.contract import Action, Passage, Turn
from realtime.llm.retrieval import Index
from tests.realtime.llm.conftest import a_request

LANGUAGES = ("en", "es", "pt", "fr", "de", "it", "ar", "hi", "id", "tr", "ru", "zh", "ja")
KNOWN = (
    Passage(id="price", title="Prices", body="A haircut costs 25 euros, a beard trim 12.", language="en"),
    Passage(id="hours", title="Opening hours", body="We are open Monday to Friday from 9 to 18.", language="en"),
    Passage(id="where", title="Address", body="You find us at Main Street 5, beside the bakery.", language="en"),
    Passage(id="precio", title="Precios", body="El corte de pelo cuesta 25 euros.", language="es"),
    Passage(id="horario", title="Horario", body="Abrimos de lunes a viernes de 9 a 18 horas.", language="es"),
    Passage(id="preco", title="Preços", body="O corte de cabelo custa 25 euros.", language="pt"),
    Passage(id="preis", title="Preise", body="Ein Haarschnitt kostet 25 Euro.", language="de"),
    Passage(id="saat", title="Çalışma saatleri", body="Pazartesiden cumaya 9-18 arası açığız.", language="tr"),
    Passage(id="цена", title="Цены", body="Стрижка стоит 25 евро.", language="ru"),
    Passage(id="كم", title="الأسعار", body="سعر قص الشعر 25 يورو.", language="ar"),
    Passage(id="दाम", title="कीमत", body="बाल कटवाने की कीमत 25 यूरो है।", language="hi"),
    Passage(id="价格", title="价格", body="理发的价格是25欧元。", language="zh"),
    Passage(id="営業", title="営業時間", body="月曜日から金曜日の9時から18時まで営業しています。", language="ja"),
)


def asked(question, *, language="en", before=(), knowledge=KNOWN):
    turns = (*before, Turn(role="user", text=question))
    return contract.parse(sandbox.answer(a_request(messages=turns, language=language, knowledge=knowledge)))


@pytest.mark.parametrize(
    ("question", "language", "source"),
    [
        ("how much is a haircut?", "en", "price"),
        ("whats the price of a beard trim", "en", "price"),
        ("are you open on monday", "en", "hours"),
        ("opning hours pls", "en", "hours"),
        ("what is your adress?", "en", "where"),
        ("¿cuánto cuesta el corte de pelo?", "es", "precio"),
        ("que horario tienen", "es", "horario"),
        ("quanto custa o corte", "pt", "preco"),
        ("was kostet ein haarschnitt", "de", "preis"),
        ("calisma saatleriniz nedir", "tr", "saat"),
        ("сколько стоит стрижка", "ru", "цена"),
        ("كم سعر قص الشعر", "ar", "كم"),
        ("बाल कटवाने की कीमत क्या है", "hi", "दाम"),
        ("理发价格多少", "zh", "价格"),
        ("営業時間を教えてください", "ja", "営業"),
    ],
)
def test_a_question_finds_its_quick_reply(question, language, source):
    answer = asked(question, language=language)

    assert (answer.action, answer.sources) == (Action.ANSWER, (source,))
    assert answer.reply == next(passage.body for passage in KNOWN if passage.id == source)


@pytest.mark.parametrize(
    ("session", "language", "question", "told"),
    [
        ("bella-dental", "es", "¿Cuándo abrís?", "9:00 a 14:00"),
        ("bella-dental", "en", "when do you open?", "9:00-14:00"),
        ("lotus-lake", "en", "when do you open?", "7:00 to 23:00"),
        ("lotus-lake", "hi", "आप कब खुले हैं?", "सुबह 7"),
        ("casa-da-moda", "pt", "Quando vocês abrem?", "10h às 20h"),
        ("casa-da-moda", "es", "¿A qué hora abren?", "10 a 20 h"),
        ("casa-da-moda", "en", "when do you open?", "10:00-20:00"),
    ],
)
def test_the_demo_tells_when_it_is_open(session, language, question, told):
    assert told in asked(question, language=language, knowledge=of_the_demo(session)).reply


def test_the_quickstarts_first_question_has_an_answer():
    page = (Path(__file__).parents[3] / "docs" / "quickstart.md").read_text()
    (question,) = re.findall(r"write as a customer: \"([^\"]+)\"", page)

    assert "65 €" in asked(question, knowledge=of_the_demo(business.read_all()[0].session)).reply


def of_the_demo(session):
    found = next(each for each in business.read_all() if each.session == session)
    entries = [(language, *entry) for language, replies in found.quick_replies.items() for entry in replies]
    return tuple(
        Passage(id=str(n), title=title, body=body, language=language)
        for n, (language, title, body) in enumerate(entries)
    )


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_first_hello_is_greeted(language):
    answer = asked("xyzzy", language=language, knowledge=())

    assert (answer.action, answer.language, answer.sources) == (Action.ANSWER, language, ())
    assert answer.reply


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_unknown_question_is_asked_back(language):
    answer = asked("xyzzy", language=language, before=(Turn(role="assistant", text="Hi"),))

    assert (answer.action, answer.language) == (Action.CLARIFY, language)
    assert answer.reply != asked("xyzzy", language=language, knowledge=()).reply


def test_every_language_has_its_own_words():
    greetings = {asked("xyzzy", language=language, knowledge=()).reply for language in LANGUAGES}

    assert len(greetings) == len(LANGUAGES)
    assert asked("xyzzy", language="sw", knowledge=()).reply == asked("xyzzy", knowledge=()).reply
    assert asked("xyzzy", language="pt-BR", knowledge=()).reply == asked("xyzzy", language="pt", knowledge=()).reply


@pytest.mark.parametrize(
    "question", ["hello", "ok", "🙂", "", "I will think about it", "谢谢", "gracias", "see you tomorrow"]
)
def test_small_talk_is_no_question(question):
    assert asked(question).sources == ()


@pytest.mark.parametrize(
    ("question", "sources"),
    [
        ("when do you open?", ("hours",)),
        ("are you open on sunday?", ("hours",)),
        ("how much is a haircut?", ()),
        ("see you tomorrow", ()),
    ],
)
def test_the_only_quick_reply_of_a_new_business_is_found(question, sources):
    only = (Passage(id="hours", title="Opening hours", body="We are open from 9 to 18.", language="en"),)

    assert asked(question, knowledge=only).sources == sources


def test_the_customers_language_wins_a_near_tie():
    twins = (
        Passage(id="en", title="Wifi", body="Wifi: barber2026", language="en"),
        Passage(id="es", title="Wifi", body="Wifi: barber2026", language="es"),
    )

    assert asked("wifi?", language="es", knowledge=twins).sources == ("es",)
    assert asked("wifi?", language="en", knowledge=twins).sources == ("en",)


def test_an_index_of_nothing_finds_nothing():
    assert Index(()).search("anything") == []
