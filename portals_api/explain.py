"""An alarm explained for people: its rule in plain words, a chart of the hours around it, cases alike."""

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from city.alarm import FaultClass
from city.metric import ACTIVE_POWER
from incidents.store import schedule_of
from portals_api import alarm_reads, codes, reads
from portals_api.alarm_reads import Window, us
from portals_api.chart import Frame, line_chart
from portals_api.codes import N_
from portals_api.i18n import Words
from portals_api.meanings import MEANS
from portals_api.portal import Portal
from portals_api.power import power_chart
from portals_api.rows import Row
from storage.pool import transaction

RULES_SAY = {
    "power-below-expected": N_(
        "Several readings in a row, the lamp drew far less than its command asks for: the lamp, its driver or its"
        " connection has failed."
    ),
    "power-while-commanded-off": N_(
        "Several readings in a row, the lamp drew power although it was commanded off: its relay stays closed, or"
        " somebody has bridged it."
    ),
    "silent-in-powered-time": N_(
        "More reports are missing than its make may miss. Only time with power counts, and only while the city"
        " listened."
    ),
    "feeder-silent-or-dark": N_(
        "So many lamps of the feeder are silent or dark at once that chance does not explain it, and its gateway still"
        " speaks: look at the supply first."
    ),
    "gateways-silent-together": N_(
        "So many gateways of one network, or of one district, fell silent at once that chance does not explain it: ask"
        " the network operator, and send nobody to each gateway."
    ),
    "cabinets-silent-together": N_(
        "So many cabinets of one substation, or of one district, lost their supply at once that chance does not explain"
        " it: ask the electricity distributor first."
    ),
    "all-feeders-silent": N_(
        "Everything behind the gateway fell silent together: look at the gateway and its connection, not at each lamp."
    ),
}
"""Rule → what it means for who goes there, where it says more than the fault does (`meanings.MEANS`)."""
SAME = {
    "asset": N_("the same place"),
    "feeder": N_("same feeder"),
    "type": N_("same type"),
    "profile": N_("same make of device"),
}
_NOT_FROM_ZERO = frozenset({"V", "Cel", "[degF]", "hPa"})


async def explained(portal: Portal, words: Words, alarm: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a page shows of an alarm: ``alarm``, ``rule``, ``difference``, ``chart``, ``similar``, ``counts``.

    ``chart`` is a drawing with the asset and the series that it is of; None while nothing was heard around it.
    """
    cases, counts = await alarm_reads.similar(portal.pool, alarm)
    rule = str(alarm["evidence"].get("rule", ""))
    return {
        "alarm": alarm,
        "rule": words.text(codes.RULES.get(rule, rule)),
        "meaning": words.text(RULES_SAY.get(rule) or MEANS[FaultClass(alarm["fault"])]),
        "difference": difference(alarm["evidence"], words),
        "chart": await _chart(portal, words, alarm),
        "similar": cases,
        "counts": counts,
        "same": {name: words.text(text) for name, text in SAME.items()},
    }


def difference(evidence: Mapping[str, Any], words: Words) -> str:
    """Return how far what was observed is from what was expected, in per cent; empty where that says nothing."""
    observed, expected = evidence.get("observed"), evidence.get("expected")
    if observed is None or not expected:
        return ""
    share = round(100 * (observed - expected) / abs(expected))
    return f"{'+' if share > 0 else '−' if share < 0 else ''}{words.number(abs(share))} %"


async def _chart(portal: Portal, words: Words, alarm: Mapping[str, Any]) -> dict[str, Any] | None:
    series = await alarm_reads.measured(portal.pool, alarm)
    if series is None:
        # What has no meter of its own is seen through the first lamp that it explains.
        child = await alarm_reads.first_child(portal.pool, alarm["id"])
        return None if child is None else await _chart(portal, words, child)
    window = alarm_reads.window_of(alarm, portal.deps.clock.now_us())
    marks = [us(at) for at in (alarm["raised_at"], alarm["cleared_at"]) if at]
    if alarm["scope_kind"] == "lamp" and series["metric"] == ACTIVE_POWER:
        return await lamp_chart(portal, words, alarm["scope_id"], series["series"], window, marks)
    points = await alarm_reads.points(portal.pool, series, window)
    if not points:
        return None
    metric = words.text(codes.METRICS.get(series["metric"]) or str(series["metric"]))
    drawn = line_chart(points, _frame(words, alarm, series, metric, window, marks), words)
    return _drawn(drawn, alarm["scope_id"], series["series"], metric, shaded=False)


def _frame(
    words: Words, alarm: Mapping[str, Any], series: Row, metric: str, window: Window, marks: Sequence[int]
) -> Frame:
    evidence, unit = alarm["evidence"], words.text(codes.UNITS.get(series["unit"], str(series["unit"])))
    expected = evidence.get("expected")
    told = expected is not None and evidence.get("unit") == series["unit"]
    return Frame(
        window.start_us,
        window.end_us,
        unit,
        words.text("{metric}; dashed what is expected, upright when the fault began").format(metric=metric),
        usual=max(expected, 0.0) if told else 0.0,
        from_zero=series["unit"] not in _NOT_FROM_ZERO,
        expected=[(window.start_us, window.end_us, float(expected))] if told else [],
        marks=marks,
    )


async def lamp_chart(
    portal: Portal, words: Words, lamp_id: str, series: int, window: Window, marks: Sequence[int]
) -> dict[str, Any] | None:
    """Return a lamp's power around a fault; None while nothing was heard."""
    found = await reads.lamps_of(portal.pool, await portal.viewer(), [lamp_id])
    if not found:
        return None
    async with transaction(portal.pool) as connection:
        schedule = await schedule_of(connection, "lamp", lamp_id)
    drawn = await power_chart(portal.pool, words, found[0], series, schedule, window.start_us, window.end_us, marks)
    if drawn is None:
        return None
    return _drawn(drawn, lamp_id, series, words.text(codes.METRICS[ACTIVE_POWER]), shaded=True)


def _drawn(drawn: Markup, asset_id: str, series: int, metric: str, *, shaded: bool) -> dict[str, Any]:
    return {"svg": drawn, "asset": asset_id, "series": series, "metric": metric, "shaded": shaded}
