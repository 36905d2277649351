"""SenML in CBOR: RFC 8428, section 6. Integers stand for the labels; the records are those of `senml`."""

import base64
import io

import cbor2

from city.integration import Origin
from ingest.formats import senml
from ingest.formats.parsed import ParsedMessage, Unreadable
from ingest.formats.values import check_size

LABELS: dict[int, str] = {
    -6: "bs",
    -5: "bv",
    -4: "bu",
    -3: "bt",
    -2: "bn",
    -1: "bver",
    0: "n",
    1: "u",
    2: "v",
    3: "vs",
    4: "vb",
    5: "s",
    6: "t",
    7: "ut",
    8: "vd",
}

DEPTH_MAX = 6
"""Pack, record, value, a decimal fraction in it; the rest is for fields that are not ours and are left out."""

_DECIMAL_FRACTION = 4
_SELF_DESCRIBED = b"\xd9\xd9\xf7"
"""Tag 55799, with which any CBOR may begin to say that it is some (RFC 8949, section 3.4.6)."""
_SELF_DESCRIBED_TAG = 55799
_EXPONENT_MAX = 400
# What cbor2 reads by itself: objects of Python that no SenML field is, some dear to make (dates, patterns, fractions).
_BUILT_IN = (
    0,
    1,
    2,
    3,
    5,
    25,
    28,
    29,
    30,
    35,
    36,
    37,
    52,
    54,
    100,
    256,
    258,
    260,
    261,
    1004,
    43000,
    _SELF_DESCRIBED_TAG,
)


def parse(origin: Origin, payload: bytes) -> ParsedMessage:
    """Read one pack of CBOR.

    Raises
    ------
    Unreadable
    """
    pack = _read(payload)
    if isinstance(pack, list):
        pack = [_with_labels(record) for record in pack]
    return senml.read_pack(origin, pack)


def explain(payload: bytes, characters_max: int = 20_000) -> str | None:
    """Return a pack as people read it: a record a line, labels as in JSON; None if it cannot be read."""
    try:
        pack = _read(payload)
        records = [_with_labels(record) for record in pack] if isinstance(pack, list) else [pack]
    except Unreadable:
        return None
    text = "\n".join(repr(record) for record in records)
    return text if len(text) <= characters_max else text[:characters_max] + "…"


def _with_labels(record: object) -> object:
    """Return a record under JSON's labels, bytes as base64 text as JSON has them."""
    if not isinstance(record, dict):
        return record
    named: dict[str, object] = {}
    for key, value in record.items():
        label = LABELS.get(key) if isinstance(key, int) and not isinstance(key, bool) else key
        if not isinstance(label, str):
            raise Unreadable("unexpected-key", f"a label is text or an integer from -6 to 8, not {ascii(key)[:40]}")
        if label in named:
            raise Unreadable(
                "duplicate-key", "a label stands twice in one record: nobody can tell which value is meant"
            )
        if isinstance(value, bytes) and label == "vd":
            value = base64.urlsafe_b64encode(value).rstrip(b"=").decode()
        named[label] = value
    return named


def _read(payload: bytes) -> object:
    check_size(payload)
    stream = io.BytesIO(payload)
    if is_self_described(payload):
        stream.seek(len(_SELF_DESCRIBED))
    try:
        decoder = cbor2.CBORDecoder(
            stream,
            tag_hook=_refuse_tag,
            semantic_decoders=_DECODERS,
            max_depth=DEPTH_MAX,
            allow_duplicate_keys=False,
        )
        pack: object = decoder.decode()
    except (cbor2.CBORError, ValueError, TypeError, OverflowError) as exc:
        raise Unreadable("not-cbor", f"not CBOR as SenML uses it: {ascii(str(exc))[1:201]}") from exc
    if stream.tell() != len(payload):
        raise Unreadable("not-cbor", "more bytes follow behind the pack: send one pack a message")
    return pack


def is_self_described(payload: bytes) -> bool:
    """Tell whether CBOR begins with the tag that says so."""
    return payload.startswith(_SELF_DESCRIBED)


def _decimal_fraction(value: object, _immutable: bool) -> float:
    """Return mantissa times ten to the exponent, correctly rounded."""
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise ValueError("a decimal fraction is [exponent, mantissa]")
    exponent, mantissa = value
    if type(exponent) is not int or type(mantissa) is not int or abs(exponent) > _EXPONENT_MAX:
        raise ValueError("a decimal fraction has two integers, and no sensor's number has such an exponent")
    return float(f"{mantissa}e{exponent}")


def _refuse(_value: object, _immutable: bool) -> object:
    raise ValueError("a tag that SenML does not have")


def _refuse_tag(_tag: object, _immutable: bool) -> object:
    raise ValueError("a tag that SenML does not have")


_DECODERS = dict.fromkeys(_BUILT_IN, _refuse) | {_DECIMAL_FRACTION: _decimal_fraction}
