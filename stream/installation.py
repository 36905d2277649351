"""The one row that names the installation, and the city clock that all its processes share."""

from pathlib import Path

from city.clock import Clock, ScaledClock, SystemClock
from city.errors import SettingsError
from storage import queries
from storage.pool import Connection, engine_errors

_SPEED_MAX = 100_000

_SQL = queries.load(Path(__file__).with_suffix(".sql"))


async def ensure_installation(
    connection: Connection,
    *,
    city: str,
    timezone: str,
    simulated: bool,
    speed: float = 1.0,
    city_us: int | None = None,
    real_us: int | None = None,
) -> bool:
    """Create the installation's row if there is none; return whether this call did.

    Parameters
    ----------
    speed : float
        City seconds in a second of the machine's clock.
    city_us, real_us : int or None
        Anchor of a scaled clock, µs UTC: at `real_us` of the machine's clock the city's clock shows `city_us`. Both
        None: the machine's clock, which only runs at speed 1.

    Raises
    ------
    SettingsError
        Half an anchor, a speed without an anchor, a speed that is not above 0, or a scaled clock for a real city.
    """
    if (city_us is None) != (real_us is None):
        raise SettingsError("a scaled clock needs both sides of its anchor: give city and machine time, or neither")
    _check_speed(speed)
    if speed != 1 and city_us is None:
        raise SettingsError(f"a clock at speed {speed:g} needs an anchor: say at which city time it starts")
    if city_us is not None and not simulated:
        raise SettingsError("only a simulated city may have a clock of its own: remove the clock's speed and start")
    parameters = {
        "city": city,
        "timezone": timezone,
        "simulated": simulated,
        "speed": speed,
        "city_us": city_us,
        "real_us": real_us,
    }
    with engine_errors():
        return (await connection.execute(_SQL.ensure, parameters)).rowcount == 1


async def load_clock(connection: Connection) -> Clock:
    """Return the city clock of the installation.

    Raises
    ------
    SettingsError
        There is no installation yet.
    """
    with engine_errors():
        row = await (await connection.execute(_SQL.clock)).fetchone()
    if row is None:
        raise SettingsError("no city was set up in this database yet: start with `citynerve up`")
    return SystemClock() if row[0] is None else ScaledClock(*row)


async def resume_clock(
    connection: Connection, *, last_city_us: int | None, real_us: int, speed: float | None = None
) -> Clock:
    """Let a scaled clock go on from the last known city time instead of jumping over the time it stood still.

    Call it once, before the other processes of the installation start. The machine's clock is left alone.

    Parameters
    ----------
    last_city_us : int or None
        Latest city time that the log or the database tells of, µs UTC; None: nothing has happened yet, the clock
        starts at its anchor.
    real_us : int
        The machine's clock now, µs UTC.
    speed : float or None
        A new speed from here on.

    Raises
    ------
    SettingsError
        There is no installation yet, or the speed makes no sense.
    """
    if speed is not None:
        _check_speed(speed)
    clock = await load_clock(connection)
    if not isinstance(clock, ScaledClock):
        return clock
    city_us = clock.city_origin_us if last_city_us is None else max(last_city_us, clock.city_origin_us)
    with engine_errors():
        cursor = await connection.execute(_SQL.resume, {"city_us": city_us, "real_us": real_us, "speed": speed})
        row = await cursor.fetchone()
    assert row is not None
    return ScaledClock(*row)


def _check_speed(speed: float) -> None:
    if not 0 < speed <= _SPEED_MAX:
        raise SettingsError(f"the clock's speed {speed:g} must be above 0 and at most {_SPEED_MAX}")
