"""The document of metrics, and the rules that names and labels keep."""

import re
from pathlib import Path

import pytest

from app.doors import listen
from app.metrics import describe, registry_of, serve_metrics
from app.settings import Settings
from city.errors import SettingsError
from tests.support.exposition import scrape
from tests.support.servers import free_port

DOCUMENT = Path(__file__).parents[2] / "docs" / "metrics.md"
ALLOWED_LABELS = {
    *("what", "cause", "over", "direction"),
    *("version", "process", "python", "group", "topic", "partition", "reason", "outcome"),
    *("kind", "fault", "state", "route", "method", "status"),
}
UNITS = ("_seconds", "_bytes", "_messages", "_records", "_gateways", "_batches")


def test_document_names_every_metric_with_kind_labels_and_meaning() -> None:
    told: dict[str, list[tuple[str, ...]]] = {}
    for line in DOCUMENT.read_text(encoding="utf-8").splitlines():
        if heading := re.fullmatch(r"## (.+)", line):
            process = heading[1].replace("`", "").replace("Every process", "")
            told[process] = []
        elif row := re.fullmatch(r"\| `(\w+)` \| (\w+) \| (.+) \| (.+) \|", line):
            told[process].append(row.groups())
    known = {
        process: [(i.name, i.kind, ", ".join(f"`{label}`" for label in i.labels) or "–", i.meaning) for i in found]
        for process, found in describe().items()
    }
    assert told == known


def test_names_and_labels_keep_the_rules() -> None:
    for found in describe().values():
        for instrument in found:
            assert re.fullmatch(r"citynerve_[a-z_]+", instrument.name)
            assert instrument.name.endswith("_total") == (instrument.kind == "counter"), instrument.name
            assert set(instrument.labels) <= ALLOWED_LABELS, f"{instrument.name}: a label without a bound?"
            assert len(instrument.meaning) > 10
            if instrument.kind == "histogram":
                assert instrument.name.endswith(UNITS), instrument.name


def test_process_tells_its_version_and_what_it_takes_of_the_machine() -> None:
    settings = Settings(metrics_port=free_port())
    serve_metrics(settings, registry_of("store"))
    found = scrape(settings.metrics_port)
    ((labels, value),) = found["citynerve_build_info"]
    assert (labels["process"], value) == ("store", 1)
    assert re.match(r"\d+\.\d+", labels["version"])
    assert found["process_resident_memory_bytes"][0][1] > 1e6


def test_without_a_port_nobody_listens_and_a_taken_one_is_refused() -> None:
    serve_metrics(Settings(metrics_port=0), registry_of("store"))
    with listen("127.0.0.1", 0, "x") as door:
        door.listen()
        with pytest.raises(SettingsError, match="CITYNERVE_METRICS_PORT"):
            serve_metrics(Settings(metrics_port=door.getsockname()[1]), registry_of("store"))
