"""`citynerve down`: end the `up` of a data folder."""

import os
import signal
import time
from pathlib import Path

from app.runtime import is_running, running
from city.errors import CityNerveError

TIMEOUT_S = 90.0


def down(data: Path) -> int:
    """Ask for a clean stop, wait for it, and return the process that was running.

    Raises
    ------
    SettingsError
        Nothing runs there.
    CityNerveError
        It did not end in time.
    """
    note = running(data)
    os.kill(note.pid, signal.SIGTERM)
    deadline = time.monotonic() + TIMEOUT_S
    while is_running(data.expanduser().absolute()):
        if time.monotonic() > deadline:
            raise CityNerveError(f"process {note.pid} still runs after {TIMEOUT_S:.0f} s: look at {data / 'logs'}")
        time.sleep(0.1)
    return note.pid
