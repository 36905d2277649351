"""The words of one page: codes by their names in its language."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from city import reasons
from incidents.categories import Catalogue
from portals_api import codes
from portals_api.codes import N_
from portals_api.i18n import Words
from portals_api.mistakes import Said, in_words

_SEEN = N_("seen {value} {unit}")
_EXPECTED = N_("expected {value} {unit}")
_NOT_NAMED = N_("none that has a name")
_DESK = frozenset({"sensor", "system", "citizen"})


class Labels:
    """The codes of one page in one language."""

    def __init__(self, words: Words, catalogue: Catalogue) -> None:
        self._words = words
        self._catalogue = catalogue

    def _of(self, table: Mapping[str, str], code: str) -> str:
        return self._words.text(table.get(code, code))

    def state(self, code: str) -> str:
        return self._of(codes.STATES, code)

    def action(self, code: str) -> str:
        return self._of(codes.ACTIONS, code)

    def severity(self, code: str) -> str:
        return self._of(codes.SEVERITIES, code)

    def actor(self, code: str) -> str:
        return self._of(codes.ACTORS, code)

    def kind(self, code: str) -> str:
        return self._of(codes.KINDS, code)

    def kinds(self, code: str) -> str:
        return self._of(codes.KINDS_MANY, code)

    def switching(self, code: str | None) -> str:
        return self._of(codes.SWITCHING, code) if code else "–"

    def gateway_state(self, code: str) -> str:
        return self._of(codes.GATEWAY_STATES, code)

    def fault(self, code: str) -> str:
        return self._of(codes.FAULTS, code)

    def metric(self, code: str) -> str:
        """Return the name of a metric; one that a city named itself is at least readable."""
        return self._of(codes.METRICS, code) if code in codes.METRICS else code.replace("_", " ").capitalize()

    def profile(self, code: str) -> str:
        """Return the name of a make of device; one that a city named itself is at least readable."""
        return self._of(codes.PROFILES, code) if code in codes.PROFILES else re.sub(r"[-_]+", " ", code).capitalize()

    def schedule(self, code: str) -> str:
        """Return the name of a lighting schedule; one that a city named itself is at least readable."""
        return self._of(codes.SCHEDULES, code) if code in codes.SCHEDULES else re.sub(r"[-_]+", " ", code)

    def lamp_type(self, code: str) -> str:
        return self._of(codes.LAMP_TYPES, code)

    def facility_kind(self, code: str | None) -> str:
        return self._of(codes.FACILITY_KINDS, code or "")

    def unit(self, code: str) -> str:
        return self._of(codes.UNITS, code)

    def lamp_state(self, code: str) -> str:
        return self._of(codes.LAMP_STATES, code)

    def map_state(self, code: str) -> str:
        return self._of(codes.MAP_STATES, code)

    def category(self, code: str) -> str:
        category = self._catalogue.by_code.get(code)
        return self._words.named(
            category.names if category else {}, codes.CATEGORIES.get(code) or codes.FAULTS.get(code, code)
        )

    def event(self, event: Mapping[str, Any]) -> str:
        return self._of(codes.EVENTS, str(event["kind"]))

    def reason(self, event: Mapping[str, Any]) -> str:
        """Return the desk's reason in words, or what a person wrote."""
        reason = str(event["reason"])
        return self._of(codes.REASONS, reason) if event["actor"] in _DESK else reason

    def finding(self, found: Mapping[str, Any], words: str = "") -> str:
        """Return what was found, in words: of a verdict, or of the event that tells of one."""
        said = self._of(codes.FINDINGS, str(found["finding"]))
        fault = str(found["fault"])
        return said.format(fault=self.fault(fault) if fault else words or self._words.text(_NOT_NAMED))

    def happened(self, reason: str) -> str:
        """Return why a message is set aside."""
        return self._words.text(reasons.told(reason).happened)

    def todo(self, reason: str) -> str:
        """Return what to do about a reason for which messages are set aside."""
        return self._words.text(reasons.told(reason).todo)

    def mender(self, reason: str) -> str:
        """Return who can do that."""
        return self._words.text(reasons.MENDERS[reasons.told(reason).mender])

    def mistake(self, mistake: str) -> Said:
        """Return what is wrong with a list or a form of the registry."""
        return in_words(self._words, mistake)

    def problem(self, errors: Iterable[Mapping[str, Any]]) -> str:
        """Return what is wrong with a form, field by field, in the reader's words."""
        told: list[str] = []
        for error in errors:
            field = self._of(codes.FIELDS, str(error["loc"][0])) if error["loc"] else ""
            said = str(error["msg"]).removeprefix("Value error, ")
            text = self._words.text(said if said in codes.PROBLEMS else codes.NOT_READABLE)
            told.append(f"{field.rstrip('?')}: {text}" if field else text)
        return "; ".join(told)

    def status(self, code: int) -> str:
        return self._words.text(codes.STATUSES.get(code, codes.STATUSES[500]))

    def evidence(self, alarm: Mapping[str, Any]) -> str:
        """Return why the alarm was raised, as one sentence: rule, observed, expected, since."""
        evidence = alarm["evidence"]
        since = self._words.moment(alarm["raised_at"])
        rule = self._of(codes.RULES, str(evidence.get("rule", "")))
        parts = [self._words.text("Rule “{rule}”, since {since}").format(rule=rule, since=since)]
        unit = self._of(codes.UNITS, str(evidence.get("unit") or ""))
        for message, value in ((_SEEN, evidence.get("observed")), (_EXPECTED, evidence.get("expected"))):
            if value is not None:
                told = self._words.text(message).format(value=self._words.number(value), unit=unit)
                parts.append(told.strip())
        return ", ".join(parts) + "."
