from portals_api.live.hub import Hub, Listener


def told(listener: Listener) -> list[str]:
    """Return the events that wait, in order."""
    found = []
    while not listener.frames.empty():
        frame = listener.frames.get_nowait()
        found.append("end" if frame is None else frame.decode().split("event: ")[1].split("\n")[0])
    return found


def test_who_was_away_gets_what_it_missed_and_no_more() -> None:
    hub = Hub()
    hub.publish("one", {})
    seen = hub.last_id
    hub.publish("two", {})
    hub.publish("three", {})
    assert told(hub.join(seen)) == ["two", "three"]
    assert told(hub.join(hub.last_id)) == []
    assert told(hub.join(None)) == []


def test_who_was_away_too_long_or_comes_from_elsewhere_loads_everything_anew() -> None:
    hub = Hub(kept=2)
    hub.publish("one", {})
    seen = hub.last_id
    for _ in range(3):
        hub.publish("more", {})
    newer = f"{hub.last_id.split('-')[0]}-99"
    for after in (seen, "other-3", newer, "", "x", f"{seen.split('-')[0]}-²"):
        assert told(hub.join(after)) == ["reload"], after


def test_a_slow_listener_is_told_to_reload_and_holds_nobody_up() -> None:
    hub = Hub(queue=3)
    slow, quick = hub.join(None), hub.join(None)
    for number in range(4):
        hub.publish(f"e{number}", {})
        assert told(quick) == [f"e{number}"]
    assert told(slow) == ["reload"]
    hub.publish("after", {})
    assert told(slow) == ["after"]


def test_a_frame_carries_its_number_and_one_line_of_data() -> None:
    hub = Hub()
    listener = hub.join(None)
    hub.publish("change", {"told": "Calle Año\nNuevo"})
    frame = listener.frames.get_nowait()
    assert frame is not None
    assert frame.decode() == f'id: {hub.last_id}\nevent: change\ndata: {{"told":"Calle Año\\nNuevo"}}\n\n'


def test_closing_sends_every_listener_away() -> None:
    hub = Hub()
    listener = hub.join(None)
    hub.publish("one", {})
    listener.end()
    assert told(listener) == ["end"]
