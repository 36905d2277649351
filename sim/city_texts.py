"""The words and tables of the generated city that do not depend on its seed."""

STREETS = (
    "Calle del Faro",
    "Calle de la Gaviota",
    "Calle del Manzano",
    "Calle de la Marea",
    "Calle del Carbayo",
    "Calle de la Sidra",
    "Calle del Astillero",
    "Calle de la Playa",
    "Calle del Molino",
    "Avenida del Nordeste",
    "Avenida de la Ribera",
    "Paseo del Muelle",
)

FACILITY_KINDS = (
    ("school", "Colegio"),
    ("library", "Biblioteca"),
    ("pool", "Piscina"),
    ("civic-centre", "Centro municipal"),
    ("market", "Mercado"),
    ("sports-hall", "Polideportivo"),
    ("museum", "Museo"),
)

METRICS: tuple[tuple[str, str, float, float], ...] = (
    ("active_power_w", "W", -5, 50000),
    ("supply_voltage_v", "V", 0, 500),
    ("dimming_level_pct", "%", 0, 100),
    ("indoor_temperature_deg_c", "Cel", -40, 80),
    ("indoor_humidity_pct", "%", 0, 100),
    ("co2_ppm", "[ppm]", 0, 20000),
)

AIR_METRICS: tuple[tuple[str, str, float, float], ...] = (
    ("so2_ug_m3", "ug/m3", 0, 5000),
    ("no_ug_m3", "ug/m3", 0, 5000),
    ("no2_ug_m3", "ug/m3", 0, 5000),
    ("co_mg_m3", "mg/m3", 0, 200),
    ("pm10_ug_m3", "ug/m3", 0, 5000),
    ("o3_ug_m3", "ug/m3", 0, 5000),
    ("wind_direction_deg", "deg", 0, 360),
    ("wind_speed_m_s", "m/s", 0, 100),
    ("air_temperature_deg_c", "Cel", -40, 60),
    ("relative_humidity_pct", "%", 0, 100),
    ("pressure_hpa", "hPa", 800, 1100),
    ("solar_irradiance_w_m2", "W/m2", 0, 2000),
    ("rainfall_mm", "mm", 0, 500),
    ("benzene_ug_m3", "ug/m3", 0, 1000),
    ("toluene_ug_m3", "ug/m3", 0, 5000),
    ("xylene_ug_m3", "ug/m3", 0, 5000),
    ("pm2_5_ug_m3", "ug/m3", 0, 5000),
)
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
"""

PROFILES = """\
# What devices of one make report, how often, and after how many missed reports they count as silent.
[lamp-controller]
metrics = ["active_power_w", "supply_voltage_v", "dimming_level_pct"]
report_interval_s = 900
silence_intervals = 4.0

[building-sensor]
metrics = ["indoor_temperature_deg_c", "indoor_humidity_pct", "co2_ppm", "active_power_w"]
report_interval_s = 900
silence_intervals = 4.0

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
"""

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
faults = ["lampUnexpectedOn"]
sla_hours = 120
crew = "alumbrado"

[supply-loss]
names = { es = "Calle a oscuras", ast = "Cai a escures", en = "Whole street dark" }
faults = ["supplyLoss"]
sla_hours = 12
crew = "alumbrado-urgencias"

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
