"""Examples of answers that have no model of their own, those of bodies, and one of every parameter."""

from typing import Any

FEEDS = ("facility/{facility_id}", "street/{street}", "district/{district_id}")
ATOM = """<?xml version="1.0" encoding="utf-8"?>
<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="es">
  <id>urn:uuid:5f1d2b7e-7f7c-5a83-9d4e-0c8b1f3f6a10</id>
  <title>Centro · Gijón</title>
  <updated>2026-11-24T18:15:00Z</updated>
  <entry>
    <id>urn:uuid:8a4c0f3d-52be-5d1c-8f7a-6e2b9d5c4a21</id>
    <title>Farola apagada: Nueva (Calle Uno)</title>
    <updated>2026-11-24T18:15:00Z</updated>
    <link rel="alternate" href="https://city.example/tickets/17"/>
    <content type="text">Farola L-00001, Calle Uno</content>
  </entry>
</feed>
"""
REPORT_BODY = {"category": "lamp-out", "lamp": "L-00001", "description": "Lleva apagada desde el domingo."}
TRANSITION_BODY = {"to": "resolved", "version": 1, "reason": "Lámpara cambiada."}
VERDICT_BODY = {"finding": "other", "fault": "supplyVoltageTooLow", "words": "Conexión floja en la caja de derivación."}

PARAMETERS: dict[str, Any] = {
    "after": "17",
    "alarm_id": "6f1c0a5e",
    "by": "district",
    "cabinet_id": "CM-01",
    "category": "lamp-out",
    "credential_id": 7,
    "device": "N-L-00001",
    "district": "centre",
    "district_id": "centre",
    "dry_run": True,
    "facility_id": "EQ-01",
    "feeder": "CM-01-A",
    "feeder_id": "CM-01-A",
    "figure_id": "lamps-lit",
    "from": "2026-11-24T00:00:00Z",
    "gateway": "GW-01",
    "gateway_id": "GW-01",
    "kind": "school",
    "lamp": "L-00001",
    "lamp_id": "L-00001",
    "letter_id": "5f1d2b7e-0-17",
    "last-event-id": "17",
    "limit": 50,
    "metric": "active_power_w",
    "name": "N-L-00001",
    "next": "WyJMLTAwMTAwIl0",
    "open": True,
    "part": "N-L-0000",
    "past": True,
    "points": 400,
    "profile": "lamp-controller",
    "q": "calle uno",
    "reason": "unknown-device",
    "retired": False,
    "scope": "L-00001",
    "series": 1,
    "series_id": 1,
    "state": "lit",
    "step": "day",
    "street": "Calle Uno",
    "path street": "calle-uno",
    "ticket_id": 17,
    "to": "2026-11-25T00:00:00Z",
    "text": "N-L-00007",
    "topic": "citynerve/v1/GW-01",
    "v": "3f2a9c",
    "window": 3,
}
"""Name of a parameter (`path NAME` where it differs in an address) → example; values that are listed need none."""
WHAT = {
    "category": "a code of `GET /report` as JSON",
    "device": "the device's id, as a lamp or facility lists it",
    "district": "a code of `/api/v1/districts`; another one is refused",
    "feeder": "the id of a feeder",
    "gateway": "the id of a gateway",
    "kind": "a kind of facility, as the list tells it",
    "lamp": "the number of a lamp",
    "metric": "a metric of the device; its unit stands in its name",
    "open": "only tickets that are not closed",
    "scope": "the id of what a ticket is about",
    "letter_id": "the id of a dead letter, as the list tells it",
    "reason": "why it was set aside, as the list tells it",
    "series": "the number of a series, as a lamp or facility lists it",
    "series_id": "the number of a series, as a lamp or facility lists it",
    "text": "part of the payload's first 16 KB, such as the id of a device; capitals do not matter",
    "topic": "part of the topic; capitals do not matter",
    "street": "part of a street's name; in feeds the key that `/follow` tells",
}
"""Name of a parameter → what it takes, where the name does not say it and its route does not either."""

EXAMPLES: dict[str, dict[str, Any]] = {
    "/api/v1/map/lamps": {
        "application/json": {
            "count": 2,
            "scale": 100_000,
            "ids": [["L-", 1, 5, 2]],
            "lat": [4354707, 1],
            "lon": [-567273, 35],
            "nowhere": [],
            "streets": ["Calle Uno"],
            "street": [[0, 2]],
            "districts": ["centre"],
            "district": [[0, 2]],
        }
    },
    "/api/v1/map/places": {"application/json": {"facilities": [{"id": "EQ-01", "name": "Colegio Uno"}]}},
    "/api/v1/map/states": {"application/json": {"at": "17", "state_names": ["unknown", "off", "lit"], "states": "22"}},
    "/api/v1/map/list": {"application/json": {"items": [{"id": "L-00001", "state": "lit"}], "next": None}},
    "/api/v1/search": {
        "application/json": {"items": [{"kind": "lamp", "id": "L-00001", "map": "/map#/lamp/L-00001"}], "next": None}
    },
    **{f"/feeds/{of}.atom": {"application/atom+xml": ATOM} for of in FEEDS},
    "/api/v1/stream": {"text/event-stream": 'id: 18\nevent: change\ndata: {"lamps": [1], "states": "2"}\n\n'},
}
"""Path of an operation → kind of content → example, shortened to what shows its shape."""
