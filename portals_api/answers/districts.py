"""Districts."""

from pydantic import BaseModel

from portals_api.answers.facilities import FACILITY, FacilityOut
from portals_api.answers.lamps import STATES, LampStates
from portals_api.answers.shape import shown_by
from portals_api.answers.tickets import TICKET, TicketOut

DISTRICT = {"id": "centre", "url": "/districts/centre", "name": "Centro", "lamps": 21, "facilities": 4, "tickets": 2}


class DistrictOut(BaseModel):
    """A part of the city in figures."""

    model_config = shown_by({**DISTRICT, "faulty": 1})

    id: str
    url: str
    name: str
    lamps: int
    facilities: int
    tickets: int
    faulty: int


class DistrictPage(BaseModel):
    """All districts."""

    model_config = shown_by({"items": [{**DISTRICT, "faulty": 1}], "next": None})

    items: list[DistrictOut]
    next: str | None


class DistrictWhole(BaseModel):
    """A district: lamps by state, open tickets, facilities."""

    model_config = shown_by(
        {
            **DISTRICT,
            "lat": 43.54,
            "lon": -5.66,
            "lamp_states": STATES,
            "ticket_list": [TICKET],
            "facility_list": [FACILITY],
        }
    )

    id: str
    url: str
    name: str
    lamps: int
    facilities: int
    tickets: int
    lat: float | None
    lon: float | None
    lamp_states: LampStates
    ticket_list: list[TicketOut]
    facility_list: list[FacilityOut]
