from hypothesis import given
from hypothesis import strategies as st

from city.alarm import FaultClass
from city.verdict import Finding
from observatory.thresholds import THRESHOLDS, JudgedAlarm, Why, proposals, propose

BY_KEY = {one.key: one for one in THRESHOLDS}
TRUE, FALSE, OTHER = Finding.TRUE, Finding.FALSE, Finding.OTHER
NUMBER = iter(range(1_000_000))


def dark(finding: Finding, observed: float, expected: float = 100.0) -> JudgedAlarm:
    return JudgedAlarm(f"a{next(NUMBER)}", "lampFailure", "power-below-expected", finding, observed, expected, 100.0)


def burning(finding: Finding, observed: float, rated_w: float = 36.0, standby: float = 0.0) -> JudgedAlarm:
    rule = "power-while-commanded-off"
    return JudgedAlarm(f"b{next(NUMBER)}", "lampUnexpectedOn", rule, finding, observed, 0.0, rated_w, standby)


def test_a_value_keeps_every_true_alarm_and_drops_what_false_ones_it_can() -> None:
    true = [dark(TRUE, watts) for watts in (0.0, 0.4, 0.5, 1.0, 2.0, 4.0, 6.0)]
    false = [dark(FALSE, watts) for watts in (3.0, 14.0, 15.0, 18.0)]
    found = propose(BY_KEY["dark_below"], 0.20, [*true, *false, dark(OTHER, 16.0)])
    assert (found.value, found.why) == (0.1, None)
    assert (found.true, found.false, found.other) == (7, 4, 1)
    assert (found.false_dropped, found.other_dropped) == (3, 1)
    assert len(found.dropped) == 4


def test_a_rule_with_two_thresholds_has_a_proposal_for_each() -> None:
    alarms = [burning(TRUE, 30.0)] * 8 + [burning(FALSE, 5.0), burning(FALSE, 6.0)]
    watts = propose(BY_KEY["unexpected_on_w"], 3.0, alarms)
    assert (watts.value, watts.false_dropped) == (18.0, 2)
    share = propose(BY_KEY["unexpected_on_share"], 0.10, alarms)
    assert (share.value, share.false_dropped) == (0.5, 2)


def test_a_share_of_the_rated_power_counts_above_standby_as_the_rule_does() -> None:
    alarms = [burning(TRUE, 30.0, 100.0, 8.0)] * 9 + [burning(FALSE, 20.0, 100.0, 8.0)]
    value = propose(BY_KEY["unexpected_on_share"], 0.10, alarms).value
    assert value is not None
    assert 0.12 <= value < 0.22


def test_a_value_has_as_many_digits_as_it_needs_and_no_more() -> None:
    close = [burning(TRUE, 10.004)] * 9 + [burning(FALSE, 10.003)]
    value = propose(BY_KEY["unexpected_on_w"], 3.0, close).value
    assert value is not None
    assert 10.003 <= value < 10.004
    far = [burning(TRUE, 33.4)] * 9 + [burning(FALSE, 5.07)]
    assert propose(BY_KEY["unexpected_on_w"], 3.0, far).value == 19.0


def test_where_nothing_can_be_proposed_it_says_why() -> None:
    dark_below = BY_KEY["dark_below"]
    nine = [dark(TRUE, 1.0)] * 8 + [dark(FALSE, 15.0)]
    assert propose(dark_below, 0.2, nine).why is Why.NOT_ENOUGH
    assert propose(dark_below, 0.2, [dark(TRUE, 1.0)] * 10).why is Why.NONE_FALSE
    assert propose(dark_below, 0.2, [dark(FALSE, 1.0)] * 10).why is Why.NONE_TRUE
    mixed = [dark(TRUE, 15.0)] * 8 + [dark(FALSE, 15.0), dark(FALSE, 2.0)]
    assert propose(dark_below, 0.2, mixed).why is Why.MIXED


def test_alarms_that_the_present_value_would_not_raise_play_no_part() -> None:
    old = [dark(FALSE, 30.0)] * 5
    found = propose(BY_KEY["dark_below"], 0.2, [*old, *[dark(TRUE, 1.0)] * 9, dark(FALSE, 15.0)])
    assert (found.false, found.false_dropped) == (1, 1)


def test_only_thresholds_of_the_citys_rules_are_spoken_of_and_evidence_without_numbers_is_passed_over() -> None:
    silent = JudgedAlarm("c", "lampFailure", "power-below-expected", FALSE, None, None, None)
    found = proposals({"dark_below": 0.2, "guard_s": 900}, [silent])
    assert [(one.key, one.true, one.false) for one in found] == [("dark_below", 0, 0)]
    assert found[0].fault is FaultClass.LAMP_FAILURE


@given(
    st.lists(st.tuples(st.sampled_from(list(Finding)), st.floats(0, 40, allow_nan=False)), min_size=10, max_size=60),
    st.sampled_from(["dark_below", "unexpected_on_w"]),
)
def test_no_true_alarm_is_ever_given_up_and_no_more_false_ones_could_be_dropped(
    judged: list[tuple[Finding, float]], key: str
) -> None:
    make, current = (dark, 0.2) if key == "dark_below" else (burning, 3.0)
    threshold = BY_KEY[key]
    alarms = [make(finding, value) for finding, value in judged]
    found = propose(threshold, current, alarms)

    def raised(value: float, finding: Finding) -> list[float]:
        told = [threshold.statistic(a) for a in alarms if a.finding is finding]
        return [s for s in told if s is not None and (s > value if threshold.above else s < value)]

    assert found.true == len(raised(current, TRUE))
    if found.value is None:
        return
    assert raised(found.value, TRUE) == raised(current, TRUE)
    assert len(raised(current, FALSE)) - len(raised(found.value, FALSE)) == found.false_dropped > 0
    weakest = min(raised(current, TRUE)) if threshold.above else max(raised(current, TRUE))
    beyond = [s for s in raised(current, FALSE) if (s < weakest if threshold.above else s > weakest)]
    assert found.false_dropped == len(beyond)
