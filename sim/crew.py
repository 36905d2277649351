"""Simulated crews: they look at the open tickets as any client can, go there, mend, and say what they did.

Everything in city time, and everything that they write says that they are simulated. What they mend is the simulated
truth: where nothing is broken they find nothing, and say so.
"""

import logging
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any
from zoneinfo import ZoneInfo

from city.alarm import FaultClass
from city.clock import HOUR_US, MINUTE_US, to_datetime
from city.errors import ConflictError, NotFoundError
from city.pack import CityPack
from city.ticket import TicketState
from sim.diary import Diary
from sim.faults import PlantedFault
from sim.findings import verdict_on
from sim.noise import key_of
from sim.portal import Portal
from sim.repairs import Repairs

logger = logging.getLogger(__name__)

S = TicketState
_GRAVITY = {"urgent": 0, "high": 1, "medium": 2, "low": 3}
_AT_ANY_HOUR = frozenset({"urgent", "high"})
_WAITING = frozenset({S.NEW, S.ASSIGNED})
_DONE: dict[FaultClass, str] = {
    FaultClass.LAMP_FAILURE: "lámpara cambiada",
    FaultClass.LAMP_UNEXPECTED_ON: "relé cambiado",
    FaultClass.COMMUNICATION_FAILURE: "equipo de comunicación cambiado",
    FaultClass.SUPPLY_LOSS: "suministro repuesto",
    FaultClass.CIRCUIT_BREAKER_TRIPPED: "interruptor rearmado",
    FaultClass.CABINET_CLOCK_WRONG: "reloj del cuadro puesto en hora",
}


@dataclass(frozen=True, slots=True)
class CrewOptions:
    """How crews work; times are city time.

    Attributes
    ----------
    by_day, at_any_hour : int
        Crews of the day's shift, who take every ticket, and crews on call, who take the grave ones.
    shift : (float, float)
        Begin and end of the day's shift, hours by the city's own clock.
    way_us, work_us : int
        Getting ready, and the shortest job; a job takes up to three times as long.
    speed_m_s : float
        As the crow flies.
    lost_share : float
        Of the first visits that do not find the place.
    visits_max : int
        Visits that find nothing; then the ticket is left to people.
    again_us : int
        Between two visits of one ticket.
    tickets_max : int
        Open tickets that crews look through.
    """

    by_day: int = 2
    at_any_hour: int = 1
    shift: tuple[float, float] = (7.5, 14.5)
    way_us: int = 10 * MINUTE_US
    work_us: int = 20 * MINUTE_US
    speed_m_s: float = 6.0
    lost_share: float = 0.04
    visits_max: int = 2
    again_us: int = 12 * HOUR_US
    tickets_max: int = 1000


@dataclass(frozen=True, slots=True)
class Job:
    """What one crew is about.

    Attributes
    ----------
    there : bool
        It has arrived.
    done : str
        What it did, once it has; to be told.
    found : sequence of str
        What was wrong there, nearest first; noted with `done`.
    """

    ticket_id: int
    lat: float | None
    lon: float | None
    arrives_us: int
    done_us: int
    there: bool = False
    done: str = ""
    found: Sequence[str] = ()


class Crews:
    """All crews of a city; `look` is to be called again and again.

    Raises
    ------
    EngineError
        From `look`: the portals are away, or the disk is full. What was begun goes on at the next call.
    """

    def __init__(
        self,
        pack: CityPack,
        portal: Portal,
        repairs: Repairs,
        diary: Diary,
        seed: int,
        options: CrewOptions | None = None,
    ) -> None:
        self._portal = portal
        self._repairs = repairs
        self._diary = diary
        self._seed = seed
        self._options = options or CrewOptions()
        self._zone = ZoneInfo(pack.timezone)
        self._depot = (pack.lat, pack.lon)
        self._above = _above(pack)
        self._gateways = _gateways(pack)
        count = self._options.by_day + self._options.at_any_hour
        self._names = [f"Brigada simulada {number + 1}" for number in range(count)]

    def look(self, now_us: int) -> None:
        """Let every crew go on with its job, or take one."""
        tickets = {ticket["id"]: ticket for ticket in self._portal.open_tickets(self._options.tickets_max)}
        visits = {int(k): v for k, v in (self._diary.read("visits") or {}).items() if int(k) in tickets}
        busy = [self._job(crew) for crew in range(len(self._names))]
        for crew in range(len(self._names)):
            job = busy[crew]
            if job is None:
                busy[crew] = self._take_one(crew, tickets.values(), busy, visits, now_us)
            else:
                self._go_on(crew, job, visits, now_us)
        self._diary.write("visits", visits)
        self._close_what_came_back(tickets.values(), now_us)

    # ------------------------------------------------------------ taking

    def _take_one(
        self,
        crew: int,
        tickets: Iterable[dict[str, Any]],
        busy: Iterable[Job | None],
        visits: Mapping[int, list[int]],
        now_us: int,
    ) -> Job | None:
        taken = {job.ticket_id for job in busy if job is not None}
        waiting = [t for t in tickets if t["id"] not in taken and self._may_take(crew, t, visits, now_us)]
        for ticket in sorted(waiting, key=lambda t: (_GRAVITY.get(t["severity"], 9), t["opened_at"], t["id"]))[:3]:
            here = self._diary.read(f"place|{crew}") or self._depot
            arrives_us = now_us + self._options.way_us + self._travel_us(here, ticket)
            length = 1 + 2 * _chance(self._seed, "work", ticket["id"])
            job = Job(
                ticket["id"],
                ticket["lat"],
                ticket["lon"],
                arrives_us,
                arrives_us + int(self._options.work_us * length),
            )
            try:
                if ticket["state"] == S.NEW:
                    self._portal.move(ticket, S.ASSIGNED, f"{self._names[crew]}: en camino")
            except (ConflictError, NotFoundError) as exc:
                logger.debug("somebody was faster", extra={"ticket": ticket["id"], "reason": str(exc)})
                continue
            self._save(crew, job)
            return job
        return None

    def _may_take(self, crew: int, ticket: dict[str, Any], visits: Mapping[int, list[int]], now_us: int) -> bool:
        if ticket["state"] not in _WAITING:
            return False
        count, not_before_us = visits.get(ticket["id"], [0, 0])
        if count >= self._options.visits_max or now_us < not_before_us:
            return False
        if crew < self._options.by_day:
            local = to_datetime(now_us).astimezone(self._zone)
            begin, end = self._options.shift
            return begin <= local.hour + local.minute / 60 < end
        return ticket["severity"] in _AT_ANY_HOUR

    def _travel_us(self, here: tuple[float, float], ticket: dict[str, Any]) -> int:
        if ticket["lat"] is None or ticket["lon"] is None:
            return 0
        north = (ticket["lat"] - here[0]) * 111_320.0
        east = (ticket["lon"] - here[1]) * 111_320.0 * math.cos(math.radians(here[0]))
        return int(math.hypot(north, east) / self._options.speed_m_s * 1e6)

    # ------------------------------------------------------------ working

    def _go_on(self, crew: int, job: Job, visits: dict[int, list[int]], now_us: int) -> None:
        if now_us < (job.done_us if job.there else job.arrives_us):
            return
        try:
            ticket = self._portal.ticket(job.ticket_id)
            if ticket["state"] in _WAITING:
                ticket = self._portal.move(ticket, S.IN_PROGRESS, f"{self._names[crew]}: en el lugar")
            if ticket["state"] != S.IN_PROGRESS:
                logger.info("a ticket was settled without its crew", extra={"ticket": job.ticket_id})
                self._leave(crew, job)
            elif now_us < job.done_us:
                self._save(crew, _changed(job, there=True))
            else:
                self._finish(crew, job, ticket, visits, now_us)
        except (ConflictError, NotFoundError) as exc:
            logger.info("a crew gives a ticket up", extra={"ticket": job.ticket_id, "reason": str(exc)})
            self._leave(crew, job)

    def _finish(self, crew: int, job: Job, ticket: dict[str, Any], visits: dict[int, list[int]], now_us: int) -> None:
        name, count = self._names[crew], visits.get(job.ticket_id, [0, 0])[0]
        assets = self._looked_at(ticket)
        if count == 0 and _chance(self._seed, "lost", job.ticket_id) < self._options.lost_share:
            self._portal.move(ticket, S.ASSIGNED, f"{name}: no encuentra el lugar; se volverá")
            visits[job.ticket_id] = [1, now_us + self._options.again_us]
        else:
            # Noted before anything is mended: killed in between, the crew still knows what it came for.
            done, found = job.done, job.found
            if not done:
                active = self._repairs.active(assets, now_us)
                done, found = _words(active), tuple(dict.fromkeys(str(fault.fault) for fault in active))
            self._save(crew, _changed(job, there=True, done=done, found=found))
            if not self._repairs.mend(assets, now_us) and not job.done:
                visits[job.ticket_id] = [count + 1, now_us + self._options.again_us]
            self._portal.move(ticket, S.RESOLVED, f"{name}: {done}", verdict_on(ticket, found))
        self._leave(crew, job)

    def _looked_at(self, ticket: Mapping[str, Any]) -> tuple[str, ...]:
        """Return the asset and what feeds it; where it is silent, also the gateway that speaks for it."""
        about = ticket["scope"]["id"]
        silent = ticket["fault"] == FaultClass.COMMUNICATION_FAILURE
        return (*self._above.get(about, (about,)), *(self._gateways.get(about, ()) if silent else ()))

    def _close_what_came_back(self, tickets: Iterable[dict[str, Any]], now_us: int) -> None:
        """Close what sensors have seen recover, from the desk, unless a citizen has spoken."""
        local = to_datetime(now_us).astimezone(self._zone)
        if not self._options.shift[0] <= local.hour + local.minute / 60 < self._options.shift[1]:
            return
        for ticket in [t for t in tickets if t["state"] == S.RECOVERED and not t["still_dark"] and not t["reports"]][
            :5
        ]:
            try:
                self._portal.move(ticket, S.CLOSED, "Brigada simulada: comprobado a distancia, funciona")
            except (ConflictError, NotFoundError) as exc:
                logger.debug("somebody was faster", extra={"ticket": ticket["id"], "reason": str(exc)})

    # ------------------------------------------------------------ remembering

    def _job(self, crew: int) -> Job | None:
        saved = self._diary.read(f"job|{crew}")
        return None if saved is None else Job(**saved)

    def _save(self, crew: int, job: Job) -> None:
        self._diary.write(f"job|{crew}", asdict(job))

    def _leave(self, crew: int, job: Job) -> None:
        self._diary.forget(f"job|{crew}")
        if job.lat is not None and job.lon is not None:
            self._diary.write(f"place|{crew}", (job.lat, job.lon))


def _changed(job: Job, **fields: Any) -> Job:
    return Job(**(asdict(job) | fields))


def _words(found: Iterable[PlantedFault]) -> str:
    """Return what a crew says that it did."""
    done = [_DONE.get(fault.fault, f"reparado ({fault.fault})") for fault in found]
    return ", ".join(dict.fromkeys(done)) or "no encuentra avería, falsa alarma"


def _above(pack: CityPack) -> dict[str, tuple[str, ...]]:
    """Return for each asset what a crew looks at: the asset, and what feeds it."""
    above = {feeder.feeder_id: (feeder.feeder_id, feeder.cabinet_id) for feeder in pack.feeders}
    return above | {lamp.lamp_id: (lamp.lamp_id, *above[lamp.feeder_id]) for lamp in pack.lamps}


def _gateways(pack: CityPack) -> dict[str, tuple[str, ...]]:
    """Return through which gateways each asset is heard."""
    found: dict[str, dict[str, None]] = defaultdict(dict)
    for device in pack.devices:
        found[device.asset_id][device.gateway_id] = None
    return {asset_id: tuple(gateways) for asset_id, gateways in found.items()}


def _chance(seed: int, *parts: str | int) -> float:
    """Return a number of [0, 1) that is the same in every run."""
    return key_of(seed, *parts) % 10_000 / 10_000
