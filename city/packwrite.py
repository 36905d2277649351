"""Writes profiles as `city.packlists.read_profiles` takes them: what comes out goes in again unchanged."""

import json
from collections.abc import Iterable, Mapping
from typing import Any


def write_profiles(bodies: Iterable[Mapping[str, Any]]) -> str:
    """Return profiles as TOML, their decoders in the table ``codecs``.

    Parameters
    ----------
    bodies : iterable of mapping
        Profiles as plain JSON, each with its codec's text.
    """
    parts, codecs = [], []
    for body in bodies:
        identity = str(body["profile_id"])
        lines = [
            f"[{_text(identity)}]",
            f"metrics = {_list(body['metrics'])}",
            f"report_interval_s = {int(body['report_interval_s'])}",
            f"silence_intervals = {float(body['silence_intervals'])!r}",
        ]
        if body["ignore"]:
            lines.append(f"ignore = {_list(body['ignore'])}")
        if body["codec"]:
            lines.append(f"codec = {_text(identity + '.js')}")
            codecs.append(f"{_text(identity + '.js')} = {_text(body['codec'])}")
        if body["names"]:
            lines += ["", f"[{_text(identity)}.names]", *(_name(name) for name in body["names"])]
        parts.append("\n".join(lines) + "\n")
    if codecs:
        parts.append("\n".join(["[codecs]", *codecs]) + "\n")
    return "\n".join(parts)


def _name(name: Mapping[str, Any]) -> str:
    told = [f"metric = {_text(name['metric'])}"]
    if name["unit"]:
        told.append(f"unit = {_text(name['unit'])}")
    if name["values"]:
        words = ", ".join(f"{_text(word)} = {float(number)!r}" for word, number in name["values"])
        told.append(f"values = {{ {words} }}")
    return f"{_text(name['name'])} = {{ {', '.join(told)} }}"


def _list(values: Iterable[str]) -> str:
    return f"[{', '.join(_text(value) for value in values)}]"


def _text(value: str) -> str:
    # JSON's strings are TOML's, but for one control character that JSON leaves as it is.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
