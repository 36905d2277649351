"""Why messages, or readings of them, are set aside: what happened, what to do about it, and who can.

One table for pages, API, command line and `docs/formats/reasons.md`; the catalogues of the pages hold its texts in the
other languages. A test finds every reason that `ingest` can give, and wants it here, on the page and in the catalogues.
"""

from typing import Literal, NamedTuple

Mender = Literal["operator", "sender", "device", "nobody"]

MENDERS: dict[Mender, str] = {
    "operator": "an operator",
    "sender": "whoever runs or wrote what sends it",
    "device": "who looks after the device",
    "nobody": "nobody: there is nothing to mend",
}


class Told(NamedTuple):
    """What is said of a reason, in English."""

    happened: str
    todo: str
    mender: Mender


_PROGRAM = "Mend the program that sends it. What it sent so far cannot be read: mark it as not wanted."
_DIVIDE = "Let what sends it divide it into several messages, and send it again; mark this one as not wanted."
_NOTHING = "Nothing is lost: mark it as not wanted."


def _unreadable(happened: str) -> Told:
    return Told(happened, _PROGRAM, "sender")


REASONS: dict[str, Told] = {
    # Who sends it is not known, or not as who it says.
    "unknown-gateway": Told(
        "It comes from a gateway that is not in the registry.",
        "Add the gateway on the page of gateways or in the city pack, claim its devices, then replay.",
        "operator",
    ),
    "retired-gateway": Told(
        "It comes from a gateway that was taken out of service.",
        "If the gateway is in use again, restore it, then replay; else see who still runs it.",
        "operator",
    ),
    "unknown-device": Told(
        "It comes from a device that is not in the registry.",
        "Claim the device, or add it to the city pack and replay: what it sent goes into its place.",
        "operator",
    ),
    "wrong-gateway": Told(
        "A gateway speaks for a device of another one.",
        "Did the device move? Say so on its page and replay. Else somebody pretends: see who has that gateway's"
        " password.",
        "operator",
    ),
    "isolated": Told(
        "The gateway sent more than its share, or nothing that is understood, and was set aside unread.",
        "Mend the gateway, then replay what is worth it: more than a city's share is mostly a fault of its program.",
        "sender",
    ),
    # What it measures is not known.
    "unknown-metric": Told(
        "The device's profile has no such value.",
        "Add the value to the profile, or to what the profile leaves out, then replay.",
        "operator",
    ),
    "unknown-unit": Told(
        "The value comes in a unit that cannot be turned into that of its metric.",
        "If nobody knows the unit, name one in the profile; if it is of another quantity, name another metric. Then"
        " replay.",
        "operator",
    ),
    "unknown-word": Told(
        "The value is a word for which the profile has no number.",
        "Say in the profile what the word means, then replay.",
        "operator",
    ),
    "value-out-of-range": Told(
        "The value is outside the limits of its metric.",
        "No such sensor reports that: look at the device. If the limits are too narrow, widen them in metrics.csv and"
        " replay.",
        "device",
    ),
    "bad-quality": Told(
        "Its own sender does not vouch for the value.",
        "Look at the sensor, or at what reads it. What it sent so far is not worth a replay: mark it as not wanted.",
        "device",
    ),
    # Makers' codecs and births of Sparkplug.
    "no-codec": Told(
        "Its bytes can only be read by the maker's codec, and the profile has none.",
        "Add the maker's codec to the profile, then replay.",
        "operator",
    ),
    "codec-failed": Told(
        "The maker's codec could not read it.",
        "Read what the codec says. If it is at fault, mend it in the profile, then replay.",
        "operator",
    ),
    "codec-timeout": Told(
        "The maker's codec took too long.",
        "Replay it; if that happens again, mend the codec in the profile.",
        "operator",
    ),
    "codec-paused": Told(
        "The maker's codec took too long too often, and was left alone for a minute.",
        "Replay a minute later; if that happens again, mend the codec in the profile.",
        "operator",
    ),
    "no-birth": Told(
        "What the node says of itself when it starts was missing; it was asked for.",
        "It comes back by itself once its birth has come. If it stays, see whether the node answers, then replay.",
        "operator",
    ),
    "ambiguous-birth": _unreadable("The node's births before and after it say different things of its metrics."),
    # Where and how it was sent.
    "bad-topic": Told(
        "The topic is none that the city reads.",
        "Let the gateway publish below its own id, citynerve/v1/ITS-ID/readings. Topics of other platforms stand in"
        " integrations.toml of the city pack; once this one does, replay.",
        "sender",
    ),
    "unknown-format": Told(
        "The topic ends in a format that the city does not read.",
        "Let what sends it end its topic in the name of a format; docs/formats lists them.",
        "sender",
    ),
    "retained-without-time": Told(
        "The broker had kept it, and it does not say when it was measured.",
        "Let the device publish not retained, or with the time of observation. Mark it as not wanted.",
        "sender",
    ),
    "not-an-uplink": Told(
        "It is another event of the network server than a device's message.",
        "Let the network server send uplinks alone. Nothing is lost: mark it as not wanted.",
        "sender",
    ),
    "simulated": Told("The network server made it up for a trial: no device has measured it.", _NOTHING, "nobody"),
    "no-readings": Told("There is no value in it.", _NOTHING, "nobody"),
    "unknown-entry": Told(
        "The entry of the log report is of a kind that is not read.",
        "Nothing that a device measured is lost: mark it as not wanted, or let the gateway report other entries.",
        "sender",
    ),
    "too-large": Told("The message is larger than 256 KiB.", _DIVIDE, "sender"),
    "too-many-objects": Told("There are more than 2,000 objects in the message.", _DIVIDE, "sender"),
    "too-many-keys": Told("There are more values in one object than may be.", _DIVIDE, "sender"),
    # What cannot be read.
    "not-json": _unreadable("It is not JSON in UTF-8."),
    "not-text": _unreadable("It is not text in UTF-8."),
    "not-cbor": _unreadable("It is not CBOR as SenML uses it."),
    "not-sparkplug": _unreadable("It is not a Sparkplug B payload."),
    "unread-body": _unreadable("It is in bytes of its own, such as compressed ones, that are not read."),
    "unknown-version": _unreadable("It is of a version of SenML that is not read."),
    "must-understand": _unreadable("It has a field that nobody may ignore (RFC 8428) and that is not known."),
    "not-an-object": _unreadable("Something else stands where an object must."),
    "not-a-list": _unreadable("Something else stands where a list must."),
    "not-a-state": _unreadable("On the topic of states stands something other than online or offline."),
    "duplicate-key": _unreadable("A name stands twice: nobody can tell which value is meant."),
    "unexpected-key": _unreadable("It has a field that the format does not have."),
    "bad-header": _unreadable("A field that counts for the whole message makes no sense."),
    "bad-line": _unreadable("A line has other columns than the header."),
    "bad-device": _unreadable("The device has no name, or one that no device may have."),
    "bad-time": _unreadable("The time cannot be read."),
    "bad-unit": _unreadable("The unit cannot be read."),
    "bad-data": _unreadable("The device's bytes are not base64, or too many."),
    "bad-metric-name": _unreadable("A value has no name, or one that no value may have."),
    "bad-value": _unreadable("A value is not of the type that it says."),
    "two-values": _unreadable("A record has more than one value."),
    "not-a-number": _unreadable("A value is no number that a sensor can send."),
}

OTHERWISE = Told(
    "It was set aside for a reason that this release no longer gives.",
    "Read what is said of it; once the cause is mended, replay.",
    "operator",
)


def told(reason: str) -> Told:
    """Return what to say of a reason, also of one that only an older release gave."""
    return REASONS.get(reason, OTHERWISE)
