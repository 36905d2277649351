"""Examples of answers that have no model of their own: those of the map, of the search and of the stream."""

from typing import Any

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
    "/api/v1/stream": {"text/event-stream": 'id: 18\nevent: change\ndata: {"lamps": [1], "states": "2"}\n\n'},
}
"""Path of an operation → kind of content → example, shortened to what shows its shape."""
