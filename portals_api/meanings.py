"""What each fault means for who goes there: where to look first, in one sentence."""

from city.alarm import FaultClass
from portals_api.codes import N_

F = FaultClass
MEANS: dict[FaultClass, str] = {
    F.LAMP_FAILURE: N_(
        "It was told to burn and drew next to nothing, or counted no hours: look at lamp or module, driver or"
        " ballast, and the fuse in the column."
    ),
    F.LAMP_UNEXPECTED_ON: N_(
        "It drew power, or counted hours, while it was told to be off: look for a welded relay in its"
        " controller, or a bridge."
    ),
    F.DIMMING_FAILURE: N_(
        "It draws the power of another level than the one it was told: look at the control line between"
        " controller and driver."
    ),
    F.CYCLING_FAILURE: N_(
        "It goes out and comes back by itself: a discharge lamp at the end of its life, or a loose contact;"
        " change the lamp first."
    ),
    F.FLICKER: N_("Its power leaps from one reading to the next: look for a loose contact, then at the driver."),
    F.POWER_FACTOR_TOO_LOW: N_(
        "Its power factor fell far below what it had at nearly full power: the compensation capacitor is gone."
    ),
    F.LED_MODULE_LOST: N_("Its power fell at once and stayed down: a module or a string of LEDs has failed."),
    F.LAMP_POWER_TOO_LOW: N_(
        "It draws less than it used to at the same level, night after night: part of it does not light, or"
        " its driver derates."
    ),
    F.LAMP_POWER_TOO_HIGH: N_(
        "It draws more than it used to at the same level, night after night: the wrong lamp, or a ballast that fails."
    ),
    F.SUPPLY_LOSS: N_(
        "Everything below it is silent or dark at once, and chance does not explain it: look at the supply"
        " before the lamps."
    ),
    F.CIRCUIT_BREAKER_TRIPPED: N_(
        "One phase is out and the others are not: a breaker or fuse of that phase; look for the short circuit"
        " before closing it."
    ),
    F.SWITCHING_ERROR_ON: N_(
        "Nearly all of the feeder is live by day: a contactor has welded, or was left in manual; look into the cabinet."
    ),
    F.SWITCHING_ERROR_OFF: N_(
        "Nearly all of the feeder stays off at night though it is heard: the contactor, its coil or the"
        " control circuit."
    ),
    F.SUPPLY_VOLTAGE_TOO_LOW: N_(
        "Many lamps measure too low a voltage: an overloaded or damaged line, a bad joint, or the distributor's supply."
    ),
    F.SUPPLY_VOLTAGE_TOO_HIGH: N_(
        "Many lamps measure too high a voltage: call the distributor, and look at the neutral; drivers die of it."
    ),
    F.LOST_NEUTRAL: N_(
        "Some lamps have far too much voltage and others far too little at once: the neutral is open. Danger:"
        " switch the feeder off before touching anything."
    ),
    F.CABLE_THEFT: N_(
        "Everything from one place of the cable on fell silent: it is cut or stolen there; expect bare live ends."
    ),
    F.RCD_RECLOSING: N_(
        "The supply goes and comes back by itself several times a night: a residual current breaker that"
        " recloses; look for a chafed cable or water in a column."
    ),
    F.CABINET_CLOCK_WRONG: N_(
        "The feeder switches at the wrong time on several nights: set the clock of the cabinet, and look at"
        " its battery."
    ),
    F.COMMUNICATION_FAILURE: N_(
        "It should have been heard and was not, counting only time with power in which we listened: look at"
        " its radio, antenna or gateway; whether there is light nobody knows."
    ),
    F.STUCK_SENSOR: N_(
        "It repeats itself for longer than it ever did: the sensor or its controller hangs; restart it, and"
        " trust none of its values until then."
    ),
    F.COUNTER_RESET: N_("Its counters begin again and again at nothing: the controller loses its memory; change it."),
    F.OUT_OF_PATTERN: N_(
        "A value behaves as it never did in its own past, and no rule has a name for it: look at what it"
        " measures, then at the sensor."
    ),
    F.TEMPERATURE_OUT_OF_PATTERN: N_(
        "The temperature is far from what is usual at this hour and on such a day: look at heating, windows"
        " and the sensor's place."
    ),
    F.HUMIDITY_OUT_OF_PATTERN: N_(
        "The humidity is far from what is usual at this hour: look for water that comes in, and at the ventilation."
    ),
    F.ENERGY_OUT_OF_PATTERN: N_(
        "It draws far more or less than is usual at this hour and on such a day: find what was left on, or"
        " what has failed."
    ),
    F.WATER_LEAK: N_(
        "Water runs at night when nobody takes any, more than on the nights before: close valve after valve"
        " and watch the meter."
    ),
    F.CO2_TOO_HIGH: N_(
        "People breathe more carbon dioxide than they should: open windows now, then look at the ventilation"
        " and its timetable."
    ),
    F.HOT_WATER_TOO_COLD: N_(
        "Stored hot water stays below the limit, where legionella grow: look at boiler and thermostat, and"
        " heat it through before it is used."
    ),
    F.COLD_ROOM_TOO_WARM: N_(
        "The cold room stays above the limit: look at door, ice and compressor, and at what is stored before it spoils."
    ),
    F.HEATING_WHILE_CLOSED: N_(
        "It is heated although it is closed: look at the timetable of the heating, and for somebody who overrode it."
    ),
}
"""Fault → its sentence; `explain.RULES_SAY` says more where a rule tells more than its fault."""
