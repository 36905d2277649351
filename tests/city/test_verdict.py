import pytest

from city.alarm import FaultClass
from city.errors import DataError
from city.verdict import Finding, Verdict, finding_of, settled

DARK, SILENT, LOW = FaultClass.LAMP_FAILURE, FaultClass.COMMUNICATION_FAILURE, FaultClass.SUPPLY_VOLTAGE_TOO_LOW


def test_an_alarm_is_true_where_it_named_what_was_found_and_another_cause_where_it_did_not() -> None:
    found = Verdict(Finding.TRUE, DARK)
    assert (finding_of(DARK, found), finding_of(SILENT, found)) == (Finding.TRUE, Finding.OTHER)
    elsewhere = Verdict(Finding.OTHER, LOW)
    assert (finding_of(DARK, elsewhere), finding_of(LOW, elsewhere)) == (Finding.OTHER, Finding.TRUE)
    assert finding_of(DARK, Verdict(Finding.OTHER, words="un nido en el farol")) is Finding.OTHER
    assert finding_of(DARK, Verdict(Finding.FALSE)) is Finding.FALSE


def test_what_the_alarms_named_needs_no_saying_where_it_is_one_fault() -> None:
    assert settled(Verdict(Finding.TRUE), [DARK, DARK]) == Verdict(Finding.TRUE, DARK)
    with pytest.raises(DataError, match="say which of communicationFailure, lampFailure it was"):
        settled(Verdict(Finding.TRUE), [SILENT, DARK])
    assert settled(Verdict(Finding.TRUE, SILENT), [SILENT, DARK]).fault is SILENT


@pytest.mark.parametrize(
    ("verdict", "says"),
    [
        (Verdict(Finding.FALSE, DARK), "leave it out"),
        (Verdict(Finding.OTHER), "a fault, or words"),
        (Verdict(Finding.TRUE, LOW), "no alarm named supplyVoltageTooLow: say one of lampFailure, or `other`"),
    ],
)
def test_a_verdict_that_contradicts_itself_is_refused_and_says_why(verdict: Verdict, says: str) -> None:
    with pytest.raises(DataError, match=says):
        settled(verdict, [DARK])
