"""Sparkplug B as Google's own library writes it: the independent encoder of the tests.

The messages are described here by the field numbers and types of the specification (3.0, chapter 6).
"""

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_TYPES = {
    "uint32": 13,
    "uint64": 4,
    "float": 2,
    "double": 1,
    "bool": 8,
    "string": 9,
    "bytes": 12,
}
_VALUES = (
    "int_value:uint32 long_value:uint64 float_value:float double_value:double boolean_value:bool string_value:string"
)

# Message → its fields as number name:type, repeated where the type ends in *.
_MESSAGES: dict[str, list[tuple[int, str, str]]] = {
    "Parameter": [(1, "name", "string"), (2, "type", "uint32")],
    "Template": [
        (1, "version", "string"),
        (2, "metrics", "Metric*"),
        (3, "parameters", "Parameter*"),
        (4, "template_ref", "string"),
        (5, "is_definition", "bool"),
    ],
    "DataSetValue": [(n, *part.split(":")) for n, part in enumerate(_VALUES.split(), 1)],
    "Row": [(1, "elements", "DataSetValue*")],
    "DataSet": [
        (1, "num_of_columns", "uint64"),
        (2, "columns", "string*"),
        (3, "types", "uint32*"),
        (4, "rows", "Row*"),
    ],
    "PropertyValue": [
        (1, "type", "uint32"),
        (2, "is_null", "bool"),
        *((n, *part.split(":")) for n, part in enumerate(_VALUES.split(), 3)),
    ],
    "PropertySet": [(1, "keys", "string*"), (2, "values", "PropertyValue*")],
    "MetaData": [(1, "is_multi_part", "bool"), (2, "content_type", "string"), (8, "description", "string")],
    "Metric": [
        (1, "name", "string"),
        (2, "alias", "uint64"),
        (3, "timestamp", "uint64"),
        (4, "datatype", "uint32"),
        (5, "is_historical", "bool"),
        (6, "is_transient", "bool"),
        (7, "is_null", "bool"),
        (8, "metadata", "MetaData"),
        (9, "properties", "PropertySet"),
        *((n, *part.split(":")) for n, part in enumerate(_VALUES.split(), 10)),
        (16, "bytes_value", "bytes"),
        (17, "dataset_value", "DataSet"),
        (18, "template_value", "Template"),
    ],
    "Payload": [
        (1, "timestamp", "uint64"),
        (2, "metrics", "Metric*"),
        (3, "seq", "uint64"),
        (4, "uuid", "string"),
        (5, "body", "bytes"),
    ],
}


def _payload_class() -> Any:
    file = descriptor_pb2.FileDescriptorProto(name="sparkplug_test.proto", package="sparkplug_test", syntax="proto2")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for number, field, kind in fields:
            plain = kind.rstrip("*")
            told = message.field.add(name=field, number=number, label=3 if kind.endswith("*") else 1)
            if plain in _TYPES:
                told.type = _TYPES[plain]
            else:
                told.type, told.type_name = 11, f".sparkplug_test.{plain}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("sparkplug_test.Payload"))


Payload = _payload_class()
AT_MS = 1_795_456_800_000


def payload(*metrics: dict[str, Any], seq: int | None = 0, timestamp: int | None = AT_MS, **more: Any) -> bytes:
    """Return a payload; a metric is its fields, ``unit`` and ``quality`` short for its properties."""
    message = Payload(timestamp=timestamp, seq=seq, **more)
    for fields in metrics:
        fields = dict(fields)
        unit, quality = fields.pop("unit", None), fields.pop("quality", None)
        metric = message.metrics.add(**fields)
        if unit is not None:
            metric.properties.keys.append("engUnit")
            metric.properties.values.add(type=12, string_value=unit)
        if quality is not None:
            metric.properties.keys.append("Quality")
            metric.properties.values.add(type=3, int_value=quality)
    return bytes(message.SerializeToString())


def bd_seq(number: int) -> dict[str, Any]:
    return {"name": "bdSeq", "datatype": 4, "long_value": number}


REBIRTH = {"name": "Node Control/Rebirth", "datatype": 11, "boolean_value": False}
