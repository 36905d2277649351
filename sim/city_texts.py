"""The words and tables of the generated city that do not depend on its seed."""

from city import metric

METRICS = tuple((m.name, m.unit, m.low, m.high) for m in metric.KNOWN_METRICS)

AIR_METRICS = tuple((m.name, m.unit, m.low, m.high) for m in metric.AIR_METRICS)
"""Channels of the air station, in the order of the city's own file."""

CITY = """\
# A simulated city in the shape of Gijón: nothing here is a real lamp, cabinet or gateway.
name = "Gijón (simulada)"
timezone = "Europe/Madrid"
languages = ["es", "ast", "en"]
simulated = true
lat = 43.54
lon = -5.66

# Lamps that devices.csv does not name have one device each: prefix + lamp id, on their cabinet's gateway.
[lamp_devices]
profile = "lamp-controller"
prefix = "N-"

# What a kilowatt-hour costs, all in all. An example made up for this simulated city, no contract's price: a real city
# writes what its own bills come to, energy, tolls, charges and taxes together.
[energy]
price_per_kwh = 0.15
currency = "EUR"

# What it costs to change one lamp, material and work together: on a round on which a street is changed, and when a crew
# goes out for it. Made up likewise.
[relamping]
planned = 60.0
fault = 180.0
currency = "EUR"
"""

PROFILES = """\
# What devices of one make report, how often, and after how many missed reports they count as silent:
# with one in ten lost on a good day, eight in a row are missed by chance once in a hundred million.
[lamp-controller]
metrics = ["active_power_w", "supply_voltage_v", "dimming_level_pct"]
report_interval_s = 900
silence_intervals = 8.0

# Controllers that measure all they can.
[lamp-controller-full]
metrics = ["active_power_w", "supply_voltage_v", "dimming_level_pct", "supply_current_a", "power_factor", \
"controller_temperature_deg_c", "active_energy_kwh", "operating_hours_h", "switch_on_count"]
report_interval_s = 900
silence_intervals = 8.0

[lamp-controller-hourly]
metrics = ["active_power_w", "supply_voltage_v", "dimming_level_pct", "power_factor", "active_energy_kwh"]
report_interval_s = 3600
silence_intervals = 7.0

# Radio with little room: counters alone, one to four times a night.
[lamp-counter]
metrics = ["active_energy_kwh", "operating_hours_h", "switch_on_count"]
report_interval_s = 14400
silence_intervals = 6.0

[building-sensor]
metrics = ["indoor_temperature_deg_c", "indoor_humidity_pct", "co2_ppm", "active_power_w", "active_energy_kwh"]
report_interval_s = 900
silence_intervals = 8.0

[sports-hall-sensor]
metrics = ["indoor_temperature_deg_c", "indoor_humidity_pct", "co2_ppm", "active_power_w", "active_energy_kwh", \
"hot_water_temperature_deg_c"]
report_interval_s = 900
silence_intervals = 8.0

[pool-sensor]
metrics = ["indoor_temperature_deg_c", "indoor_humidity_pct", "co2_ppm", "active_power_w", "active_energy_kwh", \
"hot_water_temperature_deg_c", "pool_temperature_deg_c", "water_flow_m3_h"]
report_interval_s = 900
silence_intervals = 8.0

[market-sensor]
metrics = ["indoor_temperature_deg_c", "indoor_humidity_pct", "active_power_w", "active_energy_kwh", \
"cold_room_temperature_deg_c"]
report_interval_s = 900
silence_intervals = 8.0

[car-park-sensor]
metrics = ["occupancy_pct", "active_power_w", "active_energy_kwh"]
report_interval_s = 900
silence_intervals = 8.0

[water-tank-sensor]
metrics = ["water_level_pct", "water_flow_m3_h"]
report_interval_s = 900
silence_intervals = 8.0

[air-station]
metrics = [@AIR@]
report_interval_s = 3600
silence_intervals = 24.0
"""

SCHEDULES = """\
# Astronomical clocks: lamps burn while the sun is below the elevation (-0.833 is sunset).
[astronomical]
lat = 43.54
lon = -5.66
elevation_below_deg = -3.0

# The same, dimmed in the small hours: from each local time on, the level in percent, over midnight too.
[part-night]
lat = 43.54
lon = -5.66
elevation_below_deg = -3.0
dimming = ["01:00 50", "06:00 100", "23:30 70"]
"""

OPENING = """\
# When facilities are open, by kind or by facility (the facility's own word counts): days, then hours in local time.
# closed: days of every year (month-day) or of one (year-month-day). What is not named here has no hours.

[school]
hours = ["mon-fri 08:00-17:30"]
closed = ["01-01", "01-06", "05-01", "08-15", "09-08", "10-12", "11-01", "12-06", "12-08", "12-25"]

[library]
hours = ["mon-fri 08:30-20:45", "sat 10:00-14:00"]
closed = ["01-01", "01-06", "05-01", "08-15", "09-08", "10-12", "11-01", "12-06", "12-08", "12-25"]

[civic-centre]
hours = ["mon-fri 08:00-21:30", "sat 09:00-14:00"]
closed = ["01-01", "01-06", "05-01", "12-25"]

[sports-hall]
hours = ["mon-fri 08:00-22:30", "sat 09:00-21:00", "sun 09:00-15:00"]
closed = ["01-01", "01-06", "12-25"]

[pool]
hours = ["mon-fri 07:30-22:00", "sat 09:00-20:30", "sun 09:00-14:30"]
closed = ["01-01", "01-06", "12-25"]

[market]
hours = ["mon-thu 08:00-14:30", "fri 08:00-14:30 17:00-20:00", "sat 08:00-15:00"]
closed = ["01-01", "01-06", "05-01", "12-25"]

[car-park]
hours = ["mon-sun 00:00-24:00"]"""

FAULTS = """\
# Thresholds of the rules; what is left out keeps its default.
dark_below = 0.20
dark_readings = 3
unexpected_on_w = 3.0
unexpected_on_share = 0.10
unexpected_on_readings = 3
guard_s = 900
lost_share = 0.10
outage_probability = 1e-6
outage_lamps_min = 3

# Facilities.
co2_ppm = 1000.0
co2_min = 30
hot_water_deg_c = 50.0
hot_water_min = 30
cold_room_deg_c = -15.0
cold_room_min = 120
leak_ratio = 1.5
leak_nights = 3
pattern_days = 14
"""

CATEGORIES = """\
# What citizens may report and crews mend; the faults say which of the sensors' alarms fall in it.
[lamp-out]
names = { es = "Farola apagada", ast = "Farola apagada", en = "Street light out" }
faults = ["lampFailure"]
sla_hours = 72
crew = "alumbrado"

[lamp-by-day]
names = { es = "Farola encendida de día", ast = "Farola prendida de día", en = "Street light on by day" }
faults = ["lampUnexpectedOn", "switchingErrorOn"]
sla_hours = 120
crew = "alumbrado"

[supply-loss]
names = { es = "Calle a oscuras", ast = "Cai a escures", en = "Whole street dark" }
faults = ["supplyLoss", "circuitBreakerTripped", "switchingErrorOff"]
sla_hours = 12
crew = "alumbrado-urgencias"

[unsteady]
names = { es = "Farola que parpadea", ast = "Farola que parpaguia", en = "Street light flickering" }
faults = ["cyclingFailure", "flicker"]
sla_hours = 120
crew = "alumbrado"

[lamp-equipment]
names = { es = "Equipo de la farola averiado", ast = "Equipu de la farola avariáu", en = "Street light's equipment" }
faults = ["powerFactorTooLow", "ledModuleLost", "lampPowerTooLow", "lampPowerTooHigh", "counterReset", "stuckSensor"]
sla_hours = 336
crew = "alumbrado"

[dimming]
names = { es = "Farola con nivel equivocado", ast = "Farola con nivel equivocáu", en = "Street light's level" }
faults = ["dimmingFailure"]
sla_hours = 168
crew = "alumbrado"

[electrical-danger]
names = { es = "Peligro eléctrico", ast = "Peligru llétricu", en = "Electrical danger" }
faults = ["lostNeutral", "cableTheft", "residualCurrentReclosing"]
sla_hours = 4
crew = "alumbrado-urgencias"

[supply]
names = { es = "Tensión o mando del alumbrado", ast = "Tensión o mandu del allumáu", en = "Lighting supply" }
faults = ["supplyVoltageTooLow", "supplyVoltageTooHigh", "cabinetClockWrong"]
sla_hours = 72
crew = "alumbrado"

[facility]
names = { es = "Instalación: aviso de sensores", ast = "Instalación: avisu de sensores", en = "Facility's sensors" }
faults = [
  "temperatureOutOfPattern", "humidityOutOfPattern", "energyOutOfPattern", "co2TooHigh", "heatingWhileClosed",
  "outOfPattern",
]
sla_hours = 168
crew = "mantenimiento"

[facility-urgent]
names = { es = "Instalación: agua o frío", ast = "Instalación: agua o fríu", en = "Facility: water or cold" }
faults = ["waterLeak", "hotWaterTooCold", "coldRoomTooWarm"]
sla_hours = 24
crew = "mantenimiento"

[no-signal]
names = { es = "Equipo sin comunicación", ast = "Equipu ensin comunicación", en = "Equipment not answering" }
faults = ["communicationFailure"]
sla_hours = 168
crew = "telecontrol"

[damaged]
names = { es = "Farola dañada o peligrosa", ast = "Farola rota o peligrosa", en = "Damaged or dangerous street light" }
faults = []
sla_hours = 24
crew = "alumbrado-urgencias"

[other]
names = { es = "Otro problema de alumbrado", ast = "Otru problema d'allumáu", en = "Other street lighting problem" }
faults = []
sla_hours = 120
crew = "alumbrado"
"""
