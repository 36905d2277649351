"""Codes and what each is called: states, faults, roles, reasons. English here; the catalogues hold the rest."""


def N_(message: str) -> str:
    """Mark a text for the catalogues without translating it."""
    return message


STATES = {
    "open": N_("Open"),
    "new": N_("New"),
    "assigned": N_("Assigned"),
    "in_progress": N_("In progress"),
    "recovered": N_("Seems recovered"),
    "resolved": N_("Repaired, to be verified"),
    "closed": N_("Closed"),
    "rejected": N_("Rejected"),
    "merged": N_("Part of another ticket"),
}
ACTIONS = {
    "assigned": N_("Take it"),
    "in_progress": N_("Start work"),
    "resolved": N_("It is repaired"),
    "closed": N_("Close it"),
    "new": N_("Give it back"),
}
SEVERITIES = {"urgent": N_("Urgent"), "high": N_("High"), "medium": N_("Medium"), "low": N_("Low")}
ACTORS = {
    "sensor": N_("Sensors"),
    "citizen": N_("A citizen"),
    "crew": N_("Crew"),
    "operator": N_("Operator"),
    "command-line": N_("Command line"),
    "pack": N_("City pack"),
    "system": N_("citynerve"),
}
KINDS = {
    "lamp": N_("Street light"),
    "feeder": N_("Feeder"),
    "cabinet": N_("Cabinet"),
    "gateway": N_("Gateway"),
    "facility": N_("Facility"),
    "place": N_("Place"),
    "street": N_("Street"),
    "district": N_("District"),
}
KINDS_MANY = {
    "lamp": N_("Street lights"),
    "feeder": N_("Feeders"),
    "cabinet": N_("Cabinets"),
    "gateway": N_("Gateways"),
    "facility": N_("Facilities"),
}
SWITCHING = {
    "permanent": N_("live day and night; each lamp is switched by itself"),
    "switched": N_("switched in the cabinet; without power by day"),
}
GATEWAY_STATES = {"online": N_("Connected"), "offline": N_("Not connected"), "unknown": N_("Never heard of")}
FAULTS = {
    "lampFailure": N_("The lamp does not burn when it should"),
    "lampUnexpectedOn": N_("The lamp burns when it should be off"),
    "dimmingFailure": N_("The lamp does not follow its dimming command"),
    "cyclingFailure": N_("The lamp goes out and starts again, over and over"),
    "flicker": N_("The lamp flickers"),
    "powerFactorTooLow": N_("The power factor is too low: the capacitor"),
    "ledModuleLost": N_("A part of the LEDs has failed"),
    "lampPowerTooLow": N_("The lamp draws less power than it used to"),
    "lampPowerTooHigh": N_("The lamp draws more power than it used to"),
    "supplyLoss": N_("The feeder has lost its supply"),
    "circuitBreakerTripped": N_("A circuit breaker has tripped"),
    "switchingErrorOn": N_("The whole feeder burns when it should be off"),
    "switchingErrorOff": N_("The whole feeder stays off when it should burn"),
    "supplyVoltageTooLow": N_("The supply voltage is too low"),
    "supplyVoltageTooHigh": N_("The supply voltage is too high"),
    "lostNeutral": N_("The neutral conductor is lost: dangerous voltages"),
    "cableTheft": N_("The cable is cut: everything behind it is dark"),
    "residualCurrentReclosing": N_("The breaker trips and recloses again and again"),
    "cabinetClockWrong": N_("The clock of the cabinet is wrong"),
    "communicationFailure": N_("The device has fallen silent"),
    "stuckSensor": N_("The sensor repeats one value"),
    "counterReset": N_("The counters keep starting again from zero"),
    "outOfPattern": N_("The values behave as they never did"),
    "temperatureOutOfPattern": N_("The temperature is out of its pattern"),
    "humidityOutOfPattern": N_("The humidity is out of its pattern"),
    "energyOutOfPattern": N_("The use of energy is out of its pattern"),
    "waterLeak": N_("Water flows when nobody uses any: a leak"),
    "co2TooHigh": N_("Too much carbon dioxide while people are there"),
    "hotWaterTooCold": N_("The stored hot water is too cold (legionella)"),
    "coldRoomTooWarm": N_("The cold room is too warm"),
    "heatingWhileClosed": N_("The heating runs while the building is closed"),
}
CATEGORIES = {
    "lamp-out": N_("Street light out"),
    "lamp-by-day": N_("Street light on by day"),
    "supply-loss": N_("Whole street dark"),
    "no-signal": N_("Equipment not answering"),
    "damaged": N_("Damaged or dangerous street light"),
    "other": N_("Something else"),
}
LAMP_STATES = {"ok": N_("No known fault"), "faulty": N_("Has an open ticket"), "out": N_("Its feeder is out")}
MAP_STATES = {
    "lit": N_("On"),
    "off": N_("Off"),
    "faulty": N_("Faulty"),
    "out": N_("Without supply"),
    "silent": N_("Silent"),
    "unknown": N_("Not heard yet"),
}
METRICS = {
    "active_power_w": N_("Power"),
    "supply_voltage_v": N_("Voltage"),
    "dimming_level_pct": N_("Commanded level"),
    "supply_current_a": N_("Current"),
    "power_factor": N_("Power factor"),
    "controller_temperature_deg_c": N_("Temperature of the controller"),
    "active_energy_kwh": N_("Energy meter"),
    "operating_hours_h": N_("Hours of burning"),
    "switch_on_count": N_("Times switched on"),
    "hot_water_temperature_deg_c": N_("Hot water"),
    "pool_temperature_deg_c": N_("Water of the pool"),
    "cold_room_temperature_deg_c": N_("Cold room"),
    "occupancy_pct": N_("Occupancy"),
    "water_level_pct": N_("Water level"),
    "water_flow_m3_h": N_("Water flow"),
    "indoor_temperature_deg_c": N_("Indoor temperature"),
    "indoor_humidity_pct": N_("Indoor humidity"),
    "co2_ppm": N_("Carbon dioxide (CO₂)"),
    "so2_ug_m3": N_("Sulphur dioxide (SO₂)"),
    "no_ug_m3": N_("Nitric oxide (NO)"),
    "no2_ug_m3": N_("Nitrogen dioxide (NO₂)"),
    "co_mg_m3": N_("Carbon monoxide (CO)"),
    "pm10_ug_m3": N_("Particles up to 10 µm (PM10)"),
    "pm2_5_ug_m3": N_("Particles up to 2.5 µm (PM2.5)"),
    "o3_ug_m3": N_("Ozone (O₃)"),
    "benzene_ug_m3": N_("Benzene"),
    "toluene_ug_m3": N_("Toluene"),
    "xylene_ug_m3": N_("Xylene"),
    "air_temperature_deg_c": N_("Air temperature"),
    "relative_humidity_pct": N_("Relative humidity"),
    "pressure_hpa": N_("Air pressure"),
    "solar_irradiance_w_m2": N_("Solar irradiance"),
    "rainfall_mm": N_("Rainfall"),
    "wind_direction_deg": N_("Wind direction"),
    "wind_speed_m_s": N_("Wind speed"),
}
LAMP_TYPES = {
    "led": "LED",
    "sodium": N_("High-pressure sodium"),
    "metal-halide": N_("Metal halide"),
}
PROFILES = {
    "lamp-controller": N_("Controller of the lamp"),
    "lamp-controller-full": N_("Controller that measures all it can"),
    "lamp-controller-hourly": N_("Controller that reports hourly"),
    "lamp-counter": N_("Counter of the lamp"),
    "building-sensor": N_("Sensors of the building"),
    "sports-hall-sensor": N_("Sensors of the sports hall"),
    "pool-sensor": N_("Sensors of the swimming pool"),
    "market-sensor": N_("Sensors of the market"),
    "car-park-sensor": N_("Sensors of the car park"),
    "water-tank-sensor": N_("Sensors of the water tank"),
    "air-station": N_("Air quality station"),
}
SCHEDULES = {
    "astronomical": N_("from dusk to dawn"),
    "part-night": N_("from dusk to dawn, dimmed in the small hours"),
}
FACILITY_KINDS = {
    "school": N_("School"),
    "library": N_("Library"),
    "pool": N_("Swimming pool"),
    "civic-centre": N_("Civic centre"),
    "market": N_("Market"),
    "sports-hall": N_("Sports hall"),
    "museum": N_("Museum"),
    "car-park": N_("Car park"),
    "water-tank": N_("Water tank"),
    "air-station": N_("Air quality station"),
}
EVENTS = {
    "opened": N_("Ticket opened"),
    "moved": N_("State changed"),
    "alarm_joined": N_("Another alarm joined"),
    "alarm_cleared": N_("An alarm ended"),
    "report_joined": N_("A citizen's report joined"),
    "still_dark": N_("A citizen says that the fault is still there"),
    "merged_into": N_("Became part of another ticket"),
    "absorbed": N_("Took in another ticket"),
    "split_off": N_("Split off: still faulty after the outage ended"),
    "verdict": N_("What was found"),
    "note": N_("Note"),
}
FINDINGS = {
    "true": N_("As the alarm said: {fault}"),
    "false": N_("Nothing was wrong"),
    "other": N_("Another cause: {fault}"),
}
REASONS = {
    "alarm-raised": N_("an alarm was raised"),
    "alarm-raised-again": N_("an alarm was raised again"),
    "alarm-cleared": N_("the alarm ended"),
    "all-clear": N_("all alarms have ended; closing is proposed"),
    "explained-by-outage": N_("an outage explains it"),
    "part-of-outage": N_("it is part of this event"),
    "dark-after-recovery": N_("still faulty after the outage ended"),
    "repair-verified": N_("the sensors confirm the repair"),
    "quiet-after-repair": N_("no alarm came back after the repair"),
    "repair-not-confirmed": N_("the alarm still stands in the next burning period"),
    "reported": N_("a report came in"),
    "still-dark": N_("a citizen contradicts the recovery"),
}
RULES = {
    "power-below-expected": N_("power far below what the command asks for"),
    "power-while-commanded-off": N_("power while commanded off"),
    "power-of-another-level": N_("power of another level than the commanded one"),
    "dark-and-lit-again": N_("dark, and lit again by itself, several times in a night"),
    "power-leaps": N_("power leaps up and down from one reading to the next"),
    "power-factor-below-learned": N_("power factor far below what this lamp had"),
    "power-stepped-down": N_("power fell at once, and stays below what this lamp drew"),
    "power-drifted-down": N_("power is below what this lamp used to draw"),
    "power-above-learned": N_("power is above what this lamp used to draw"),
    "readings-repeat": N_("the same readings for longer than this sensor ever repeated itself"),
    "counters-begin-again": N_("counters begin again from zero, twice in little more than a day"),
    "hours-stand-still": N_("no hours of burning counted while commanded on"),
    "hours-while-commanded-off": N_("hours of burning counted while commanded off"),
    "switch-ons-beyond-command": N_("switched on more often than commanded"),
    "counters-stand-still": N_("all counters stand still although the lamp was switched on"),
    "energy-per-hour-too-low": N_("less energy for each hour of burning than before"),
    "energy-per-hour-too-high": N_("more energy for each hour of burning than before"),
    "energy-per-hour-stepped-down": N_("the energy for each hour of burning fell at once"),
    "energy-per-hour-not-dimmed": N_("energy for each hour of burning as if it were not dimmed"),
    "learnt-again": N_("what it draws now has been normal for so long that it was learnt again"),
    "silent-in-powered-time": N_("no message although it has power"),
    "feeder-silent-or-dark": N_("nearly all lamps of the feeder silent or dark"),
    "all-feeders-silent": N_("all feeders of the gateway silent"),
    "cabinet-silent": N_("all feeders of the cabinet silent or dark"),
    "phase-silent": N_("all lamps of one phase silent, the others not"),
    "tail-silent": N_("all lamps from one place of the cable on silent"),
    "supply-lost-and-back": N_("supply lost and back by itself, several times in a night"),
    "feeder-live-by-day": N_("nearly all lamps of the feeder live by day"),
    "feeder-dark-at-night": N_("nearly all lamps of the feeder off at night although they have power"),
    "voltage-over": N_("voltage above the limit at many lamps of the feeder"),
    "voltage-under": N_("voltage below the limit at many lamps of the feeder"),
    "contactor-beside-the-hour": N_("the cabinet switches at the wrong time, night after night"),
    "phases-apart": N_("voltages far too high and far too low on one feeder: the neutral is lost"),
    "water-runs-at-night": N_("water runs at night when nobody takes any"),
    "co2-above-limit-while-open": N_("too much carbon dioxide while open"),
    "hot-water-below-limit": N_("stored hot water below the limit"),
    "cold-room-above-limit": N_("cold room above the limit"),
    "as-warm-as-when-open": N_("as warm as when open, though closed"),
    "off-its-habit": N_("far from what is usual at this hour"),
    "same-values-again": N_("the same values again and again"),
    "counter-began-again": N_("the counter began again"),
    "unlike-its-past-season": N_("unlike its own past at this hour"),
    "unlike-its-past-level": N_("on another level than in its own past"),
    "unlike-its-past-drift": N_("drifting away from its own past"),
    "unlike-its-past-spread": N_("more or less unsteady than in its own past"),
    "unlike-its-past-transition": N_("in steps that its own past does not know"),
    "unlike-its-past-extreme": N_("beyond all that it ever said"),
    "unlike-its-past-stuck": N_("one value for longer than ever"),
}
UNITS = {
    "devices": N_("devices"),
    "lamps": N_("lamps"),
    "min": N_("minutes"),
    "Cel": "°C",
    "[ppm]": "ppm",
    "deg": "°",
    "ug/m3": "µg/m³",
    "mg/m3": "mg/m³",
    "W/m2": "W/m²",
    "kW.h": "kWh",
    "m3/h": "m³/h",
    "1": "",
    "[degF]": "°F",
}
STATUSES = {
    400: N_("The address or the form could not be read."),
    403: N_("This is not for you, or the form was sent from another site: open the page here and send it again."),
    404: N_("There is no such page, lamp or ticket. Check the number."),
    405: N_("This address shows something; it does not take anything."),
    409: N_("It has changed meanwhile: look at it again and decide anew."),
    413: N_("That is too much text: shorten it and send it again."),
    415: N_("This kind of content is not taken here."),
    422: N_("Something in the address or the form makes no sense."),
    429: N_("Too many reports from here: wait a minute and send it again."),
    500: N_("Something went wrong here; it has been noted. Try again later."),
    503: N_("The database does not answer just now; nothing is lost. Try again in a moment."),
}
"""What a page says of an HTTP status."""
PROBLEMS = (
    N_("that is no lamp's number: copy it from the post, or leave it empty"),
    N_("that is no e-mail address: mend it, or leave it empty"),
    N_("a point needs both lat and lon"),
    N_("choose a category"),
    N_("say where: the number of a lamp, a point, or the place in words"),
)
"""What `schemas` says of a form, here so that it is translated."""
FIELDS = {
    "category": N_("What is it?"),
    "lamp": N_("Number on the lamp post, if you can read it"),
    "place": N_("Or the place in words"),
    "description": N_("In your words"),
    "email": N_("E-mail, if we may ask back"),
}
OUTSIDE = N_("that point is outside of the city: check the position, or describe the place in words")
"""What the desk says of a point, here so that it is translated."""
NO_LAMP = N_("There is no lamp of that number: check it, or leave it empty and describe the place.")
SENT_BEFORE = N_("This form was sent before with other words: open the page again.")
NOT_READABLE = N_("cannot be read: mend it, or leave it empty")
