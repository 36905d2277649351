from observatory.figures import FIGURES, Sums, Value, Why, value_of


def test_there_are_ten() -> None:
    assert len(FIGURES) == 10


def test_a_share_of_nothing_is_not_zero_and_says_why() -> None:
    assert value_of(FIGURES["lamps-lit"], Sums(0.0, 0.0)) == Value(None, 0.0, 0.0, Why.NONE_COMMANDED)
    assert value_of(FIGURES["lamps-lit"], None) == Value(None, None, 0.0, Why.NOTHING_MEASURED)
    assert value_of(FIGURES["found-by-sensors"], None).why is Why.NO_TICKETS
    assert value_of(FIGURES["repair-time"], Sums(None, 0.0)).why is Why.NO_TICKETS


def test_what_was_counted_as_none_is_zero() -> None:
    assert value_of(FIGURES["lamps-lit"], Sums(0.0, 4.0)).value == 0
    assert value_of(FIGURES["tickets-opened"], None).value == 0
    assert value_of(FIGURES["lighting-energy"], Sums(0.0, 4.0)).value == 0
    assert value_of(FIGURES["lighting-energy"], None).value is None


def test_shares_are_per_cent_and_medians_stay_as_they_are() -> None:
    assert value_of(FIGURES["readings-heard"], Sums(45.0, 48.0)).value == 93.75
    assert value_of(FIGURES["repair-time"], Sums(5.5, 3)).value == 5.5
