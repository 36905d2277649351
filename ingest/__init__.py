"""The door: from MQTT to the log, acknowledged after the append.

`ingest.source` and `ingest.broker` are imported by whoever wires them: each brings its driver.
"""

from ingest.bridge import Bridge, BridgeOptions
from ingest.intake import Intake, Source
from ingest.message import Message
from ingest.metrics import IngestMetrics
from ingest.service import Ingest, IngestOptions

__all__ = ["Bridge", "BridgeOptions", "Ingest", "IngestMetrics", "IngestOptions", "Intake", "Message", "Source"]
