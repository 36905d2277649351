"""Reads the files of a city pack into values, checking every name, number and reference on the way."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from city import packfile
from city.alarm import FaultClass
from city.asset import Cabinet, Device, DeviceProfile, District, Facility, Feeder, Gateway, Lamp, Switching
from city.boundaries import parse_districts
from city.integration import Integration
from city.metric import Metric
from city.opening import OpeningHours
from city.pack import CityPack, DistrictArea, ServiceCategory
from city.packfile import Cells, Notes, shown
from city.packtimes import parse_opening, parse_schedule
from city.packwire import model_of, parse_integration, parse_names
from city.registry import FaultRules
from city.topics import is_name

CABINET_DEVICES_MAX = 1000
"""Devices below one cabinet or facility: its definition travels as one record of the log."""

_METRIC = re.compile(r"[a-z][a-z0-9_]{0,62}")
_RESERVED = frozenset({"device", "at", "n", "epoch", "sent_at", "readings"})
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Z]{2})?")
_PHASES = ("R", "S", "T")
_DAY_S = 86_400

T = TypeVar("T")


class PackReading:
    """One pass over the files; ids are known file by file, so that references can be checked on the way."""

    def __init__(self, texts: Mapping[str, str], notes: Notes, codecs: Mapping[str, str] | None = None) -> None:
        self._texts = texts
        self._codecs = dict(codecs or {})
        self._notes = notes
        self._ids: dict[str, dict[str, tuple[str, int]]] = {}
        self._partly: set[str] = set()
        """Kinds whose file could not be read to its end: nobody is blamed for naming one of them."""

    def pack(self, version: str) -> CityPack:
        """Read everything. The result stands only if no mistake was noted."""
        districts = self._districts()
        metrics = self._table("metrics.csv", "metric", ("name", "unit", "low", "high"), self._metric)
        profiles = self.profiles(metrics)
        city = self._city()
        timezone = self._timezone(city)
        schedules = self._tables("schedules.toml", "schedule", lambda c, i: parse_schedule(c, i, timezone))
        gateways = self._table("gateways.csv", "gateway", _columns(Gateway), self._gateway)
        cabinets = self._table("cabinets.csv", "cabinet", _columns(Cabinet), self._cabinet)
        self._one_substation_each(cabinets)
        feeders = self._table("feeders.csv", "feeder", _columns(Feeder), self._feeder)
        lamps = self._table("lamps.csv", "lamp", _columns(Lamp), self._lamp)
        facilities = self._table("facilities.csv", "facility", _columns(Facility), self._facility)
        self._one_name_each("gateway", "cabinet", "feeder", "lamp", "facility")
        devices = self._table("devices.csv", "device", _columns(Device)[:-1], self._device, ("address",))
        if "lamp_devices" in city.values:
            devices += self._lamp_devices(city, lamps, feeders, cabinets, devices)
        self._few_enough(devices, lamps, feeders)
        self._one_address_each(devices)
        languages = city.names("languages")
        for language in languages:
            if not _LANGUAGE.fullmatch(language):
                city.wrong("languages", f"{shown(language)} is not a language: write a code such as es, en or ast")
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
            rules=self._rules(),
            categories=tuple(self._tables("categories.toml", "category", lambda c, i: _category(c, i, languages))),
            version=version,
            opening=self._opening(facilities),
            integrations=self._integrations(),
            codecs=self._codecs,
        )

    def profiles(self, metrics: Sequence[Metric], without: frozenset[str] = frozenset()) -> list[DeviceProfile]:
        """Read ``profiles.toml`` but for the tables `without`; the metrics that it names are among `metrics`."""
        for metric in metrics:
            self._ids.setdefault("metric", {}).setdefault(metric.name, ("metrics.csv", 0))
        return self._tables("profiles.toml", "profile", lambda c, i: self._profile(c, i, metrics), without)

    # ------------------------------------------------------------ whole files

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
            self._partly.add(kind)
        for cells in rows:
            identity = cells.name(columns[0])
            self._declare(cells, kind, columns[0], identity)
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
            self._partly.add(kind)
        for identity, values in (body or {}).items():
            if identity in without:
                continue
            cells = packfile.table(self._notes, file, text or "", values, (identity,))
            if not is_name(identity):
                cells.wrong("", f"{shown(identity)} is not an id: use letters, digits, '.', '_' and '-', 64 at most")
            self._declare(cells, kind, "", identity)
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
            self._declare(cells, "district", "", identity)
            if cells.sound:
                areas.append(DistrictArea(District(identity, name), boundary))
        if text is None or len(self._notes.mistakes) > noted:
            self._partly.add("district")
        return areas

    def _city(self) -> Cells:
        text = self._texts.get("city.toml")
        body = None if text is None else packfile.toml(self._notes, "city.toml", text)
        if text is None or body is None:
            return Cells(Notes(), "city.toml", 0, {}, {})
        cells = packfile.table(self._notes, "city.toml", text, body)
        cells.only(("name", "timezone", "languages", "simulated", "lat", "lon"), ("lamp_devices",))
        return cells

    def _opening(self, facilities: list[Facility]) -> dict[str, OpeningHours]:
        """Read the hours of kinds and facilities; a pack without the file has none."""
        if "opening.toml" not in self._texts:
            return {}
        known = {f.kind for f in facilities} | {f.facility_id for f in facilities}
        if "facility" in self._partly:
            known = set()
        return dict(self._tables("opening.toml", "opening", lambda c, i: (i, parse_opening(c, i, known))))

    def _rules(self) -> FaultRules:
        text = self._texts.get("faults.toml")
        body = None if text is None else packfile.toml(self._notes, "faults.toml", text)
        if text is None or body is None:
            return FaultRules()
        cells = packfile.table(self._notes, "faults.toml", text, body)
        cells.only((), tuple(_RULE_RANGES))
        values: dict[str, Any] = {}
        for key, (low, high) in _RULE_RANGES.items():
            if key in body:
                whole = isinstance(low, int)
                values[key] = cells.whole(key, int(low), int(high)) if whole else cells.number(key, low, high)
        return FaultRules(**values)

    # ------------------------------------------------------------ rows

    def _metric(self, cells: Cells, name: str) -> Metric:
        if name and (not _METRIC.fullmatch(name) or name in _RESERVED):
            cells.wrong(
                "name",
                f"{shown(name)} is not a metric: use lower case, digits and '_', unit last, as in active_power_w, and"
                f" none of {', '.join(sorted(_RESERVED))}",
            )
        low, high = cells.number("low", -1e15, 1e15), cells.number("high", -1e15, 1e15)
        if cells.sound and low >= high:
            cells.wrong("low", f"low {low:g} is not below high {high:g}: exchange them")
        return Metric(name, cells.text("unit"), low, high)

    def _profile(self, cells: Cells, identity: str, metrics: Sequence[Metric]) -> DeviceProfile:
        if not cells.only(("metrics", "report_interval_s", "silence_intervals"), ("names", "ignore", "codec", "model")):
            return DeviceProfile(identity, (), 1, 1)
        reported = cells.names("metrics")
        for metric in reported:
            self._refer(cells, "metrics", "metric", metric)
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

    def _gateway(self, cells: Cells, identity: str) -> Gateway:
        return Gateway(identity, cells.text("name"), *self._place(cells))

    def _cabinet(self, cells: Cells, identity: str) -> Cabinet:
        gateway = self._reference(cells, "gateway_id", "gateway")
        return Cabinet(identity, gateway, cells.name("substation"), *self._place(cells))

    def _feeder(self, cells: Cells, identity: str) -> Feeder:
        return Feeder(
            identity,
            self._reference(cells, "cabinet_id", "cabinet"),
            cells.choice("switching", Switching),
            self._reference(cells, "schedule_id", "schedule"),
        )

    def _lamp(self, cells: Cells, identity: str) -> Lamp:
        feeder = self._reference(cells, "feeder_id", "feeder")
        phase = cells.values["phase"]
        if phase not in _PHASES:
            cells.wrong("phase", f"phase {shown(phase)} is not known: write R, S or T")
        rated_w = cells.number("rated_w", 0, 5000, above_low=True)
        return Lamp(
            identity, feeder, phase, cells.name("lamp_type"), rated_w, *self._place(cells), cells.text("street")
        )

    def _facility(self, cells: Cells, identity: str) -> Facility:
        return Facility(identity, cells.name("kind"), cells.text("name"), *self._place(cells))

    def _device(self, cells: Cells, identity: str) -> Device:
        return Device(
            identity,
            self._reference(cells, "asset_id", "lamp", "facility", "feeder", "cabinet"),
            self._reference(cells, "gateway_id", "gateway"),
            self._reference(cells, "profile_id", "profile"),
            cells.text("address") if cells.values.get("address") else "",
        )

    def _integrations(self) -> tuple[Integration, ...]:
        if "integrations.toml" not in self._texts:
            return ()
        found = self._tables("integrations.toml", "integration", lambda c, i: parse_integration(c, i, self._refer))
        return tuple(found)

    def _place(self, cells: Cells) -> tuple[float, float, str]:
        lat, lon = cells.number("lat", -90, 90), cells.number("lon", -180, 180)
        return lat, lon, self._reference(cells, "district_id", "district")

    # ------------------------------------------------------------ ids

    def _declare(self, cells: Cells, kind: str, column: str, identity: str) -> None:
        known = self._ids.setdefault(kind, {})
        if identity in known:
            cells.wrong(column, f"{kind} {shown(identity)} stands in line {known[identity][1]} already: keep one")
        elif identity:
            known[identity] = (cells.file, cells.line)

    def _refer(self, cells: Cells, column: str, kinds: str, identity: str) -> None:
        wanted = kinds.split(" or ")
        if identity and not self._partly & set(wanted) and not any(identity in self._ids.get(k, {}) for k in wanted):
            cells.wrong(column, f"{column} {shown(identity)} names no {kinds}: add it to its file, or mend the name")

    def _reference(self, cells: Cells, column: str, *kinds: str) -> str:
        identity = cells.name(column)
        self._refer(cells, column, " or ".join(kinds), identity)
        return identity

    def _one_name_each(self, *kinds: str) -> None:
        """Assets share one space of names: a ticket names its asset without its kind."""
        seen: dict[str, str] = {}
        for kind in kinds:
            for identity, (file, line) in self._ids.get(kind, {}).items():
                other = seen.setdefault(identity, kind)
                if other != kind:
                    self._notes.add(file, line, f"{shown(identity)} is the name of a {other} already: rename one")

    # ------------------------------------------------------------ the whole

    def _one_substation_each(self, cabinets: list[Cabinet]) -> None:
        """Refuse a gateway over two correlation groups: only within one is its silence told from its feeders'."""
        first: dict[str, Cabinet] = {}
        for cabinet in cabinets:
            other = first.setdefault(cabinet.gateway_id, cabinet)
            if other.substation != cabinet.substation:
                file, line = self._ids["cabinet"][cabinet.cabinet_id]
                self._notes.add(
                    file,
                    line,
                    f"{cabinet.cabinet_id} is in {cabinet.substation}, {other.cabinet_id} of the same gateway"
                    f" {cabinet.gateway_id} in {other.substation}: cabinets of one gateway share a substation",
                )

    def _lamp_devices(
        self, city: Cells, lamps: list[Lamp], feeders: list[Feeder], cabinets: list[Cabinet], listed: list[Device]
    ) -> list[Device]:
        """Make one device for each lamp that has none in devices.csv, on its cabinet's gateway."""
        text = self._texts["city.toml"]
        rule = packfile.table(self._notes, "city.toml", text, city.values["lamp_devices"], ("lamp_devices",))
        if not rule.sound or not rule.only(("profile", "prefix")):
            return []
        profile, prefix = self._reference(rule, "profile", "profile"), rule.name("prefix")
        gateway_of = {c.cabinet_id: c.gateway_id for c in cabinets}
        cabinet_of = {f.feeder_id: f.cabinet_id for f in feeders}
        served = {d.asset_id for d in listed}
        made = []
        for lamp in lamps:
            gateway = gateway_of.get(cabinet_of.get(lamp.feeder_id, ""))
            identity = prefix + lamp.lamp_id
            if lamp.lamp_id in served or gateway is None:
                continue
            if not is_name(identity) or identity in self._ids.get("device", {}):
                rule.wrong("prefix", f"{shown(identity)} is taken or too long for a device: choose another prefix")
                break
            made.append(Device(identity, lamp.lamp_id, gateway, profile))
        return made

    def _one_address_each(self, devices: list[Device]) -> None:
        """Refuse two devices that are called the same on the wire: readings would go to either."""
        seen: dict[str, str] = {}
        for device in devices:
            other = seen.setdefault(device.wire_name, device.device_id)
            if other != device.device_id:
                file, line = self._ids["device"].get(device.device_id, ("devices.csv", 1))
                text = f"address {shown(device.wire_name)} is that of {other} already: every device has one of its own"
                self._notes.add(file, line, text)

    def _few_enough(self, devices: list[Device], lamps: list[Lamp], feeders: list[Feeder]) -> None:
        above = {f.feeder_id: f.cabinet_id for f in feeders}
        above |= {lamp.lamp_id: above.get(lamp.feeder_id, "") for lamp in lamps}
        below: dict[str, int] = {}
        for device in devices:
            root = above.get(device.asset_id, device.asset_id)
            below[root] = below.get(root, 0) + 1
        for kind in ("cabinet", "facility"):
            for identity, (file, line) in self._ids.get(kind, {}).items():
                if below.get(identity, 0) > CABINET_DEVICES_MAX:
                    self._notes.add(
                        file,
                        line,
                        f"{identity} has {below[identity]} devices below it, {CABINET_DEVICES_MAX} at most: split it",
                    )

    def _timezone(self, city: Cells) -> str:
        name = city.text("timezone")
        try:
            ZoneInfo(name or "UTC")
        except (OSError, ValueError, KeyError):  # KeyError: no such zone; the others: not a name at all
            city.wrong("timezone", f"{shown(name)} is not a time zone: write one such as Europe/Madrid")
        return name


_RULE_RANGES: dict[str, tuple[float, float]] = {
    "dark_below": (0.0, 1.0),
    "dark_readings": (1, 100),
    "unexpected_on_w": (0.0, 5000.0),
    "unexpected_on_share": (0.0, 1.0),
    "unexpected_on_readings": (1, 100),
    "guard_s": (0, 14_400),
    "lost_share": (0.0, 0.9),
    "outage_probability": (0.0, 0.1),
    "outage_lamps_min": (1, 1000),
}
assert set(_RULE_RANGES) == {f.name for f in fields(FaultRules)}


def _columns(kind: Any) -> tuple[str, ...]:
    """Return the columns of a file whose rows are `kind`: the fields, in their order."""
    return tuple(f.name for f in fields(kind))


def _category(cells: Cells, identity: str, languages: tuple[str, ...]) -> ServiceCategory:
    if not cells.only(("names", "faults", "sla_hours", "crew")):
        return ServiceCategory(identity, {}, (), 1, "")
    names = cells.values["names"]
    texts = names if isinstance(names, dict) else {}
    for language in languages:
        word = texts.get(language)
        if not isinstance(word, str) or not word.strip() or not word.isprintable() or len(word) > packfile.TEXT_MAX:
            cells.wrong("names", f'names must have {language}: write names = {{ {language} = "…" }}')
    for language in texts:
        if language not in languages:
            cells.wrong("names", f"{shown(language)} is not a language of city.toml: add it there, or remove it here")
    known = {str(fault) for fault in FaultClass}
    faults = cells.names("faults", empty=True)
    for fault in faults:
        if fault not in known:
            cells.wrong("faults", f"{shown(fault)} is not a fault: write one of {', '.join(sorted(known))}")
    return ServiceCategory(
        identity,
        dict(texts),
        tuple(FaultClass(f) for f in faults if f in known),
        cells.number("sla_hours", 0, 24 * 366, above_low=True),
        cells.text("crew"),
    )
