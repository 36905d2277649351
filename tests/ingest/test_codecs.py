"""Vendors' codecs: their kinds, what they may not do, and that nothing passes from one message to the next."""

import base64
import json
import signal
import threading
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from city.clock import SECOND_US
from city.integration import Integration, Routes
from city.registry import IngestRegistry, KnownDevice, SeriesTarget, WireProfile
from ingest.codec_accounts import CodecAccounts, CodecOptions
from ingest.codecs import CodecError, Codecs
from ingest.formats import RawObject
from ingest.meta import FlushOptions
from ingest.metrics import IngestMetrics
from ingest.records import Flush
from ingest.replay import resolve_letter
from stream import codec
from stream.codec import DeadLetter, RecordMeta
from tests.ingest.formats.documents import blocks

AT = 1_795_456_800 * SECOND_US
SIMPLE = "function decodeUplink(input) { return { data: { power: (input.bytes[0] << 8 | input.bytes[1]) / 10 } }; }"
SPIN = "function Decoder(bytes) { if (bytes[0] === 9) while (true); return { power: bytes[0] }; }"

MILESIGHT_STYLE = """
// Channel and type by two bytes each, little endian, in the style of many makers; loop variables are not declared.
function decodeUplink(input) {
  var decoded = milesightDeviceDecode(input.bytes);
  return { data: decoded };
}
function milesightDeviceDecode(bytes) {
  var decoded = {};
  for (i = 0; i < bytes.length;) {
    var channel_id = bytes[i++];
    var channel_type = bytes[i++];
    if (channel_id === 0x01 && channel_type === 0x75) { decoded.battery = bytes[i]; i += 1; }
    else if (channel_id === 0x03 && channel_type === 0x67) {
      decoded.temperature = readInt16LE(bytes.slice(i, i + 2)) / 10; i += 2; }
    else if (channel_id === 0x06 && channel_type === 0x00) {
      decoded.door = bytes[i] === 1 ? "open" : "closed"; i += 1; }
    else break;
  }
  return decoded;
}
function readInt16LE(bytes) {
  var ref = (bytes[1] << 8) + bytes[0] & 0xffff;
  return ref > 0x7fff ? ref - 0x10000 : ref;
}
"""


@pytest.fixture
def codecs() -> Any:
    made = Codecs()
    yield made
    made.close()


def decode(codecs: Codecs, source: str, data: bytes = b"\x01\x69", port: int = 2) -> Any:
    return codecs.decode(source, RawObject(0, "d", AT, port, data), AT)


def why(codecs: Codecs, source: str, data: bytes = b"\x01\x69") -> tuple[str, str]:
    with pytest.raises(CodecError) as caught:
        decode(codecs, source, data)
    return caught.value.reason, caught.value.detail


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("function decodeUplink(i) { return { data: { n: i.bytes.length, p: i.fPort } }; }", {"n": 2, "p": 2}),
        ("function Decode(fPort, bytes, variables) { return { n: bytes.length, p: fPort, v: typeof variables }; }",
         {"n": 2, "p": 2, "v": "object"}),
        ("function Decoder(bytes, port) { return { n: bytes.length, p: port }; }", {"n": 2, "p": 2}),
        ("const decodeUplink = ({ bytes: [a, b] }) => ({ data: { a, b }, warnings: ['old firmware'] });",
         {"a": 1, "b": 105}),
        ("'use strict'; function decodeUplink(i) { return { data: { w: typeof module, c: parseInt('7') } }; }",
         {"w": "undefined", "c": 7}),
        ("function Decoder() { return { none: undefined, nan: 0 / 0, far: 1 / 0, big: 10n, deep: { x: [1] } }; }",
         {"nan": "NaN", "far": "Infinity", "big": 10, "deep": {"x": [1]}}),
        ("function Decoder() { return { a: 2n ** 53n, b: -(10n ** 309n), c: new Number(NaN), d: new Map([[1, 2]]) }; }",
         {"a": 2**53, "b": "-1" + 309 * "0", "c": "NaN", "d": "[object Map]"}),
    ],
)  # fmt: skip
def test_every_kind_of_codec_is_called_as_its_network_server_would(
    codecs: Codecs, source: str, expected: dict[str, Any]
) -> None:
    assert decode(codecs, source) == expected


def test_a_codec_in_the_makers_style_runs_as_it_is_published(codecs: Codecs) -> None:
    data = bytes([0x01, 0x75, 100, 0x03, 0x67, 0xF6, 0xFF, 0x06, 0x00, 1])
    assert decode(codecs, MILESIGHT_STYLE, data) == {"battery": 100, "temperature": -1, "door": "open"}
    assert decode(codecs, MILESIGHT_STYLE, data[:3]) == {"battery": 100}


def test_a_codecs_clock_stands_at_the_message_and_nothing_is_random(codecs: Codecs) -> None:
    source = """function decodeUplink(input) {
      const local = new Date(2026, 10, 23, 18, 0, 0);
      return { data: { at: input.recvTime.toISOString(), now: Date.now(), fresh: new Date().getTime(), text: Date(),
                       local: local.toISOString(), date: input.recvTime instanceof Date } };
    }"""
    told = decode(codecs, source)
    assert told["at"] == "2026-11-23T18:00:00.000Z"
    assert told["local"] == "2026-11-23T18:00:00.000Z", "whatever the machine's zone"
    assert told["now"] == told["fresh"] == AT // 1000
    assert told["text"].startswith("Mon Nov 23 2026 18:00:00")
    assert told["date"] is True
    assert why(codecs, "function Decoder() { return { a: Math.random() }; }")[0] == "codec-failed"


def test_nothing_passes_from_one_message_to_the_next(codecs: Codecs) -> None:
    source = """
    var calls = 0;
    let kept = {};
    function Decoder(bytes) {
      calls++; kept.n = (kept.n || 0) + 1;
      leaked = typeof leaked === "undefined" ? 1 : leaked + 1;
      this.mine = (this.mine || 0) + 1;
      globalThis.theirs = (globalThis.theirs || 0) + 1;
      Array.prototype.extra = ([].extra || 0) + 1;
      Object.prototype.more = ({}.more || 0) + 1;
      Decoder.n = (Decoder.n || 0) + 1;
      try { Date.now.n = (Date.now.n || 0) + 1; Math.n = (Math.n || 0) + 1; } catch (ignored) {}
      try { (function* () {}).constructor.prototype.n = 1; } catch (ignored) {}
      return { calls, kept: kept.n, leaked, mine: this.mine, theirs: globalThis.theirs, extra: [].extra,
               more: {}.more, own: Decoder.n, date: Date.now.n, math: Math.n };
    }"""
    first = decode(codecs, source)
    assert decode(codecs, source) == first
    assert set(first.values()) == {1}


MARKS_ALL = """
function Decoder(bytes) {
  // Everything that can be reached from the globals and from syntax alone gets a mark; how many had one is told.
  const waiting = [
    globalThis, function* () {}, function* () {}(), async function () {}, async function* () {},
    async function* () {}(),
    [][Symbol.iterator](), ""[Symbol.iterator](), new Map()[Symbol.iterator](), new Set()[Symbol.iterator](),
    /x/g[Symbol.matchAll](""), (() => 1)(), (function () { return arguments; })(), (class {}), new Proxy({}, {}),
    ((strings) => strings)`text`, Error.stackTraceLimit, Symbol.for("mine"), new Error("x"), Promise.resolve(1)];
  const seen = new Set();
  let marked = 0;
  while (waiting.length) {
    const item = waiting.pop();
    if (item === null || (typeof item !== "object" && typeof item !== "function") || seen.has(item)) continue;
    seen.add(item);
    waiting.push(Object.getPrototypeOf(item));
    for (const key of Reflect.ownKeys(item)) {
      const held = Object.getOwnPropertyDescriptor(item, key);
      waiting.push(held.value, held.get, held.set);
    }
  }
  for (const item of seen) if (Object.prototype.hasOwnProperty.call(item, "mark")) marked += 1;
  for (const item of seen) try { Object.defineProperty(item, "mark", { value: 1 }); } catch (ignored) {}
  Error.stackTraceLimit = (Error.stackTraceLimit || 0) + 1;
  return { seen: seen.size, marked, limit: Error.stackTraceLimit };
}"""


def test_no_mark_on_anything_that_can_be_reached_is_there_at_the_next_message(codecs: Codecs) -> None:
    first = decode(codecs, MARKS_ALL)
    assert first["seen"] > 500
    assert first["marked"] == 0
    assert [decode(codecs, MARKS_ALL) for _ in range(3)] == [first] * 3


@pytest.mark.parametrize(
    "change",
    [
        "Error.stackTraceLimit = (Error.stackTraceLimit || 0) + 1; return { n: Error.stackTraceLimit };",
        "const p = Object.getPrototypeOf((async function* () {}).prototype); p.n = (p.n || 0) + 1; return { n: p.n };",
        "const p = Object.getPrototypeOf(function* () {}.prototype); p.n = (p.n || 0) + 1; return { n: p.n };",
        "JSON.stringify = () => '{}'; Array.isArray = () => false; Array.prototype[Symbol.iterator] = null;"
        " Object.prototype.toJSON = undefined; return { n: 1 };",
        # A failure for want of memory must not depend on what came before.
        "for (let i = 0; i < 3000; i++) Symbol.for('s' + i + '/' + bytes[0] + 'x'.repeat(200)); return { n: 1 };",
    ],
)
def test_what_a_codec_does_to_its_engine_ends_with_the_message(codecs: Codecs, change: str) -> None:
    source = f"function Decoder(bytes) {{ {change} }}"
    first = decode(codecs, source)
    assert [decode(codecs, source, bytes([n])) for n in range(20)] == [first] * 20


def test_a_codec_is_a_script_of_its_own_and_closes_nothing_of_ours(codecs: Codecs) -> None:
    escape = """
    return [null, null, function () { return { n: 1 }; }]; }).call(__scope); } };
    globalThis.__factory = function () { return [null, null, function () { return { n: 1 }; }]; };
    (function () { with ({}) { (function () {"""
    assert why(codecs, escape) == ("codec-failed", "the codec failed: SyntaxError: return not in a function")
    assert "SyntaxError" in why(codecs, "} function Decoder() { return { n: 1 }; } {")[1]


def test_helpers_that_a_codec_adds_to_built_in_objects_are_there(codecs: Codecs) -> None:
    source = """
    Array.prototype.last = function () { return this[this.length - 1]; };
    String.prototype.pad = function (n) { return ("0".repeat(n) + this).slice(-n); };
    function Decoder(bytes) { return { last: bytes.last(), text: "7".pad(3) }; }"""
    assert decode(codecs, source) == {"last": 0x69, "text": "007"}


def test_a_failure_leaves_nothing_behind(codecs: Codecs) -> None:
    assert decode(codecs, SPIN) == {"power": 1}
    assert why(codecs, SPIN, b"\x09")[0] == "codec-timeout"
    assert decode(codecs, SPIN, b"\x07") == {"power": 7}


@pytest.mark.parametrize(
    ("source", "reason", "words"),
    [
        ("function Decoder() { while (true); }", "codec-timeout", "too long"),
        ("while (true); function Decoder() {}", "codec-timeout", "too long"),
        ("function Decoder() { return /(a+)+b/.test('a'.repeat(40)); }", "codec-timeout", "too long"),
        ("function Decoder() { let a = []; while (1) a.push('x'.repeat(99999) + a.length); }",
         "codec-failed", "memory"),
        ("function Decoder() { return new Uint8Array(1e9); }", "codec-failed", "memory"),
        ("function f() { return [f()]; } function Decoder() { return f(); }", "codec-failed", "call stack"),
        ("function Decoder() { throw new Error('unknown port'); }", "codec-failed", "unknown port"),
        ("class Bad extends Error { constructor(m) { super(m); this.name = 'Bad'; } }"
         " function Decoder() { throw new Bad('x'); }", "codec-failed", "Bad: x"),
        ("function Decoder() { throw null; }", "codec-failed", "failed"),
        ("function decodeUplink() { return { errors: ['too short', 'really'] }; }", "codec-failed", "too short,really"),
        ("function decodeUplink() { return { data: { a: 1 }, errors: 'too short' }; }", "codec-failed", "too short"),
        ("function decodeUplink() { return {}; }", "codec-failed", "no data"),
        ("function decodeUplink() { return 7; }", "codec-failed", "no object"),
        ("function Decoder() { return 7; }", "codec-failed", "no data"),
        ("function Decoder() { const a = {}; a.a = a; return a; }", "codec-failed", "circular"),
        ("function Decoder() { return { a: 'x'.repeat(70000) }; }", "codec-failed", "characters"),
        ("function Decoder() { return { toJSON() {} }; }", "codec-failed", "no values"),
        ("function Decoder() { return { toJSON() { return 7; } }; }", "codec-failed", "no values"),
        ("function Decoder() { return { toJSON() { return '{'; } }; }", "codec-failed", "no values"),
        ("function Decoder() { return { a: '\\ud800' }; }", "codec-failed", "no JSON"),
        ("function Decoder() { throw new Error('\\ud800'); }", "codec-failed", "failed"),
        ("function Decoder() { let a; for (let i = 0; i < 999; i++) a = { a }; return a; }",
         "codec-failed", "call stack"),
        ("function Encoder() {}", "codec-failed", "neither"),
        ("function Decoder( {", "codec-failed", "SyntaxError"),
        ("require('fs'); function Decoder() {}", "codec-failed", "not defined"),
        ("import fs from 'fs'; function Decoder() {}", "codec-failed", "SyntaxError"),
    ],
)  # fmt: skip
def test_what_a_codec_may_not_do_is_a_reason(codecs: Codecs, source: str, reason: str, words: str) -> None:
    told, detail = why(codecs, source)
    assert told == reason
    assert words in detail
    assert decode(codecs, SIMPLE) == {"power": 36.1}, "and the next one works"


def test_a_codec_that_the_engine_cannot_interrupt_is_ended_with_its_process(codecs: Codecs) -> None:
    assert decode(codecs, SIMPLE) == {"power": 36.1}
    stuck = "function Decoder() { return { i: 'x'.repeat(1e6).indexOf('x'.repeat(5e5) + 'y') }; }"
    assert why(codecs, stuck)[0] == "codec-timeout"
    assert decode(codecs, SIMPLE) == {"power": 36.1}


def test_a_codec_is_not_blamed_for_a_machine_that_gives_it_no_time() -> None:
    codecs = Codecs(CodecOptions(patience_s=3.0))
    assert decode(codecs, SIMPLE) == {"power": 36.1}
    running = codecs._process._running
    assert running is not None
    running.send_signal(signal.SIGSTOP)
    threading.Timer(0.7, running.send_signal, [signal.SIGCONT]).start()
    assert decode(codecs, SIMPLE) == {"power": 36.1}, "longer than it may compute, but it did not compute"
    running.send_signal(signal.SIGSTOP)
    more_than_a_pipe_holds = SIMPLE + " " * 200_000
    assert why(codecs, more_than_a_pipe_holds)[0] == "codec-timeout"
    assert decode(codecs, SIMPLE) == {"power": 36.1}, "it is not paused"
    codecs.close()


def test_a_process_that_does_not_start_is_a_reason_and_not_tried_all_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    codecs = Codecs()
    monkeypatch.setattr("ingest.codec_process.sys.executable", "/bin/false")
    assert why(codecs, SIMPLE)[0] == "codec-failed"
    monkeypatch.undo()
    assert "does not start" in why(codecs, SIMPLE)[1]


def test_a_process_that_dies_is_started_again(codecs: Codecs) -> None:
    assert decode(codecs, SIMPLE) == {"power": 36.1}
    running = codecs._process._running
    assert running is not None
    running.kill()
    running.wait()
    assert decode(codecs, SIMPLE) == {"power": 36.1}


def test_a_codec_that_keeps_taking_too_long_is_left_alone_for_a_while() -> None:
    now = [1000.0]
    metrics = IngestMetrics()
    codecs = Codecs(CodecOptions(owed_s_max=0.1, pause_s=60.0), metrics, clock=lambda: now[0])
    reasons = [why(codecs, SPIN, b"\x09")[0] for _ in range(20)]
    assert reasons[0] == "codec-timeout"
    assert reasons[-1] == "codec-paused"
    assert reasons.count("codec-timeout") <= 7
    assert metrics.codec_pauses._value.get() == 1
    assert metrics.codec_seconds._value.get() < 0.5
    assert decode(codecs, SIMPLE) == {"power": 36.1}, "other codecs go on"
    now[0] += 61
    assert decode(codecs, SPIN, b"\x07") == {"power": 7}
    codecs.close()


def test_a_codec_that_goes_on_taking_too_long_is_left_alone_for_longer_each_time() -> None:
    accounts = CodecAccounts(CodecOptions(pause_s=60.0, pause_s_max=300.0))
    now = 1000.0
    pauses = []
    for _ in range(5):
        assert accounts.paused_s("c", now) == 0.0
        pauses.append(accounts.charge("c", 0, 0.5, now))
        assert accounts.paused_s("c", now + pauses[-1] - 1) == 1.0
        now += pauses[-1] + 1
    assert pauses == [60.0, 120.0, 240.0, 300.0, 300.0]
    assert accounts.charge("c", 0, 0.5, now + 301) == 60.0, "it had kept within its bounds for as long"


def test_all_codecs_together_hold_nobody_up_for_long() -> None:
    """However many are bad, each within its own bounds: what they cost in sum is bounded, and the good go on."""
    options = CodecOptions()
    accounts = CodecAccounts(options)
    spent = now = 0.0
    for _ in range(50):
        for number in range(200):
            name = f"bad-{number}"
            if not accounts.paused_s(name, now):
                accounts.charge(name, 0, 0.05, now)
                spent += 0.05
                now += 0.05
            assert accounts.charge("good", 0, options.free_s, now) == 0.0
        now += 1.0
    assert now > 60
    each_pays_once_before_it_is_paused = 200 * 0.05
    assert spent < options.owed_s_max_together + each_pays_once_before_it_is_paused + now * options.forgiven_s + 1


def test_a_text_of_many_characters_is_not_blamed_for_being_read(codecs: Codecs) -> None:
    parts = [
        f"function f{n}(a, b) {{ var c = a * {n} + b; return c > 10 ? [c, a] : {{ b: c }}; }}\n" for n in range(5000)
    ]
    long = SIMPLE + "".join(parts)
    assert 350_000 < len(long) < 512 * 1024
    assert {decode(codecs, long)["power"] for _ in range(20)} == {36.1}


def test_more_codecs_than_the_process_keeps_all_work(codecs: Codecs) -> None:
    sources = [f"function Decoder(bytes) {{ return {{ n: {n} }}; }}" for n in range(270)]
    assert [decode(codecs, source)["n"] for source in sources + sources[:3]] == [*range(270), 0, 1, 2]


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("function Decoder(bytes) {\n  return {\n}\n", 3),
        ("var a = 1;\n\nfunction Decoder() { return @; }\n", 3),
        ("var a = 1;\n\nmissing();\nfunction Decoder() {}", 3),
        ("var Decode = 5;", 1),
        ("//" + "x" * (512 * 1024), 1),
    ],
)
def test_a_check_names_the_line(codecs: Codecs, source: str, line: int) -> None:
    with pytest.raises(CodecError) as caught:
        codecs.check(source)
    assert caught.value.line == line
    codecs.check(MILESIGHT_STYLE)


def test_the_pages_codec_runs(codecs: Codecs) -> None:
    [source] = blocks("lorawan-codecs.md", "js")
    assert decode(codecs, source) == {"power": 36.1}


@given(st.text(max_size=80), st.binary(max_size=20))
@settings(max_examples=150)
def test_no_text_is_anything_but_a_codec_or_a_reason(text: str, data: bytes) -> None:
    for source in (text, f"function Decoder(bytes) {{ {text} }}"):
        with suppress(CodecError):
            assert isinstance(decode(FUZZED, source, data), dict | list)


FUZZED = Codecs(CodecOptions(owed_s_max=1e9))


# The way of a message


def city(source: str = SIMPLE) -> IngestRegistry:
    profile = WireProfile("raw", frozenset({"rssi"}), source)
    targets = {"power": SeriesTarget(5, 3, 0.0, 500.0)}
    devices = {"0101": KnownDevice("LN-1", "NS-1", targets, profile)}
    routes = Routes((Integration("lora", "chirpstack", ("a/{device}/event/up",), "NS-1"),))
    return IngestRegistry({"NS-1": 7, "G-1": 1}, devices, 1, routes)


def uplink(data: bytes, device: str = "0101", **more: Any) -> bytes:
    body = {"deviceInfo": {"devEui": device}, "devAddr": "00189440", "data": base64.b64encode(data).decode(), **more}
    return json.dumps(body).encode()


def flushed(registry: IngestRegistry, *payloads: bytes, topic: str = "a/1/event/up") -> tuple[Flush, list[DeadLetter]]:
    flush = Flush(registry, AT, FlushOptions(12, 2, 1 << 20))
    for payload in payloads:
        flush.add(topic, payload)
    flush.codecs.close()
    return flush, [codec.decode(DeadLetter, letter.value) for letter in flush.aside.letters]


def test_raw_bytes_become_readings_by_the_codec_of_their_device() -> None:
    flush, letters = flushed(city(), uplink(b"\x01\x69"))
    assert letters == []
    assert list(flush.rows[3].value) == [36.1]


def test_numbers_that_a_codec_writes_as_text_become_readings() -> None:
    fixed = "function Decoder(bytes) { return { power: (bytes[1] / 10).toFixed(2) }; }"
    flush, letters = flushed(city(fixed), uplink(b"\x01\x69"))
    assert letters == []
    assert list(flush.rows[3].value) == [10.5]


def test_bytes_in_which_the_network_servers_decoder_found_nothing_are_the_codecs_or_a_letter() -> None:
    flush, letters = flushed(city(), uplink(b"\x01\x69", object={}))
    assert (letters, list(flush.rows[3].value)) == ([], [36.1])
    flush, [letter] = flushed(city(""), uplink(b"\x01\x69", object={}))
    assert (letter.reason, letter.units, flush.rows) == ("no-readings", 1, {})
    codecs = Codecs()
    [batch] = resolve_letter(letter, city(), codecs).readings.values()
    codecs.close()
    assert list(batch.value) == [36.1]


def test_bytes_of_a_device_that_is_not_this_gateways_meet_no_codec() -> None:
    spin = city("function Decoder() { while (true); }")
    _, letters = flushed(spin, uplink(b"\x01", device="0202"))
    assert [(x.reason, x.only) for x in letters] == [("unknown-device", ())]
    _, letters = flushed(spin, uplink(b"\x01"), topic="citynerve/v1/G-1/chirpstack")
    assert [x.reason for x in letters] == ["wrong-gateway"]


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("", "no-codec"),
        ("function Decoder() { throw new Error('old'); }", "codec-failed"),
        ("function Decoder() { return {}; }", "no-readings"),
        ("function Decoder() { return { power: null }; }", "no-readings"),
    ],
)
def test_what_a_codec_could_not_read_comes_back_once_it_is_mended(source: str, reason: str) -> None:
    _, [letter] = flushed(city(source), uplink(b"\x01\x69", time="2026-11-23T17:00:00Z"))
    assert (letter.reason, letter.units) == (reason, 1)
    codecs = Codecs()
    assert resolve_letter(letter, city(source), codecs).reason == reason
    resolution = resolve_letter(letter, city(), codecs)
    [batch] = resolution.readings.values()
    assert (list(batch.value), list(batch.observed_at)) == ([36.1], [AT - 3600 * SECOND_US])
    assert (resolution.still_bad, resolution.reason) == ((), "")
    codecs.close()


def test_only_what_was_set_aside_of_a_decoded_payload_comes_back() -> None:
    two = "function Decoder() { return { power: 1, level: 2 }; }"
    flush, [letter] = flushed(city(two), uplink(b"\x01"))
    assert list(flush.rows[3].value) == [1.0]
    assert (letter.reason, letter.only) == ("unknown-metric", ((0, "level"),))
    known = city(two)
    device = known.devices["0101"]
    device.targets["level"] = SeriesTarget(6, 3, 0.0, 100.0)
    [batch] = resolve_letter(letter, known).readings.values()
    assert list(batch.series_id) == [6]


def test_a_codec_decodes_the_same_when_it_is_replayed() -> None:
    timed = "function Decoder() { return { power: new Date().getUTCSeconds(), level: 1 }; }"
    flush, [letter] = flushed(city(timed), uplink(b"\x01"))
    letter = replace(letter, only=())
    [batch] = resolve_letter(letter, city(timed)).readings.values()
    assert list(batch.value) == list(flush.rows[3].value)


def test_numbers_of_frames_without_readings_are_no_gap() -> None:
    ignored = "function Decoder(bytes) { return bytes[0] ? { power: 1 } : { rssi: 1 }; }"
    payloads = [uplink(bytes([n % 2]), fCnt=n) for n in range(3)] + [uplink(b"", fCnt=3)]
    flush, letters = flushed(city(ignored), *payloads)
    assert letters == []
    numbers = [number for record in flush.records() for number in codec.decode(RecordMeta, record.meta).numbers]
    assert {n.epoch for n in numbers} == {"0101.00189440"}
    assert sorted(number for n in numbers for number in range(n.first, n.last + 1)) == [0, 1, 2, 3]
    alone, _ = flushed(city(ignored), payloads[0])
    [record] = alone.records()
    assert len(codec.decode_batch(record.value)) == 0
