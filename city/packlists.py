"""Lists that operators bring beside the city pack, in its own form: devices and gateways as CSV, profiles as TOML.

What they refer to is checked where they are taken: the registry knows more than the pack does.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, TypeVar

from city import packfile
from city.asset import Device, DeviceProfile, Gateway
from city.errors import Mistake, PackError
from city.metric import Metric
from city.packfile import Cells, Notes, shown
from city.packread import PackReading

DEVICE_COLUMNS = ("device_id", "asset_id", "gateway_id", "profile_id", "address")
GATEWAY_COLUMNS = ("gateway_id", "name", "lat", "lon", "district_id", "operator")
ROWS_MAX = 100_000
"""Of one list: more belongs into the city pack."""
ADDRESS_CHARACTERS_MAX = 128

T = TypeVar("T")


class ListedDevice(NamedTuple):
    """A device, and the line on which it stands; 0 where there is no list."""

    line: int
    device: Device


class ListedGateway(NamedTuple):
    """A gateway, and the line on which it stands; 0 where there is no list."""

    line: int
    gateway: Gateway
    keeps_operator: bool = False
    """The list says nothing of network operators: who is known stays."""


def read_devices(text: str) -> list[ListedDevice]:
    """Read a list of devices with the columns of the pack's ``devices.csv``; `address` may be left out.

    Raises
    ------
    PackError
        With every mistake of the list itself.
    """
    return _read("devices.csv", text, DEVICE_COLUMNS[:-1], ("address",), _device)


def read_gateways(text: str) -> list[ListedGateway]:
    """Read a list of gateways with the columns of the pack's ``gateways.csv``; `operator` may be left out.

    Raises
    ------
    PackError
        With every mistake of the list itself.
    """
    return _read("gateways.csv", text, GATEWAY_COLUMNS[:-1], ("operator",), _gateway)


def read_profiles(text: str, metrics: Sequence[Metric]) -> tuple[list[DeviceProfile], dict[str, str]]:
    """Read profiles in the form of the pack's ``profiles.toml``, and the decoders that stand in its table ``codecs``.

    Parameters
    ----------
    metrics : sequence of Metric
        Those that the city knows.

    Raises
    ------
    PackError
        With every mistake.
    """
    notes = Notes()
    body = packfile.clean_text(notes, "profiles.toml", text)
    read = None if body is None else packfile.toml(notes, "profiles.toml", body)
    codecs = {} if read is None else read.get("codecs", {})
    if not isinstance(codecs, dict) or not all(isinstance(source, str) for source in codecs.values()):
        notes.add("profiles.toml", 0, "codecs must be a table of texts: [codecs] and \"acme.js\" = '''…''' below")
        codecs = {}
    found: list[DeviceProfile] = []
    if body is not None and read is not None:
        reading = PackReading({"profiles.toml": body}, notes, codecs)
        found = reading.profiles(metrics, without=frozenset({"codecs"}))
    if notes.mistakes:
        raise PackError(notes.mistakes, "the list")
    return found, codecs


def device_problems(device: Device) -> Iterable[str]:
    """Yield what is wrong with the ids and the address of one device."""
    notes = Notes()
    values = dict(
        zip(DEVICE_COLUMNS, (device.device_id, device.asset_id, device.gateway_id, device.profile_id), strict=False)
    )
    _device(Cells(notes, "", 0, {**values, "address": device.address}, {}))
    return [mistake.text for mistake in notes.mistakes]


def _read(file: str, text: str, columns: Sequence[str], optional: Sequence[str], read: Callable[[Cells], T]) -> list[T]:
    notes = Notes()
    body = packfile.clean_text(notes, file, text)
    rows, _ = packfile.rows(notes, file, body, columns, optional)
    if len(rows) > ROWS_MAX:
        raise PackError(
            [Mistake(file, 0, f"{len(rows)} rows: import at most {ROWS_MAX} at once, or use the city pack")]
        )
    seen: dict[str, int] = {}
    found = []
    for cells in rows:
        identity = str(cells.values[columns[0]])
        first = seen.setdefault(identity, cells.line)
        if first != cells.line:
            cells.wrong(columns[0], f"{shown(identity)} stands in line {first} already: keep one")
        found.append(read(cells))
    if notes.mistakes:
        raise PackError(notes.mistakes, "the list")
    return found


def _device(cells: Cells) -> ListedDevice:
    address = cells.text("address") if cells.values.get("address") else ""
    if len(address) > ADDRESS_CHARACTERS_MAX:
        cells.wrong("address", f"address has {len(address)} characters: {ADDRESS_CHARACTERS_MAX} at most")
    identity, asset, gateway, profile = (cells.name(column) for column in DEVICE_COLUMNS[:-1])
    return ListedDevice(cells.line, Device(identity, asset, gateway, profile, address))


def _gateway(cells: Cells) -> ListedGateway:
    lat, lon = cells.number("lat", -90, 90), cells.number("lon", -180, 180)
    district = cells.name("district_id")
    operator = cells.name("operator") if cells.values.get("operator") else ""
    gateway = Gateway(cells.name("gateway_id"), cells.text("name"), lat, lon, district, operator)
    return ListedGateway(cells.line, gateway, keeps_operator="operator" not in cells.values)
