"""What `ingest.frame_client` leans on inside paho-mqtt, looked at before it is used."""

import inspect

from paho.mqtt import client as mqtt


def broken() -> str:
    """Return what this release of paho-mqtt does otherwise than we know it; empty if nothing."""
    try:
        read = inspect.getsource(mqtt.Client._packet_read)
        queue = inspect.signature(mqtt.Client._packet_queue).parameters
        checks = {
            "packets are read by _sock_recv alone": read.count("self._sock_recv(") == 3
            and "self._sock.recv" not in read,
            "a read that would block is tried again": "except BlockingIOError:\n                return MQTTErrorCode"
            in read,
            "loop_read ends where a read would block": "rc == MQTTErrorCode.MQTT_ERR_AGAIN"
            in inspect.getsource(mqtt.Client.loop_read),
            "_packet_queue writes at once": "return self.loop_write()" in inspect.getsource(mqtt.Client._packet_queue),
            "_packet_queue takes a command and a packet": list(queue)[:5]
            == ["self", "command", "packet", "mid", "qos"],
            "_ssl_wrap_socket makes a socket one of TLS": "self._ssl_wrap_socket(sock)"
            in inspect.getsource(mqtt.Client._create_socket),
            "_sock_close closes": "sock.close()" in inspect.getsource(mqtt.Client._sock_close),
        }
    except (AttributeError, OSError, TypeError) as exc:
        return f"it cannot be looked at: {exc}"
    return "; ".join(f"no longer so: {known}" for known, holds in checks.items() if not holds)
