"""Publishes a recorded file as a gateway would: numbered, at QoS 1, sent again after a reconnection, at any speed."""

import secrets
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from city.clock import SECOND_US, Clock, SystemClock
from city.errors import EngineError
from sim.outbox import Outbox
from sim.playfile import BadRows, Row, read_rows
from sim.playmap import PlayMap
from sim.publish import Fleet, FleetOptions, Numbering

_AHEAD = 4
"""Windows of messages that are read from the file before the broker has taken them."""


@dataclass(frozen=True, slots=True)
class PlayOptions:
    """How a file is played.

    Attributes
    ----------
    mqtt_url : str
    speed : float
        Seconds of the file in a second of the machine's clock; 0: as fast as the broker acknowledges.
    window : int
        Messages under way at once.
    patience_s : float
        How long to wait for a broker that is away.
    ca_file : str
        Certificates to trust with mqtts; empty: the system's.
    """

    mqtt_url: str
    speed: float = 0.0
    window: int = 32
    patience_s: float = 120.0
    ca_file: str = ""


@dataclass(slots=True)
class PlayReport:
    """What was played.

    Attributes
    ----------
    rows, readings, messages : int
        Acknowledged by the broker once `complete`.
    complete : bool
        False where it was stopped before the end.
    """

    rows: int = 0
    readings: int = 0
    messages: int = 0
    first_us: int | None = None
    last_us: int | None = None
    seconds: float = 0.0
    complete: bool = False
    bad: BadRows = field(default_factory=BadRows)


def play(
    path: Path,
    play_map: PlayMap,
    options: PlayOptions,
    *,
    stop: threading.Event | None = None,
    progress: Callable[[PlayReport], None] | None = None,
    clock: Clock | None = None,
) -> PlayReport:
    """Publish a CSV file, also packed as .xz or .gz, and wait until the broker has acknowledged all of it.

    Parameters
    ----------
    stop : threading.Event or None
        Ends it early; what was read by then is still sent.
    progress : function or None
        Called about once a second.
    clock : Clock or None
        City time, for the messages' `sent_at`; the machine's clock if None.

    Raises
    ------
    SettingsError
        URL, file or header do not fit.
    EngineError
        The broker was away for longer than `patience_s`.
    """
    stop = stop or threading.Event()
    report = PlayReport()
    started = time.monotonic()
    rows = read_rows(path, play_map, report.bad)
    fleet_options = FleetOptions(
        options.mqtt_url, options.window, client_prefix="citynerve-play", ca_file=options.ca_file
    )
    with TemporaryDirectory(prefix="citynerve-play-") as folder, Outbox(Path(folder) / "outbox.sqlite") as outbox:
        fleet = Fleet([play_map.gateway], outbox, clock or SystemClock(), fleet_options)
        player = _Player(fleet, outbox, play_map.gateway, clock or SystemClock(), options, report, progress)
        fleet.start()
        try:
            for chunk in _chunks(rows, play_map.rows_per_message):
                if stop.is_set() or not player.wait_for(chunk[-1].at_us, stop):
                    break
                player.put(chunk)
            else:
                report.complete = True
            player.finish()
        finally:
            fleet.stop()
    report.seconds = time.monotonic() - started
    return report


class _Player:
    """Keeps pace: with the file's time, with the broker, and with the one who watches."""

    def __init__(
        self,
        fleet: Fleet,
        outbox: Outbox,
        gateway: str,
        clock: Clock,
        options: PlayOptions,
        report: PlayReport,
        progress: Callable[[PlayReport], None] | None,
    ) -> None:
        self._fleet = fleet
        self._outbox = outbox
        self._gateway = gateway
        self._clock = clock
        self._options = options
        self._report = report
        self._progress = progress
        self._numbering = Numbering(secrets.token_hex(6))
        self._started = self._alive = self._told = time.monotonic()
        self._left = 0

    def put(self, rows: list[Row]) -> None:
        """Give one message to the gateway; return when it may have the next."""
        messages = self._numbering.messages(self._gateway, [row.observation for row in rows], self._clock.now_us())
        self._outbox.put((self._gateway, message) for message in messages)
        self._fleet.told([self._gateway])
        report = self._report
        report.messages += len(messages)
        report.rows += len(rows)
        report.readings += sum(row.readings for row in rows)
        report.first_us = rows[0].at_us if report.first_us is None else report.first_us
        report.last_us = rows[-1].at_us
        self._left += len(messages)
        self._pump(0)
        while self._left >= self._options.window * _AHEAD:
            self._pump(0.05)

    def wait_for(self, at_us: int, stop: threading.Event) -> bool:
        """Wait until the file's time has come; False if it was stopped before."""
        if self._options.speed <= 0 or self._report.first_us is None:
            return True
        due = self._started + (at_us - self._report.first_us) / SECOND_US / self._options.speed
        while (pause := due - time.monotonic()) > 0:
            if stop.is_set():
                return False
            self._pump(min(pause, 0.1))
        return True

    def finish(self) -> None:
        """Wait for the last acknowledgement."""
        while self._left:
            self._pump(0.05)
        if self._progress is not None:
            self._progress(self._report)

    def _pump(self, timeout_s: float) -> None:
        self._fleet.pump(timeout_s)
        left = self._outbox.pending(self._gateway)
        now = time.monotonic()
        if left < self._left or not left or self._fleet.connected:
            self._alive = now
        self._left = left
        if now - self._alive > self._options.patience_s:
            raise EngineError(
                f"the broker has not answered for {self._options.patience_s:.0f} s; {self._report.rows} rows were read,"
                f" {left} messages of them wait: check that it runs and lets this gateway in, then play again (what"
                " arrived counts as duplicate)"
            )
        if self._progress is not None and now - self._told >= 1:
            self._told = now
            self._progress(self._report)


def _chunks(rows: Iterator[Row], size: int) -> Iterator[list[Row]]:
    chunk: list[Row] = []
    for row in rows:
        chunk.append(row)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
