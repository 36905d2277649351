"""How many more false tickets there are when readings are fewer, lost or measured wrong: the same fleets, disturbed."""

from typing import Any

from anomaly.backtest.poisson import ratio_bound
from bench.result import Result
from bench.score.city import SCORING_SEEDS, plans, score, seeds_of, whole
from bench.score.fleets import CADENCES

LAMP_YEARS = 600
WAYS: dict[str, dict[str, float]] = {"thin": {"thin": 0.5}, "lose": {"lose": 0.1}, "gain": {"gain": 1.03}}
WORDS = {"thin": "every other report", "lose": "a tenth of reports lost", "gain": "meters that show 3 % too much"}


def run() -> list[dict[str, Any]]:
    """Play the first scoring fleets as they are, then disturbed in each way; return ratios of false tickets."""
    plain = list(plans(LAMP_YEARS, SCORING_SEEDS, CADENCES))
    before = whole(score(plain))
    results = []
    for name, disturbed in WAYS.items():
        after = whole(score(list(plans(LAMP_YEARS, SCORING_SEEDS, CADENCES, **disturbed))))
        note = (
            f"{WORDS[name]}: {after.lamp_false} false tickets, undisturbed {before.lamp_false}, in"
            f" {before.lamp_years:.0f} lamp-years each; {seeds_of(plain)}"
        )
        # Where there was none, one more is taken for as many times as there are.
        ratio = after.lamp_false / max(before.lamp_false, 1)
        bound = ratio_bound(after.lamp_false, before.lamp_false)
        note += f"; upper bound of the ratio {bound:.3g}"
        results.append(Result(f"score.sim.false_ratio.{name}", ratio, "times", note=note, wanted="≤ 2").plain())
    return results
