"""The door: from MQTT to the log, acknowledged after the append."""

from ingest.bridge import Bridge, BridgeOptions
from ingest.broker import BrokerOptions, EmbeddedBroker
from ingest.message import Message, Source
from ingest.metrics import IngestMetrics
from ingest.service import Ingest, IngestOptions
from ingest.source import MqttOptions, MqttSource

__all__ = [
    "Bridge",
    "BridgeOptions",
    "BrokerOptions",
    "EmbeddedBroker",
    "Ingest",
    "IngestMetrics",
    "IngestOptions",
    "Message",
    "MqttOptions",
    "MqttSource",
    "Source",
]
