"""Examples that `citynerve COMMAND --help` ends with."""

_EXAMPLES = {
    "": (
        "citynerve up --port 8001 --data ~/city",
        "citynerve status --data ~/city",
        "citynerve city check cities/gijon",
    ),
    "up": ("citynerve up", "citynerve up --port 8001 --data ~/city --speed 1"),
    "down": ("citynerve down --data ~/city", "citynerve down --json"),
    "status": ("citynerve status", "citynerve status --json | jq .ledger.in_flight"),
    "run": ("CITYNERVE_DATABASE_URL=postgresql://… CITYNERVE_KAFKA=kafka:9092 citynerve run store",),
    "sim": (
        "citynerve sim --data ~/city",
        "citynerve sim --mqtt-url mqtt://localhost:1883 --speed 60 --labels truth.json",
        "citynerve sim --mqtt-url mqtts://user:password@broker:8883 --faults planted.json",
    ),
    "play": (
        "citynerve play air.csv.xz --map cities/gijon/play/air-station.toml",
        "citynerve play meter.csv --map meter.toml --speed 60 --json",
    ),
    "replay": ("citynerve replay", "citynerve replay --json | jq .only_replayed"),
    "backtest": (
        "citynerve backtest --assets assets.csv --readings readings.csv.gz --labels labels.csv --plot found.png",
        "citynerve backtest --assets assets.csv --readings readings.csv --labels labels.csv --json | jq .faults",
        "citynerve backtest --labels truth.json --plot found.png",
        "citynerve backtest --inject shift,stuck,gap --seed 7",
    ),
    "setup": ("CITYNERVE_DATABASE_URL=postgresql://… CITYNERVE_KAFKA=kafka:9092 citynerve setup",),
    "thresholds": ("citynerve thresholds", "citynerve thresholds --json | jq -r '.[].toml // empty'"),
    "maintenance": (
        'citynerve maintenance announce cabinet CM-001 --to 2026-11-24T15:00 --why "new contactor"',
        "citynerve maintenance list",
    ),
    "maintenance list": ("citynerve maintenance list", "citynerve maintenance list --past --json"),
    "maintenance announce": (
        'citynerve maintenance announce cabinet CM-001 --to 2026-11-24T15:00 --why "new contactor"',
        'citynerve maintenance announce district centre --from 2026-12-01T08:00 --to 2026-12-05T18:00 --why "cables"',
    ),
    "maintenance end": ("citynerve maintenance end 3",),
    "maintenance withdraw": ("citynerve maintenance withdraw 3",),
    "maintenance reinstate": ("citynerve maintenance reinstate 3",),
    "city": ("citynerve city check cities/gijon",),
    "city check": ("citynerve city check cities/gijon", "citynerve city check --json my-city | jq '.mistakes[]'"),
    "devices": ("citynerve devices unknown", "citynerve devices import devices.csv --dry-run"),
    "devices import": ("citynerve devices import devices.csv --dry-run", "citynerve devices import - < devices.csv"),
    "devices export": ("citynerve devices export > devices.csv",),
    "devices retire": ("citynerve devices retire N-L-00001",),
    "devices release": ("citynerve devices release N-L-00001",),
    "devices unknown": ("citynerve devices unknown", "citynerve devices unknown --part A84041 --json"),
    "devices claim": (
        "citynerve devices claim A84041FFFF123456 --device N-L-00001 --asset L-00001 --gateway GW-01"
        " --profile lamp-controller",
    ),
    "gateways": ("citynerve gateways import gateways.csv",),
    "gateways import": ("citynerve gateways import gateways.csv --dry-run",),
    "gateways export": ("citynerve gateways export > gateways.csv",),
    "gateways retire": ("citynerve gateways retire GW-001",),
    "gateways restore": ("citynerve gateways restore GW-001",),
    "gateways release": ("citynerve gateways release GW-001",),
    "profiles export": ("citynerve profiles export > profiles.toml",),
    "profiles retire": ("citynerve profiles retire acme",),
    "profiles restore": ("citynerve profiles restore acme",),
    "profiles release": ("citynerve profiles release acme",),
    "profiles": ("citynerve profiles import profiles.toml",),
    "profiles import": ("citynerve profiles import profiles.toml --dry-run",),
    "log": ("citynerve log adopt", "citynerve log rebuild detect"),
    "log adopt": ("citynerve log adopt",),
    "log rebuild": ("citynerve log rebuild detect",),
    "letters": ("citynerve letters list", "citynerve letters replay --reason unknown-device"),
    "letters list": ("citynerve letters list --reason unknown-device", "citynerve letters list --limit 500 --json"),
    "letters reasons": ("citynerve letters reasons",),
    "letters search": (
        "citynerve letters search --text N-L-00007 --since 2026-11-24",
        "citynerve letters search --state not-wanted --json",
    ),
    "letters show": ("citynerve letters show 5f1d2b7e-0-17", "citynerve letters show 5f1d2b7e-0-17 --json"),
    "letters replay": ("citynerve letters replay", "citynerve letters replay --reason unknown-device"),
    "letters mark": ("citynerve letters mark --reason not-json --gateway GW-07 --why 'a test of the vendor'",),
    "letters unmark": ("citynerve letters unmark --gateway GW-07",),
    "credentials": ("citynerve credentials create GW-01", "citynerve credentials list"),
    "credentials list": ("citynerve credentials list --gateway GW-01 --all", "citynerve credentials list --json"),
    "credentials create": (
        "citynerve credentials create GW-01",
        "citynerve credentials create GW-01 --publish 'application/+/device/+/event/+'",
        "citynerve credentials create GW-01 --days 90 --json",
    ),
    "credentials rotate": ("citynerve credentials rotate GW-01", "citynerve credentials rotate GW-01 --together-h 0"),
    "credentials revoke": ("citynerve credentials revoke GW-01",),
    "credentials topics": (
        "citynerve credentials topics GW-01",
        "citynerve credentials topics GW-01 --publish 'spBv1.0/lamps/+/GW-01/#' --read 'spBv1.0/lamps/NCMD/GW-01'",
    ),
    "ca": ("citynerve ca init --folder authority", "citynerve ca issue GW-01 --csr gw-01.csr"),
    "ca init": (
        "citynerve ca init --folder authority",
        "citynerve ca init --folder authority --passphrase-file passphrase",
    ),
    "ca issue": (
        "citynerve ca issue GW-01 --csr gw-01.csr > gw-01.crt",
        "citynerve ca issue GW-01 --days 365 --folder authority > gw-01.pem",
    ),
    "ca renew": ("citynerve ca renew 4b1f… --csr gw-01.csr > gw-01.crt",),
    "ca revoke": ("citynerve ca revoke 4b1f…",),
    "ca list": ("citynerve ca list --folder authority",),
}


def examples(command: str) -> str:
    """Return the examples of a command as the end of its help, in lines that stay as they are."""
    told = _EXAMPLES[command]
    heading = "Example:" if len(told) == 1 else "Examples:"
    return "\b\n" + "\n".join([heading, *(f"  {line}" for line in told)])
