import gzip
import json

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from portals_api.live.inventory import Packed, _columns, lamps_document


def unpack(document: dict) -> list[tuple[str, float, float, str, str]]:  # type: ignore[type-arg]
    """Read the columns as the map's script does."""
    ids: list[str] = []
    for run in document["ids"]:
        if isinstance(run, str):
            ids.append(run)
        else:
            prefix, first, width, count = run
            ids += [f"{prefix}{n:0{width}}" for n in range(first, first + count)]
    lat, lon = (np.cumsum(document[name]) / document["scale"] for name in ("lat", "lon"))
    street, district = (
        [document[f"{name}s"][code] for code, count in document[name] for _ in range(count)]
        for name in ("street", "district")
    )
    return list(zip(ids, lat.tolist(), lon.tolist(), street, district, strict=True))


row = st.tuples(
    st.from_regex(r"[A-Z]{1,2}-?\d{0,6}", fullmatch=True),
    st.floats(-89, 89),
    st.floats(-179, 179),
    st.sampled_from(["", "Calle Uno", "Calle Dos"]),
    st.sampled_from(["", "centre"]),
)


@given(st.lists(row, unique_by=lambda r: r[0]))
def test_the_packed_columns_say_what_the_inventory_says(rows: list[tuple[str, float, float, str, str]]) -> None:
    full = sorted((*r, "F", "C", "G", 36.0) for r in rows)
    found = unpack(json.loads(json.dumps(lamps_document(_columns(full, [])))))
    assert [(i, s, d) for i, _, _, s, d in found] == [(r[0], r[3], r[4]) for r in full]
    for (_, lat, lon, _, _), r in zip(found, full, strict=True):
        assert abs(lat - r[1]) < 1e-5
        assert abs(lon - r[2]) < 1e-5


def test_a_lamp_without_a_position_is_named_as_such() -> None:
    rows = [
        ("L-1", None, None, "", "", "F", "C", "G", None),
        ("L-2", 43.5, -5.6, "", "", "F", "C", "G", 36.0),
        ("L-3", None, -5.6, "", "", "F", "C", "G", 36.0),
    ]
    document = lamps_document(_columns(rows, []))
    assert document["nowhere"] == [0, 2]
    assert [round(v, 3) for v in np.cumsum(document["lat"]) / 1e5] == [0.0, 43.5, 43.5]


def test_a_document_and_its_packed_form_are_the_same_and_its_tag_follows_its_content() -> None:
    one, same, other = Packed.of({"a": 1}), Packed.of({"a": 1}), Packed.of({"a": 2})
    assert gzip.decompress(one.packed) == one.body
    assert one.tag == same.tag != other.tag
    assert one.packed == same.packed
