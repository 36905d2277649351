"""A city small enough to read: one cabinet, two feeders, three lamps, one facility."""

SMALL = {
    "city.toml": (
        'name = "Villa de Prueba"\ntimezone = "Europe/Madrid"\nlanguages = ["es", "en"]\nsimulated = true\n'
        'lat = 43.5\nlon = -5.6\n\n[lamp_devices]\nprofile = "lamp"\nprefix = "N-"\n'
    ),
    "districts.geojson": (
        '{"type": "FeatureCollection", "features": [\n'
        '{"type": "Feature", "properties": {"district_id": "centre", "name": "Centro"}, "geometry":'
        ' {"type": "Polygon", "coordinates": [[[-5.7, 43.4], [-5.5, 43.4], [-5.5, 43.6], [-5.7, 43.4]]]}}\n]}\n'
    ),
    "gateways.csv": "gateway_id,name,lat,lon,district_id\nGW-1,Uno,43.5,-5.6,centre\nGW-2,Dos,43.5,-5.6,centre\n",
    "cabinets.csv": "cabinet_id,gateway_id,substation,lat,lon,district_id\nCM-1,GW-1,SE-1,43.5,-5.6,centre\n",
    "feeders.csv": (
        "feeder_id,cabinet_id,switching,schedule_id\nCM-1-A,CM-1,permanent,sun\nCM-1-B,CM-1,switched,sun\n"
    ),
    "lamps.csv": (
        "lamp_id,feeder_id,phase,lamp_type,rated_w,lat,lon,district_id,street\n"
        "L-1,CM-1-A,R,led,36,43.5,-5.6,centre,Calle Mayor\n"
        "L-2,CM-1-A,S,sodium,150,43.5,-5.6,centre,Calle Mayor\n"
        "L-3,CM-1-B,T,led,36,43.5,-5.6,centre,Calle Menor\n"
    ),
    "facilities.csv": "facility_id,kind,name,lat,lon,district_id\nEQ-1,school,Escuela,43.5,-5.6,centre\n",
    "devices.csv": "device_id,asset_id,gateway_id,profile_id\nS-1,EQ-1,GW-2,room\n",
    "profiles.toml": (
        '[lamp]\nmetrics = ["active_power_w", "supply_voltage_v", "dimming_level_pct"]\nreport_interval_s = 900\n'
        'silence_intervals = 4\n\n[room]\nmetrics = ["co2_ppm"]\nreport_interval_s = 600\nsilence_intervals = 6.5\n'
    ),
    "metrics.csv": (
        "name,unit,low,high\nactive_power_w,W,-5,5000\nsupply_voltage_v,V,0,500\ndimming_level_pct,%,0,100\n"
        "co2_ppm,[ppm],0,20000\n"
    ),
    "schedules.toml": "[sun]\nlat = 43.5\nlon = -5.6\nelevation_below_deg = -3\n",
    "faults.toml": "dark_readings = 4\n",
    "categories.toml": (
        '[lamp-out]\nnames = { es = "Farola apagada", en = "Light out" }\nfaults = ["lampFailure"]\nsla_hours = 72\n'
        'crew = "alumbrado"\n'
    ),
}


def changed(file: str, old: str, new: str) -> dict[str, str]:
    """Return the small city with one change in one file."""
    assert old in SMALL[file]
    return {**SMALL, file: SMALL[file].replace(old, new, 1)}
