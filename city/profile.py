"""The city pack: a city as files, read into values, with every mistake told by file and line."""

import hashlib
from collections.abc import Mapping

from city import packfile
from city.errors import Mistake, PackError
from city.pack import CityPack, DistrictArea, ServiceCategory
from city.packfile import Notes
from city.packread import PackReading

__all__ = [
    "CODEC_SUFFIX",
    "FILES",
    "OPTIONAL",
    "CityPack",
    "DistrictArea",
    "Mistake",
    "PackError",
    "ServiceCategory",
    "parse_pack",
]

FILES = (
    "city.toml",
    "districts.geojson",
    "gateways.csv",
    "cabinets.csv",
    "feeders.csv",
    "lamps.csv",
    "facilities.csv",
    "devices.csv",
    "profiles.toml",
    "metrics.csv",
    "schedules.toml",
    "faults.toml",
    "categories.toml",
)
"""The files of a pack; every one must be there."""

OPTIONAL = ("opening.toml", "integrations.toml")
"""Files that a pack may have."""

CODEC_SUFFIX = ".js"
"""Beside them stand the decoders that device profiles name."""


def parse_pack(files: Mapping[str, str]) -> CityPack:
    """Read a pack from its files' texts.

    Parameters
    ----------
    files : mapping
        File name → text.

    Raises
    ------
    PackError
        With every mistake that could be found, not only the first.
    """
    notes = Notes()
    texts: dict[str, str] = {}
    for name in (*FILES, *OPTIONAL):
        if name not in files and name in OPTIONAL:
            continue
        if name not in files:
            notes.add(name, 0, "the file is missing: every pack has one, if only with its header")
        elif (text := packfile.clean_text(notes, name, files[name])) is not None:
            texts[name] = text
    codecs = {name: text for name, text in files.items() if name.endswith(CODEC_SUFFIX)}
    for name in files:
        if name not in FILES and name not in OPTIONAL and name not in codecs:
            known = ", ".join((*FILES, *OPTIONAL))
            notes.add(name, 0, f"no such file belongs to a pack: remove it, or name it one of {known}")
    pack = PackReading(texts, notes, codecs).pack(_version(files))
    if notes.mistakes:
        raise PackError(notes.mistakes)
    return pack


def _version(files: Mapping[str, str]) -> str:
    digest = hashlib.sha256()
    for name in sorted(files):
        body = files[name].removeprefix("\ufeff").encode("utf-8", "surrogatepass")
        digest.update(f"{name}\0{len(body)}\0".encode("utf-8", "surrogatepass") + body)
    return digest.hexdigest()
