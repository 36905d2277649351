"""``python -m bench.foreign --out FOLDER`` writes a fleet of another maker; with ``--score`` some are scored."""

import argparse
from pathlib import Path

from app.console import say
from bench.foreign.files import VARIANTS, Fleet, write
from bench.foreign.score import FLEETS, tell


def main() -> None:
    """Write, or score, what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m bench.foreign", description=__doc__)
    parser.add_argument("--seed", type=int, help="also decides the town; with --score: of one fleet instead of all")
    parser.add_argument("--lamps", type=int, default=300)
    parser.add_argument("--days", type=int, default=90)
    parser.add_argument("--cadence", type=int, default=900, help="s between reports; from 7200 on: counters")
    parser.add_argument("--buildings", type=int, default=0)
    parser.add_argument("--variant", choices=VARIANTS, default=VARIANTS[0])
    parser.add_argument("--out", type=Path, help="folder to write into")
    parser.add_argument("--score", action="store_true")
    parser.add_argument("--show", type=int, default=0, help="of each fleet: so many missed labels and false tickets")
    asked = parser.parse_args()
    seed = 1 if asked.seed is None else asked.seed
    fleet = Fleet(seed, asked.lamps, asked.days, asked.cadence, asked.variant, asked.buildings)
    if asked.score:
        tell(FLEETS if asked.seed is None else (fleet,), asked.show)
    elif asked.out is not None:
        say(f"{len(write(fleet, asked.out))} faults in {asked.out}")
    else:
        parser.error("give --out, a folder to write into, or --score")


if __name__ == "__main__":
    main()
