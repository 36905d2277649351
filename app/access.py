"""The broker of an installation, and what keeps it in line with the table of credentials."""

from prometheus_client import CollectorRegistry

from app.doors import check_broker
from app.settings import Settings
from ingest.broker import BrokerOptions, EmbeddedBroker
from ingest.credentials.engines.embedded import EmbeddedAccess
from ingest.credentials.engines.mosquitto import MosquittoAccess, MosquittoOptions
from ingest.credentials.keeper import CredentialKeeper
from ingest.credentials.metrics import AccessMetrics
from ingest.intake import Source
from ingest.metrics import IngestMetrics
from ingest.mqtt_session import MqttOptions
from ingest.source import MqttSource
from storage.pool import Pool


def open_access(
    settings: Settings, pool: Pool, registry: CollectorRegistry, metrics: IngestMetrics
) -> tuple[Source, list[CredentialKeeper]]:
    """Return ingest's source and the keepers of its broker.

    Raises
    ------
    SettingsError
        The embedded broker cannot listen as it is told to.
    """
    told = AccessMetrics(registry)
    if settings.mqtt_url is not None:
        trusted = str(settings.mqtt_ca or "")
        share, version = settings.mqtt_share or "", settings.mqtt_version
        options = MqttOptions(settings.mqtt_url, settings.mqtt_client_id, share, trusted, version)
        return MqttSource(options, metrics), _mosquitto_keepers(settings, pool, told)
    access = EmbeddedAccess(
        anonymous=check_broker(settings), house_password=settings.broker_password or "", metrics=told
    )
    broker = EmbeddedBroker(
        BrokerOptions(
            settings.broker_host,
            settings.broker_port,
            certificate=str(settings.broker_certificate or ""),
            key=str(settings.broker_key or ""),
            authority=str(settings.broker_authority or ""),
            rate=settings.broker_rate,
        ),
        metrics,
        access,
    )
    return broker, [CredentialKeeper(pool, access, told)]


def _mosquitto_keepers(settings: Settings, pool: Pool, metrics: AccessMetrics) -> list[CredentialKeeper]:
    if settings.mqtt_admin_url is None:
        return []
    access = MosquittoAccess(MosquittoOptions(settings.mqtt_admin_url, str(settings.mqtt_ca or "")))
    return [CredentialKeeper(pool, access, metrics, alone=True, public_key=access.public_key)]
