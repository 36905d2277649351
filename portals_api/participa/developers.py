"""The developers' page: rules of the API, every address, and examples that the tests run."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from city import topics
from portals_api import reads
from portals_api.codes import N_
from portals_api.paging import LIMIT_DEFAULT, LIMIT_MAX
from portals_api.routing import PortalDep

router = APIRouter(tags=["developers"])

FOLDER = Path(__file__).parent.parent / "examples"
BASE = "http://localhost:8000"
"""Stands in the examples for the address under which the portals are read."""


@dataclass(frozen=True, slots=True)
class Example:
    """A file of `examples/`; there it ends in ``.txt``, because it is shown and not imported."""

    file: str
    language: str
    title: str

    def code(self, base: str, district: str) -> str:
        """Return it ready to be run against `base`."""
        text = (FOLDER / f"{self.file}.txt").read_text(encoding="utf-8")
        return text.replace(BASE, base).replace("{district}", district)


EXAMPLES = (
    Example("faults.sh", "curl", N_("The newest open faults")),
    Example("figures.sh", "curl", N_("A figure as CSV")),
    Example("report.sh", "curl", N_("Report a fault from your app")),
    Example("lamps.py", "Python", N_("All pages of a list")),
    Example("follow.py", "Python", N_("Follow a district")),
    Example("status.mjs", "JavaScript", N_("What is open now")),
)
MQTT = Example("publish.sh", "mosquitto_pub", N_("Send readings of your own"))


def addresses(schema: dict[str, Any]) -> list[dict[str, str]]:
    """Return method, path and purpose of everything in the OpenAPI description, the data first."""
    found = [
        {
            "method": method.upper(),
            "path": path,
            "summary": str(about.get("description") or about["summary"]).split("\n")[0],
        }
        for path, methods in schema["paths"].items()
        for method, about in methods.items()
    ]
    return sorted(found, key=lambda one: (not one["path"].startswith("/api/"), one["path"], one["method"]))


@router.get("/developers", include_in_schema=False)
async def developers_page(portal: PortalDep, request: Request) -> Response:
    """Show how to build on the portals."""
    base = str(request.base_url).rstrip("/")
    districts = await reads.districts(portal.pool)
    district = districts[0]["district_id"] if districts else "centre"
    shown = [
        {"title": one.title, "language": one.language, "file": one.file, "code": one.code(base, district)}
        for one in (*EXAMPLES, MQTT)
    ]
    values = {
        "openapi": request.app.openapi_url,
        "limits": {
            "limit_default": LIMIT_DEFAULT,
            "limit_max": LIMIT_MAX,
            "reports_per_minute": portal.options.reports_per_minute,
            "body_bytes_max": portal.options.body_bytes_max,
            "cors": not portal.options.crew_without_account,
        },
        "mqtt": [topics.readings_topic("{gateway}"), topics.state_topic("{gateway}")],
        "feeds": [f"/feeds/{kind}.atom" for kind in ("facility/{id}", "street/{slug}", "district/{id}")],
        "addresses": addresses(request.app.openapi()),
    }
    if not portal.wants_page(request):
        return JSONResponse({**values, "examples": shown})
    return await portal.page(request, "developers.html", **values, examples=shown[:-1], publish=shown[-1], base=base)
