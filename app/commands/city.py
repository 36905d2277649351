"""`citynerve city check`: every mistake of a city pack, those of its codecs included."""

from dataclasses import replace
from pathlib import Path

from city.errors import Mistake, PackError
from city.profile import CODEC_SUFFIX
from ingest.codecs import CodecError, Codecs
from stream.packs import PackReport, check_pack, read_files


def check(place: Path) -> PackReport:
    """Report on a folder, and compile each of its codecs."""
    report = check_pack(place)
    try:
        files = read_files(place)
    except PackError:
        return report
    codecs = Codecs()
    mistakes = []
    for name, text in sorted(files.items()):
        if name.endswith(CODEC_SUFFIX):
            try:
                codecs.check(text)
            except CodecError as exc:
                mistakes.append(Mistake(name, exc.line, f"{exc.detail}: take the vendor's decoder as it is published"))
    codecs.close()
    if not mistakes:
        return report
    return replace(report, mistakes=tuple(sorted({*report.mistakes, *mistakes})), counts={}, version="")
