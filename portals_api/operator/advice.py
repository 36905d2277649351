"""What to do about each reason for which something is set aside; the catalogues hold the other languages."""

from portals_api.labels import N_

_MEND = N_("The sender makes a mistake: mend its program. What it sent so far cannot be read; mark it as not wanted.")
ADVICE = {
    "unknown-device": N_("Claim the device or add it to the city pack, then replay: what it sent goes into its place."),
    "unknown-gateway": N_("Add the gateway to the city pack, then replay."),
    "unknown-metric": N_("Add the metric to the profile of the device in the city pack, then replay."),
    "wrong-gateway": N_(
        "A gateway speaks for a device of another one. Did the device move? Say so in the city pack and replay. Else"
        " somebody pretends: see who has that gateway's password."
    ),
    "value-out-of-range": N_(
        "No such sensor reports that: look at the device. If the limits are too narrow, widen them in metrics.csv and"
        " replay."
    ),
    "retained-without-time": N_("Let the device publish not retained, or with the time of observation."),
    "isolated": N_(
        "The gateway sent more than its share, or nothing that is understood, and was set aside unread. Mend it, then"
        " replay what is worth it; more than a city's share is mostly a fault of its program."
    ),
    "bad-topic": N_("Let the gateway publish under its own id: citynerve/v1/ITS-ID/readings."),
    "too-large": N_("Let the gateway send fewer readings in a message."),
    "too-many-objects": N_("Let the gateway send fewer readings in a message."),
    "no-readings": N_("The message holds no metric: nothing is lost. Mark it as not wanted."),
    "no-birth": N_("The birth of the node was missing; it was asked for. Replay once it has come."),
    "no-codec": N_("Add the vendor's codec to the city pack, then replay."),
    "codec-failed": N_("The vendor's codec could not read it: mend the codec in the city pack, then replay."),
    "codec-paused": N_("The vendor's codec took too long too often: replay a minute later, or mend the codec."),
    "unknown-unit": N_("Say in the profile which unit the device sends, then replay."),
    "unknown-word": N_("Say in the profile what the word means, then replay."),
    "not-json": _MEND,
    "not-an-object": _MEND,
    "not-a-list": _MEND,
    "not-a-state": _MEND,
    "duplicate-key": _MEND,
    "unexpected-key": _MEND,
    "bad-header": _MEND,
    "bad-device": _MEND,
    "bad-time": _MEND,
    "too-many-keys": _MEND,
    "bad-metric-name": _MEND,
    "not-a-number": _MEND,
}
OTHERWISE = N_("Read what is said of each letter; once the cause is mended, replay.")


def advice(reason: str) -> str:
    """Return what to do, in English."""
    return ADVICE.get(reason, OTHERWISE)
