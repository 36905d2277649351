"""The front page: three doors, with what is happening now behind each."""

from datetime import timedelta

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from city.clock import DAY_US
from observatory.figures import FIGURES
from observatory.periods import Step
from observatory.read import latest
from portals_api import reads
from portals_api.cuida.overview import broken, mended
from portals_api.observa.figures import card_of, read_period
from portals_api.participa.status import count, read_status
from portals_api.routing import PortalDep

router = APIRouter(tags=["home"])

_FIGURES = ("lamps-lit", "lighting-energy", "tickets-opened", "tickets-solved")
_FACILITIES_MAX = 1000


@router.get("/", include_in_schema=False)
async def home(portal: PortalDep, request: Request) -> Response:
    """Show the three doors, with what is happening behind each."""
    city = await portal.installation()
    figures = await reads.figures(portal.pool, await portal.viewer(), portal.deps.clock.now_us() - DAY_US)
    chosen = [FIGURES[name] for name in _FIGURES]
    since = portal.now() - timedelta(days=1)
    wanted, found, _ = await read_period(portal, chosen, Step.HOUR, None, since, None, 48)
    faults = await broken(portal)
    facilities = count((await read_status(portal, limit=_FACILITIES_MAX, sensors=False))["items"])
    del facilities["silent"]  # Nobody was asked.
    if not portal.wants_page(request):
        lit = latest(found["lamps-lit"])
        doors = {
            "observa": {**{name: one.total.value for name, one in found.items()}, "lit": lit and lit.value.value},
            "cuida": faults,
            "participa": facilities,
        }
        return JSONResponse({"city": city.city, "simulated": city.simulated, "figures": figures, "doors": doors})
    words = await portal.words(request)
    return await portal.page(
        request,
        "home.html",
        figures=figures,
        cards={name: card_of(one, words, wanted) for name, one in found.items()},
        faults=faults,
        mended=await mended(portal, 1),
        facilities=facilities,
    )
