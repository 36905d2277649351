import re
from datetime import timedelta

from babel.messages.pofile import read_po

from city.clock import to_datetime
from portals_api.deps import PortalOptions
from portals_api.i18n import LANGUAGE_NAMES, Words, load_catalogues, negotiate
from tests.portals_api.texts import FOLDER, texts


def test_every_text_of_the_pages_is_in_every_catalogue_and_nothing_else_is() -> None:
    for folder in (FOLDER / "locale").iterdir():
        told: dict[str, str] = {}
        for path in sorted(folder.glob("*.po")):
            with path.open("rb") as file:
                said = {str(m.id): str(m.string) for m in read_po(file) if m.id}
            assert not set(told) & set(said), f"{path} says again what another file says"
            told |= said
        assert texts() == set(told), folder.name
        assert [m for m, said in told.items() if not said] == []


def test_translations_keep_the_places_where_values_go() -> None:
    for path in (FOLDER / "locale").glob("*/*.po"):
        with path.open("rb") as file:
            for message in read_po(file):
                for name in (
                    "{n}",
                    "{when}",
                    "{rule}",
                    "{since}",
                    "{value}",
                    "{phase}",
                    "{appended}",
                    "{part}",
                    "{whole}",
                ):
                    assert (name in str(message.id)) == (name in str(message.string)) or not message.id


def test_one_thing_has_one_name_in_each_language() -> None:
    others = {"es": r"pasarelas?|dispositivos?", "ast": r"pasareles?|pasarela|pres[ée](u|os)|dispositiv(u|os)"}
    for language, words in others.items():
        for path in sorted((FOLDER / "locale" / language).glob("*.po")):
            with path.open("rb") as file:
                for message in read_po(file):
                    found = re.search(rf"(?<!\w)({words})(?!\w)|’", str(message.string), re.IGNORECASE)
                    assert not message.id or not found, f"{path}: {message.string}; see docs/glossary.md"


def test_a_language_is_always_found() -> None:
    languages = ("es", "ast", "en")
    assert negotiate(languages, None, None, None) == "es"
    assert negotiate(languages, "en", "es", "es") == "en"
    assert negotiate(languages, None, None, "en-GB;q=0.2, es-ES;q=0.1") == "en"
    assert negotiate(languages, None, None, "en;q=0") == "es"
    assert negotiate(languages, "de", "fr", ",,;q=,") == "es"
    assert negotiate(languages, None, None, "ast, es;q=0.9") == "ast"
    assert negotiate(("es", "en"), None, None, "ast, es;q=0.9") == "es"


def test_asturian_says_words_dates_and_numbers_as_asturians_do() -> None:
    languages = PortalOptions().languages
    assert languages == ("es", "ast", "en")
    assert [LANGUAGE_NAMES[one] for one in languages] == ["Español", "Asturianu", "English"]
    words = Words("ast", load_catalogues(languages)["ast"], "Europe/Madrid")
    now = to_datetime(1_795_472_400_000_000)
    assert words.text("Street lights") == "Faroles"
    assert words.moment(now) == "23 pay 2026, 23:20"
    assert words.ago(now - timedelta(hours=3), now) == "hai 3 hores"
    assert words.ago(now - timedelta(hours=1), now) == "hai 1 hora"
    assert words.number(12345.5) == "12.345,5"
