"""What `ingest.broker` leans on inside amqtt: when a release changes it, this fails before anything is lost."""

import inspect
from importlib.metadata import version

from amqtt.broker import Broker
from amqtt.mqtt.protocol.broker_handler import BrokerProtocolHandler
from amqtt.mqtt.protocol.handler import ProtocolHandler
from amqtt.session import Session

from ingest.broker_clients import AmqttBroker


def test_the_release_is_one_that_was_read() -> None:
    assert version("amqtt").startswith("0.12."), "read the new release, then widen this"


def test_every_publish_goes_through_handle_publish_in_a_task_of_its_own() -> None:
    source = inspect.getsource(ProtocolHandler._reader_loop)
    assert "asyncio.create_task(self.handle_publish(packet))" in source
    assert list(inspect.signature(ProtocolHandler.handle_publish).parameters) == ["self", "publish_packet"]
    assert "await self._handle_message_flow(incoming_message)" in inspect.getsource(ProtocolHandler.handle_publish)


def test_the_acknowledgement_is_sent_by_the_flow_and_nowhere_before() -> None:
    flow = inspect.getsource(ProtocolHandler._handle_qos1_message_flow)
    assert flow.index("delivered_message_queue.put(app_message)") < flow.index("PubackPacket.build")
    assert "PubackPacket.build" not in inspect.getsource(ProtocolHandler._reader_loop)
    assert "_write_lock" in inspect.getsource(ProtocolHandler._send_packet)


def test_who_comes_is_known_before_any_session_is_touched() -> None:
    ours = inspect.getsource(AmqttBroker._initialize_client_session)
    assert ours.index("super()._authenticate") < ours.index("_session_of")
    assert list(inspect.signature(Broker._authenticate).parameters) == ["self", "session", "_"]
    assert "map_plugin_auth" in inspect.getsource(Broker._authenticate)
    assert "attributes" in Session().__dict__
    assert "_delete_session" in inspect.getsource(Broker._initialize_client_session), "what ours does in its place"


def test_topics_are_asked_for_where_messages_are_delivered_and_subscriptions_made() -> None:
    assert "Action.PUBLISH" in inspect.getsource(Broker._handle_message_delivery)
    assert "Action.SUBSCRIBE" in inspect.getsource(Broker.add_subscription)
    assert "Action.RECEIVE" in inspect.getsource(Broker._run_broadcast)
    # What is retained is sent to whoever connects, for everybody's subscriptions; ours looks whose they are.
    assert "for topic in self._subscriptions" in inspect.getsource(Broker._handle_client_session)
    names = list(inspect.signature(Broker._publish_retained_messages_for_subscription).parameters)
    assert names == ["self", "subscription", "session"]


def test_each_connection_gets_its_handler_where_ours_is_put_in() -> None:
    session = inspect.getsource(Broker._initialize_client_session)
    assert "BrokerProtocolHandler.init_from_connect(reader, writer, self.plugins_manager)" in session
    assert "return handler, client_session" in session
    serve = inspect.getsource(Broker._handle_client_session)
    assert "handler.attach(client_session, reader, writer)" in serve
    assert serve.index("handler.attach") < serve.index("await handler.start()")
    assert list(inspect.signature(BrokerProtocolHandler.__init__).parameters)[:2] == ["self", "plugins_manager"]


def test_a_keep_alive_of_0_means_no_timer_that_cuts_packets_in_two() -> None:
    loop = inspect.getsource(ProtocolHandler._reader_loop)
    assert "keepalive_timeout: int | None = self.session.keep_alive" in loop
    assert "keepalive_timeout <= 0" in loop
    assert "keep_alive" in Session().__dict__


def test_wills_are_sent_where_a_connection_ends() -> None:
    end = inspect.getsource(Broker._handle_disconnect)
    assert "client_session.will_flag" in end
    assert "disconnect_waiter.result()" in end
    assert list(inspect.signature(Broker._handle_disconnect).parameters) == [
        "self",
        "client_session",
        "handler",
        "disconnect_waiter",
    ]


def test_closing_goes_through_handle_connection_closed() -> None:
    assert "await self.handle_disconnect(None)" in inspect.getsource(BrokerProtocolHandler.handle_connection_closed)
    assert list(inspect.signature(Broker._client_connected).parameters) == ["self", "listener_name", "reader", "writer"]
    assert list(inspect.signature(Broker._client_message_loop).parameters) == ["self", "client_session", "handler"]
