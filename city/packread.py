"""Reads the files of a city pack into values, checking every name, number and reference on the way."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from functools import partial
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from city import packfile, packrows, packrules, packwhole
from city.asset import Cabinet, Device, DeviceProfile, District, Facility, Feeder, Gateway, Lamp
from city.boundaries import parse_districts
from city.integration import Integration
from city.metric import Metric
from city.opening import OpeningHours
from city.pack import CityPack, DistrictArea
from city.packfile import Cells, Notes, shown
from city.packids import Ids
from city.packtimes import parse_opening, parse_schedule
from city.packwire import model_of, parse_integration, parse_names
from city.topics import is_name

_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Z]{2})?")
_DAY_S = 86_400

T = TypeVar("T")


class PackReading:
    """One pass over the files; ids are known file by file, so that references can be checked on the way."""

    def __init__(self, texts: Mapping[str, str], notes: Notes, codecs: Mapping[str, str] | None = None) -> None:
        self._texts = texts
        self._codecs = dict(codecs or {})
        self._notes = notes
        self._ids = Ids(notes)

    def pack(self, version: str) -> CityPack:
        """Read everything. The result stands only if no mistake was noted."""
        districts = self._districts()
        metrics = self._table("metrics.csv", "metric", ("name", "unit", "low", "high"), packrows.metric)
        profiles = self.profiles(metrics)
        city = self._city()
        timezone = self._timezone(city)
        schedules = self._tables("schedules.toml", "schedule", lambda c, i: parse_schedule(c, i, timezone))
        gateways = self._table(
            "gateways.csv", "gateway", _columns(Gateway)[:-1], self._with_ids(packrows.gateway), ("operator",)
        )
        columns = tuple(name for name in _columns(Cabinet) if name != "substation")
        cabinets = self._table("cabinets.csv", "cabinet", columns, self._with_ids(packrows.cabinet), ("substation",))
        cabinets = packwhole.grouped(cabinets, gateways)
        packwhole.one_substation_each(self._ids, self._notes, cabinets)
        feeders = self._table("feeders.csv", "feeder", _columns(Feeder), self._with_ids(packrows.feeder))
        lamps = self._table("lamps.csv", "lamp", _columns(Lamp), self._with_ids(packrows.lamp))
        facilities = self._table("facilities.csv", "facility", _columns(Facility), self._with_ids(packrows.facility))
        self._ids.one_name_each("gateway", "cabinet", "feeder", "lamp", "facility")
        devices = self._table(
            "devices.csv", "device", _columns(Device)[:-1], self._with_ids(packrows.device), ("address",)
        )
        if "lamp_devices" in city.values:
            told = city.values["lamp_devices"]
            rule = packfile.table(self._notes, "city.toml", self._texts["city.toml"], told, ("lamp_devices",))
            devices += packwhole.lamp_devices(self._ids, rule, lamps, feeders, cabinets, devices)
        packwhole.few_enough(self._ids, self._notes, devices, lamps, feeders)
        packwhole.one_address_each(self._ids, self._notes, devices)
        tariff = None
        if "energy" in city.values:
            told = city.values["energy"]
            tariff = packrules.tariff(
                packfile.table(self._notes, "city.toml", self._texts["city.toml"], told, ("energy",))
            )
        relamping = None
        if "relamping" in city.values:
            told = city.values["relamping"]
            relamping = packrules.relamping(
                packfile.table(self._notes, "city.toml", self._texts["city.toml"], told, ("relamping",))
            )
        languages = city.names("languages")
        for language in languages:
            if not _LANGUAGE.fullmatch(language):
                city.wrong("languages", f"{shown(language)} is not a language: write a code such as es, en or ast")
        categories = self._tables("categories.toml", "category", lambda c, i: packrules.category(c, i, languages))
        return CityPack(
            name=city.text("name"),
            timezone=timezone,
            languages=languages,
            simulated=city.flag("simulated"),
            lat=city.number("lat", -90, 90),
            lon=city.number("lon", -180, 180),
            districts=tuple(districts),
            gateways=tuple(gateways),
            cabinets=tuple(cabinets),
            feeders=tuple(feeders),
            lamps=tuple(lamps),
            facilities=tuple(facilities),
            devices=tuple(sorted(devices, key=lambda d: d.device_id)),
            profiles={p.profile_id: p for p in profiles},
            metrics={m.name: m for m in metrics},
            schedules={s.schedule_id: s for s in schedules},
            rules=packrules.fault_rules(self._notes, self._texts.get("faults.toml")),
            categories=tuple(categories),
            version=version,
            opening=self._opening(facilities),
            integrations=self._integrations(),
            codecs=self._codecs,
            tariff=tariff,
            relamping=relamping,
        )

    def profiles(self, metrics: Sequence[Metric], without: frozenset[str] = frozenset()) -> list[DeviceProfile]:
        """Read ``profiles.toml`` but for the tables `without`; the metrics that it names are among `metrics`."""
        for metric in metrics:
            self._ids.add("metric", metric.name, "metrics.csv")
        return self._tables("profiles.toml", "profile", lambda c, i: self._profile(c, i, metrics), without)

    def _with_ids(self, read: Callable[[Ids, Cells, str], T]) -> Callable[[Cells, str], T]:
        return partial(read, self._ids)

    def _table(
        self,
        file: str,
        kind: str,
        columns: tuple[str, ...],
        read: Callable[[Cells, str], T],
        optional: tuple[str, ...] = (),
    ) -> list[T]:
        """Read a CSV file whose first column is the id."""
        found: list[T] = []
        rows, complete = (
            packfile.rows(self._notes, file, self._texts[file], columns, optional)
            if file in self._texts
            else ([], False)
        )
        if not complete:
            self._ids.partly.add(kind)
        for cells in rows:
            identity = cells.name(columns[0])
            self._ids.declare(cells, kind, columns[0], identity)
            row = read(cells, identity)
            if cells.sound:
                found.append(row)
        return found

    def _tables(
        self, file: str, kind: str, read: Callable[[Cells, str], T], without: frozenset[str] = frozenset()
    ) -> list[T]:
        """Read a TOML file of named tables."""
        text = self._texts.get(file)
        body = None if text is None else packfile.toml(self._notes, file, text)
        found: list[T] = []
        if body is None:
            self._ids.partly.add(kind)
        for identity, values in (body or {}).items():
            if identity in without:
                continue
            cells = packfile.table(self._notes, file, text or "", values, (identity,))
            if not is_name(identity):
                cells.wrong("", f"{shown(identity)} is not an id: use letters, digits, '.', '_' and '-', 64 at most")
            self._ids.declare(cells, kind, "", identity)
            if cells.sound:
                row = read(cells, identity)
                if cells.sound:
                    found.append(row)
        return found

    def _districts(self) -> list[DistrictArea]:
        text = self._texts.get("districts.geojson")
        areas = []
        noted = len(self._notes.mistakes)
        for cells, identity, name, boundary in parse_districts(self._notes, text) if text is not None else ():
            self._ids.declare(cells, "district", "", identity)
            if cells.sound:
                areas.append(DistrictArea(District(identity, name), boundary))
        if text is None or len(self._notes.mistakes) > noted:
            self._ids.partly.add("district")
        return areas

    def _city(self) -> Cells:
        text = self._texts.get("city.toml")
        body = None if text is None else packfile.toml(self._notes, "city.toml", text)
        if text is None or body is None:
            return Cells(Notes(), "city.toml", 0, {}, {})
        cells = packfile.table(self._notes, "city.toml", text, body)
        cells.only(
            ("name", "timezone", "languages", "simulated", "lat", "lon"), ("lamp_devices", "energy", "relamping")
        )
        return cells

    def _opening(self, facilities: list[Facility]) -> dict[str, OpeningHours]:
        """Read the hours of kinds and facilities; a pack without the file has none."""
        if "opening.toml" not in self._texts:
            return {}
        known = {f.kind for f in facilities} | {f.facility_id for f in facilities}
        if "facility" in self._ids.partly:
            known = set()
        return dict(self._tables("opening.toml", "opening", lambda c, i: (i, parse_opening(c, i, known))))

    def _profile(self, cells: Cells, identity: str, metrics: Sequence[Metric]) -> DeviceProfile:
        if not cells.only(("metrics", "report_interval_s", "silence_intervals"), ("names", "ignore", "codec", "model")):
            return DeviceProfile(identity, (), 1, 1)
        reported = cells.names("metrics")
        for metric in reported:
            self._ids.refer(cells, "metrics", "metric", metric)
        known = {metric.name: metric for metric in metrics}
        names = parse_names(cells, self._texts["profiles.toml"], identity, reported, known)
        of_model, left_out = model_of(cells, names, reported, known)
        return DeviceProfile(
            identity,
            reported,
            cells.whole("report_interval_s", 1, 7 * _DAY_S),
            cells.number("silence_intervals", 1.0, 1000.0),
            names + of_model,
            (cells.names("ignore") if "ignore" in cells.values else ()) + left_out,
            self._codec(cells),
        )

    def _codec(self, cells: Cells) -> str:
        """Take the file of a decoder, which must lie in the pack."""
        if "codec" not in cells.values:
            return ""
        file = cells.text("codec")
        if file and file not in self._codecs:
            cells.wrong("codec", f"codec {shown(file)} is no file of the pack: put the vendor's decoder there as *.js")
        return file

    def _integrations(self) -> tuple[Integration, ...]:
        if "integrations.toml" not in self._texts:
            return ()
        found = self._tables("integrations.toml", "integration", lambda c, i: parse_integration(c, i, self._ids.refer))
        return tuple(found)

    def _timezone(self, city: Cells) -> str:
        name = city.text("timezone")
        try:
            ZoneInfo(name or "UTC")
        except (OSError, ValueError, KeyError):  # KeyError: no such zone; the others: not a name at all
            city.wrong("timezone", f"{shown(name)} is not a time zone: write one such as Europe/Madrid")
        return name


def _columns(kind: Any) -> tuple[str, ...]:
    """Return the columns of a file whose rows are `kind`: the fields, in their order."""
    return tuple(f.name for f in fields(kind))
