"""The registry as tables of bytes, for the kernels that look up without making a single object of Python."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from city.registry import IngestRegistry
from city.topics import is_name, readings_topic
from ingest.formats.native import is_metric
from ingest.formats.values import number_in
from ingest.names import fill_slots
from ingest.words import WORD_BYTES

Int32 = NDArray[np.int32]
Int64 = NDArray[np.int64]
Float64 = NDArray[np.float64]
Bytes = NDArray[np.uint8]


class Names(NamedTuple):
    """A set of names, each known by its place: open addressing over their bytes.

    Attributes
    ----------
    text : uint8[n_bytes + WORD_BYTES]
        All names, one behind the other.
    edge : int64[n + 1]
        Name i is ``text[edge[i]:edge[i + 1]]``.
    slot : int32[2^k]
        Place of a name, -1 where free; at most half are taken.
    """

    text: Bytes
    edge: Int64
    slot: Int32


class Tables(NamedTuple):
    """Everything that a message is looked up in.

    Attributes
    ----------
    topics, devices, metrics : Names
        Gateways' topics of native JSON, devices' names on the wire, names of metrics.
    gateway : int32[n_topics]
        The gateway's number in the registry.
    speaker : int32[n_devices]
        Place in `topics` of the one that may speak for a device, -1 for none.
    first : int32[n_devices + 1]
        A device's targets are those from ``first[i]`` to ``first[i + 1]``.
    metric, series, partition, rule : int32[n_targets]
        Of each target: place in `metrics`, series id, partition of readings, place in the limits.
    low, high : float64[n_rules]
        What a value must lie between, in the metric's own unit.
    scale, offset : float64[n_rules]
        That unit's value is what came * `scale` + `offset`.
    partitions : int
        Of readings: more than the highest to which anything in the registry goes, also what the slow way alone reads.
    """

    topics: Names
    devices: Names
    metrics: Names
    gateway: Int32
    speaker: Int32
    first: Int32
    metric: Int32
    series: Int32
    partition: Int32
    rule: Int32
    low: Float64
    high: Float64
    scale: Float64
    offset: Float64
    partitions: int


def tables_of(registry: IngestRegistry) -> Tables:
    """Build the tables; a second for some 200,000 devices, in a thread of its own."""
    topics: list[str] = []
    gateway: list[int] = []
    place: dict[str, int] = {}
    for name, number in registry.gateways.items():
        place[name] = len(topics)
        topics.append(readings_topic(name))
        gateway.append(number)
    metrics: dict[str, int] = {}
    rules: dict[tuple[float, float, float, float], int] = {}
    devices: list[str] = []
    speaker: list[int] = []
    first = [0]
    metric: list[int] = []
    series: list[int] = []
    partition: list[int] = []
    rule: list[int] = []
    partitions = 1
    for device, known in registry.devices.items():
        partitions = max(partitions, 1 + max((target.partition for target in known.targets.values()), default=0))
        if not is_name(device):
            continue
        devices.append(device)
        speaker.append(place.get(known.gateway_id, -1))
        for name, target in known.targets.items():
            if not is_metric(name) or any(isinstance(number_in(word), float) for word in target.values):
                continue  # A number that the profile knows as a word goes the slow way.
            metric.append(metrics.setdefault(name, len(metrics)))
            series.append(target.series_id)
            partition.append(target.partition)
            rule.append(rules.setdefault((target.low, target.high, target.scale, target.offset), len(rules)))
        first.append(len(metric))
    limits = np.array(list(rules), np.float64).reshape(-1, 4)
    return Tables(
        _names(topics),
        _names(devices),
        _names(list(metrics)),
        np.array(gateway, np.int32),
        np.array(speaker, np.int32),
        np.array(first, np.int32),
        np.array(metric, np.int32),
        np.array(series, np.int32),
        np.array(partition, np.int32),
        np.array(rule, np.int32),
        limits[:, 0].copy(),
        limits[:, 1].copy(),
        limits[:, 2].copy(),
        limits[:, 3].copy(),
        partitions,
    )


def _names(names: list[str]) -> Names:
    encoded = [name.encode() for name in names]
    text = np.frombuffer(b"".join([*encoded, bytes(WORD_BYTES)]), np.uint8).copy()
    edge = np.zeros(len(names) + 1, np.int64)
    np.cumsum([len(name) for name in encoded], out=edge[1:])
    slot = np.full(1 << max(3, (2 * len(names)).bit_length()), -1, np.int32)
    fill_slots(text, edge, slot)
    return Names(text, edge, slot)
