"""``python -m bench [--scores] [--only NAME]`` measures: ``bench/results.json`` and ``docs/benchmarks.md``."""

import argparse
import importlib
import json
import logging
import os
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from app.console import Bar

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "bench" / "results.json"
PAGE = ROOT / "docs" / "benchmarks.md"
BENCHES = {
    "ingest": "MQTT → log: CPU a message and rate, beside a plain bridge",
    "log": "Records a second into each engine of the log",
    "detection": "Readings a second through detection, decoding included",
    "store": "Rows a second into `readings`, beside what one would write first",
    "ticket": "From a fault to its ticket",
    "web": "What a person waits for: map, first page, lists, a fault on the open map",
}
SCORES = {
    "score.city": "How well the stages of production find what is planted in simulated fleets",
    "score.disturbed": "How many more false tickets there are when reports are fewer, lost or off",
    "score.noise": "What statistics open of noise alone, and of faults planted into it",
    "score.air": "What statistics report of ten years of a real air station",
    "score.nab": "How well statistics detect: the Numenta Anomaly Benchmark, in-sample and held out",
}
"""What ``--scores`` runs: how well, not how fast. A new one is its module here and its title."""

logger = logging.getLogger("bench")


def main() -> None:
    """Run what was asked for, one bench after the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scores", action="store_true", help="the scores of detection instead of speeds")
    parser.add_argument("--only", choices=sorted(BENCHES | SCORES), help="one of them")
    asked = parser.parse_args()
    titles = BENCHES | SCORES
    results: dict[str, dict[str, Any]] = {}
    if RESULTS.exists():
        results = {entry["name"]: entry for entry in json.loads(RESULTS.read_text(encoding="utf-8"))}
    names = [asked.only] if asked.only else list(SCORES if asked.scores else BENCHES)
    with Bar(quiet=False) as advance:
        # After the bar has taken the terminal, so that lines go above it.
        logging.basicConfig(level=logging.ERROR, format="%(message)s")
        logger.setLevel(logging.INFO)
        for number, name in enumerate(names):
            advance(f"measuring {name}", number, len(names))
            logger.info("%s: %s", name, titles[name])
            measured = importlib.import_module(f"bench.{name}").run()
            if measured:
                results = {key: entry for key, entry in results.items() if entry.get("bench") != name}
            for entry in measured:
                entry = {**entry, "bench": name, "measured": datetime.now(UTC).date().isoformat()}
                results[entry["name"]] = entry
                logger.info("  %s", _line(entry))
    ordered = sorted(results.values(), key=lambda e: (list(titles).index(e["bench"]), e["name"]))
    RESULTS.write_text(json.dumps(ordered, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    PAGE.write_text(_page(ordered), encoding="utf-8")


def _line(entry: dict[str, Any]) -> str:
    peer = f"   {entry['peer']}: {entry['peer_value']:g}" if entry.get("peer_value") is not None else ""
    return f"{entry['name']:<34} {entry['value']:>12g} {entry['unit']}{peer}"


def _page(results: list[dict[str, Any]]) -> str:
    lines = [
        "# Benchmarks",
        "",
        f"Written by `make bench` on {platform.machine()}, Python {platform.python_version()}, {_cores()} cores.",
        "Machines are noisy: read the ratio to the peer of the same run, not the figure alone. Each is a median.",
    ]
    for bench, title in (BENCHES | SCORES).items():
        rows = [entry for entry in results if entry["bench"] == bench]
        if not rows:
            continue
        lines += ["", f"## {title}", ""]
        lines += ["| what | figure | wanted | peer | its figure | ratio |", "|---|---|---|---|---|---|"]
        for entry in rows:
            peer = entry.get("peer_value")
            ratio = f"{entry['value'] / peer:.3g}" if peer else ""
            told = f"{peer:g}" if peer is not None else ""
            figure = f"{entry['value']:g} {entry['unit']}"
            beside = f"{entry.get('wanted', '')} | {entry.get('peer', '')}"
            lines.append(f"| `{entry['name']}` | {figure} | {beside} | {told} | {ratio} |")
        notes = [f"`{e['name']}`: {e['note']}" for e in rows if e.get("note")]
        lines += ["", *notes] if notes else []
        lines += ["", f"Measured {max(e['measured'] for e in rows)} with `make {_command(bench)}`."]
    return "\n".join(lines) + "\n"


def _command(bench: str) -> str:
    return f"score ONLY={bench.removeprefix('score.')}" if bench in SCORES else f"bench ONLY={bench}"


def _cores() -> int:
    return len(os.sched_getaffinity(0))


if __name__ == "__main__":
    sys.exit(main())
