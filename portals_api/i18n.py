"""Languages of the pages: catalogues (.po, read at start), negotiation, and dates as people write them."""

import gettext
import io
import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from zoneinfo import ZoneInfo

from babel.dates import format_datetime, format_timedelta, get_day_names
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_currency, format_decimal

from city.clock import to_datetime

_FOLDER = Path(__file__).with_name("locale")
_ACCEPT_MAX = 512
LANGUAGE_NAMES = {"es": "Español", "ast": "Asturianu", "en": "English"}
"""Each language as its own speakers call it."""


def load_catalogues(languages: tuple[str, ...]) -> dict[str, gettext.NullTranslations]:
    """Return translations by language, from all files of its folder.

    Texts in the templates are English, which needs no folder.
    """
    found: dict[str, gettext.NullTranslations] = {}
    for language in languages:
        together = Catalog(locale=language)
        for path in sorted((_FOLDER / language).glob("*.po")):
            with path.open("rb") as file:
                for message in read_po(file, locale=language):
                    if message.id:
                        together[message.id] = message
        compiled = io.BytesIO()
        write_mo(compiled, together)
        compiled.seek(0)
        found[language] = gettext.GNUTranslations(compiled)
    return found


def negotiate(languages: tuple[str, ...], asked: str | None, cookie: str | None, accept: str | None) -> str:
    """Return the language for a request: what it asks for, what it chose before, what its browser prefers."""
    for choice in (asked, cookie):
        if choice in languages:
            return str(choice)
    ranked: list[tuple[float, int, str]] = []
    for position, part in enumerate((accept or "")[:_ACCEPT_MAX].split(",")):
        name, _, quality = part.strip().partition(";q=")
        try:
            weight = float(quality) if quality else 1.0
        except ValueError:
            continue
        base = name.split("-")[0].lower()
        if base in languages and weight > 0:
            ranked.append((-weight, position, base))
    return min(ranked)[2] if ranked else languages[0]


def plain_text(text: str) -> str:
    """Return text without accents and case, to sort by: the database's order is not what people expect."""
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()


class Words:
    """One language: its texts, its numbers and its dates in the city's time zone."""

    def __init__(self, language: str, translations: gettext.NullTranslations, timezone: str) -> None:
        self.language = language
        self.translations = translations
        self._zone = ZoneInfo(timezone)

    def text(self, message: str) -> str:
        return self.translations.gettext(message) if message else ""

    def named(self, names: Mapping[str, str], fallback: str) -> str:
        """Return the name that the city gives in this language, else our own word."""
        return names.get(self.language) or self.text(fallback)

    def moment(self, at: datetime | str | None) -> str:
        """Return date and time in the city."""
        if at is None:
            return "–"
        return str(format_datetime(_aware(at), "d MMM y, HH:mm", tzinfo=self._zone, locale=self.language))

    def hour(self, at: datetime | str) -> str:
        return _short_moment(_aware(at), self._zone, self.language)

    def hour_us(self, at_us: int) -> str:
        return self.hour(to_datetime(at_us))

    def day_us(self, at_us: int) -> str:
        """Return the day in the city."""
        return str(format_datetime(to_datetime(at_us), "d MMM y", tzinfo=self._zone, locale=self.language))

    def weekday(self, day: int) -> str:
        """Return the name of a day of the week; 0 is Monday."""
        return str(get_day_names("wide", locale=self.language)[day])

    def ago(self, at: datetime | str | None, now: datetime) -> str:
        """Return how long ago something was, in words."""
        if at is None:
            return "–"
        past = _aware(at) - now
        if abs(past.total_seconds()) < 60:
            return self.text("just now")
        return _past(int(past.total_seconds() / 60), self.language)

    def span(self, hours: float) -> str:
        """Return a length of time in words, in its largest fitting unit."""
        return str(format_timedelta(timedelta(hours=max(hours, 0)), threshold=1.5, locale=self.language))

    def number(self, value: float | int | None) -> str:
        if value is None:
            return "–"
        return _decimal(round(value, 2), self.language)

    def money(self, amount: float | None, currency: str, *, exact: bool = False) -> str:
        """Return an amount of money; `exact`: with all its decimals, as a price per unit has more."""
        if amount is None:
            return "–"
        return str(format_currency(amount, currency, locale=self.language, decimal_quantization=not exact))


@lru_cache(maxsize=4096)
def _past(minutes: int, language: str) -> str:
    return str(format_timedelta(timedelta(minutes=minutes), add_direction=True, locale=language))


@lru_cache(maxsize=4096)
def _decimal(value: float, language: str) -> str:
    """Babel reads its pattern anew for each number; a page of the ledger holds seven hundred."""
    return str(format_decimal(value, locale=language))


@lru_cache(maxsize=1024)
def _short_moment(at: datetime, zone: ZoneInfo, language: str) -> str:
    return str(format_datetime(at, "d MMM, HH:mm", tzinfo=zone, locale=language))


def _aware(at: datetime | str) -> datetime:
    moment = datetime.fromisoformat(at) if isinstance(at, str) else at
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
