"""`citynerve backtest`: detection over recorded readings, scored against labels."""

from functools import partial
from pathlib import Path
from typing import Any

from anomaly.backtest import figures
from anomaly.backtest.figures import Kind, Tally
from anomaly.backtest.fleet import Fleet
from anomaly.backtest.fleet_labels import read_labels
from anomaly.backtest.fleet_run import Advance, FleetOptions, FleetResult, run_fleet
from anomaly.backtest.history import backtest_log
from anomaly.backtest.inject import Injection
from anomaly.backtest.matching import Verdict
from anomaly.backtest.runner import Scored
from app import wiring
from app.settings import Settings
from city.clock import isoformat
from city.errors import SettingsError
from stream.registry import load_roots


def injections(names: str) -> tuple[Injection, ...]:
    """Return what a list of names, with commas between, plants.

    Raises
    ------
    SettingsError
        One of them is none.
    """
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    unknown = [name for name in wanted if name not in set(Injection)]
    if unknown:
        raise SettingsError(f"--inject has {', '.join(unknown)}: write some of {', '.join(Injection)}")
    return tuple(Injection(name) for name in wanted)


def fleet(
    assets: Path, readings: Path, labels: Path | None, advance: Advance, options: FleetOptions
) -> tuple[Scored, dict[str, Any]]:
    """Score a fleet that others recorded; return what its files had beside it."""
    result = run_fleet(assets, readings, labels, advance, options)
    return result.scored, _read(result)


async def history(
    settings: Settings, labels: Path | None, advance: Advance, kinds: tuple[Injection, ...], seed: int
) -> tuple[Scored, dict[str, Any]]:
    """Score an installation's own history."""
    async with wiring.pool(wiring.database_url(settings)) as pool, wiring.log(settings, pool) as log:
        async with pool.connection() as connection:
            roots = await load_roots(connection)
        names = Fleet(roots)
        told_ = [] if labels is None else read_labels(labels, names)
        scored = await backtest_log(log, roots, told_, partial(advance, "deciding again"), kinds=kinds, seed=seed)
    return scored, {"rows": scored.readings, "labels": len(told_)}


def told(scored: Scored, show: int) -> dict[str, Any]:
    """Return a score as plain JSON values."""
    tally = scored.tally
    series = figures.rate(tally.facility_false, tally.series_years)
    lamps = figures.rate(tally.lamp_false, tally.lamp_years)
    return {
        "from": isoformat(scored.first_us) if scored.readings else None,
        "to": isoformat(scored.last_us) if scored.readings else None,
        "readings": scored.readings,
        "lamps": scored.fleet.lamps,
        "lamp_years": round(tally.lamp_years, 3),
        "series_years": round(tally.series_years, 3),
        "tickets": len(scored.book.tickets()),
        "faults": _faults(tally),
        "found": _rounded(figures.found_share(tally.kinds.values())),
        "delay_h": _rounded(figures.median_delay_h(tally.kinds.values())),
        "false_tickets": tally.lamp_false + tally.facility_false,
        "false_per_lamp_year": _rate(lamps),
        "false_per_series_year": _rate(series),
        "false_by_fault": _false(tally),
        "feeder_single": _part(tally.outages_single, tally.outages),
        "separate": _part(tally.groups_separate, tally.groups),
        "precision": _rounded(figures.precision(tally)),
        "missed": _missed(scored.verdict, show),
        "false": _wrong(scored.verdict, show),
    }


def _read(result: FleetResult) -> dict[str, Any]:
    """Return what a fleet's files had, as plain JSON values."""
    report = result.report
    return {
        "rows": report.rows,
        "skipped": report.skipped,
        "without_value": report.empty,
        "out_of_range": report.out_of_range,
        "time_of_receipt": report.retimed,
        "unknown_metrics": dict(report.unknown_metrics.most_common()),
        "unknown_assets": dict(report.unknown_assets.most_common()),
        "labels": len(result.labels),
        "sun_below_deg": result.sun_below_deg,
    }


def _faults(tally: Tally) -> list[dict[str, Any]]:
    wrong = _false(tally)
    kinds = figures.by_fault(tally)
    listed = []
    for fault in sorted({*kinds, *wrong}):
        kind = kinds.get(fault, Kind())
        listed.append(
            {
                "fault": fault,
                "observable": kind.observable,
                "found": kind.found,
                "share": _rounded(figures.found_share([kind])),
                "delay_h": _rounded(figures.median_delay_h([kind])),
                "folded": kind.folded,
                "not_observable": kind.unobservable,
                "false": wrong.get(fault, 0),
            }
        )
    return listed


def _false(tally: Tally) -> dict[str, int]:
    names = sorted({*tally.false_sound, *tally.false_beside})
    return {name: tally.false_sound.get(name, 0) + tally.false_beside.get(name, 0) for name in names}


def _missed(verdict: Verdict, show: int) -> list[dict[str, Any]]:
    return [
        {
            "fault": label.fault,
            "asset": label.asset,
            "onset": isoformat(label.onset_us),
            "end": None if label.end_us is None else isoformat(label.end_us),
        }
        for label in verdict.missed[:show]
    ]


def _wrong(verdict: Verdict, show: int) -> list[dict[str, Any]]:
    return [
        {
            "fault": one.ticket.fault,
            "asset": one.ticket.asset,
            "raised": isoformat(one.ticket.raised_us),
            "since": isoformat(one.ticket.since_us),
            "rule": one.ticket.rule,
            "beside": None if one.beside is None else f"{one.beside.fault} {one.beside.asset}",
        }
        for one in verdict.false[:show]
    ]


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _rate(told_: tuple[float, float] | None) -> dict[str, float] | None:
    return None if told_ is None else {"rate": round(told_[0], 6), "upper_bound_95": round(told_[1], 6)}


def _part(part: int, of: int) -> dict[str, Any] | None:
    return {"share": round(part / of, 4), "of": of} if of else None
