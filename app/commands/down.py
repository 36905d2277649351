"""`citynerve down`: end the `up` of a data folder."""

import os
import signal
import time
from pathlib import Path

from app.runtime import is_running, running_pid
from city.errors import CityNerveError, SettingsError

TIMEOUT_S = 90.0


def down(data: Path) -> int:
    """Ask for a clean stop, wait for it, and return the process that was running.

    Raises
    ------
    SettingsError
        Nothing runs there, or it is another user's.
    CityNerveError
        It did not end in time.
    """
    data = data.expanduser().absolute()
    pid = running_pid(data)
    try:
        os.kill(pid, signal.SIGTERM)
    except PermissionError as exc:
        raise SettingsError(f"process {pid} is another user's: stop it as the one who started it") from exc
    except ProcessLookupError:
        pass  # It has ended by itself in this moment; the lock tells when that is complete.
    deadline = time.monotonic() + TIMEOUT_S
    while is_running(data):
        if time.monotonic() > deadline:
            raise CityNerveError(f"process {pid} still runs after {TIMEOUT_S:.0f} s: look at {data / 'logs'}")
        time.sleep(0.1)
    return pid
