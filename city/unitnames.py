"""What units are called beside their UCUM symbols: SenML's symbols, UN/CEFACT's codes, and how people write them."""

SENML = {
    "/": "1",
    "count": "1",
    "%RH": "%",
    "%EL": "%",
    "EL": "s",
    "/100": "%",
    "/1000": "[ppth]",
    "ppm": "[ppm]",
    "ppb": "[ppb]",
    "VA": "V.A",
    "kVA": "kV.A",
    "Wh": "W.h",
    "kWh": "kW.h",
    "Wh/km": "W.h/km",
    "VAs": "V.A.s",
    "kVAh": "kV.A.h",
    "vars": "var.s",
    "varh": "var.h",
    "kvarh": "kvar.h",
    "Ah": "A.h",
    "l": "L",
    "l/s": "L/s",
    "lat": "deg",
    "lon": "deg",
    "pH": "[pH]",
    "1/s": "Hz",
    "1/min": "/min",
    "beat/min": "/min",
    "beats": "1",
    "B": "By",
    "KiB": "KiBy",
    "GB": "GBy",
    "B/s": "By/s",
    "MB/s": "MBy/s",
    "Bspl": "B[SPL]",
}
"""RFC 8428, section 12.1, and RFC 8798."""

_REC20 = """
    C62 1  H87 1  EA 1  NAR 1  IE 1  P1 %  60 %  NX [ppth]  59 [ppm]  61 [ppb]  A59 okta
    WTT W  D80 uW  C31 mW  KWT kW  MAW MW  A90 GW  D46 V.A  KVA kV.A  MVA MV.A  D44 var  KVR kvar  K5 kvar  MAR Mvar
    VLT V  2G V  2H V  D82 uV  2Z mV  KVT kV  B78 MV  AMP A  B84 uA  4K mA  B22 kA
    OHM Ohm  E45 mOhm  B49 kOhm  B75 MOhm  SIE S  B99 uS  C27 mS  D10 S/m  G42 uS/cm  H61 mS/cm  H43 S/cm
    JOU J  KJO kJ  3B MJ  GV GJ  J55 W.s  WHR W.h  KWH kW.h  MWH MW.h  GWH GW.h  D32 TW.h  E14 kcal  BTU [Btu]
    C79 kV.A.h  K3 kvar.h  MAH Mvar.h  B13 J/m2  E43 J/cm2  B12 J/m
    COU A.s  E09 mA.h  AMH A.h  FAR F  81 H  WEB Wb  D33 T  D81 uT
    KGM kg  MC ug  MGM mg  GRM g  TNE t  LBR [lb_av]  KGS kg/s  E93 kg/h  E18 t/h  F29 g/s  F27 g/h  4M mg/h
    C34 mol  FH umol  C18 mmol  C36 mol/m3  M33 mmol/L  C38 mol/L
    KEL K  CEL Cel  FAH [degF]
    SEC s  C47 ns  B98 us  C26 ms  B52 ks  MIN min  HUR h  DAY d  WEE wk  MON mo  ANN a
    HTZ Hz  KHZ kHz  MHZ MHz  A86 GHz  RPS Hz  C97 Hz  RPM /min  M46 /min  BPM /min  C94 /min  H10 /h
    LUX lx  B60 lx  KLX klx  LUM lm  CDL cd  A24 cd/m2  B61 lm/W  B63 lx.h  B59 lm.h
    PAL Pa  C55 Pa  74 mPa  A97 hPa  KPA kPa  KNM kPa  MPA MPa  B85 ubar  MBR mbar  BAR bar  ATM atm  PS [psi]
    N23 m[H2O]  HN mm[Hg]  UA mm[Hg]  F79 [in_i'Hg]  F78 [in_i'H2O]  NEW N  B47 kN  NU N.m
    MTR m  C45 nm  4H um  MMT mm  CMT cm  DMT dm  KMT km  INH [in_i]  FOT [ft_i]  YRD [yd_i]  SMI [mi_i]  NMI [nmi_i]
    MTK m2  CMK cm2  HAR har  H18 har  KMK km2
    MTS m/s  C16 mm/s  2M cm/s  KMH km/h  2X m/min  M60 m/h  H49 cm/h  H67 mm/h  KNT [kn_i]  HM [mi_i]/h  FS [ft_i]/s
    MSK m/s2  DD deg  D61 '  D62 ''  C81 rad  2A rad/s  D27 sr
    MTQ m3  K6 m3  MLT mL  CMQ mL  CLT cL  DLT dL  LTR L  DMQ L  HLT hL  MAL ML  GLL [gal_us]  GLI [gal_br]  FTQ [cft_i]
    MQS m3/s  G53 m3/min  MQH m3/h  4X m3/h  G52 m3/d  G51 L/s  L2 L/min  E32 L/h  LD L/d  40 mL/s  41 mL/min
    G2 [gal_us]/min  2L [cft_i]/min
    A93 g/m3  GQ ug/m3  GP mg/m3  KMQ kg/m3  H29 ug/L  M1 mg/L  GL g/L  B35 kg/L
    A99 bit  AD By  2P kBy  4L MBy  E34 GBy  E35 TBy  E64 KiBy  E63 MiBy  E62 GiBy
    B10 bit/s  C74 kbit/s  E20 Mbit/s  B80 Gbit/s  P93 By/s
    D54 W/m2  C32 mW/m2  28 kg/m2  GM g/m2
    BQL Bq  A19 Bq/m3  A95 Gy  D13 Sv  C28 mSv  P72 uSv/h  P73 nSv/h  P71 mSv/h
    Q30 [pH]   2N dB  DBM dBm  DBW dBW
"""
REC20 = dict(zip(_REC20.split()[::2], _REC20.split()[1::2], strict=True))
"""Common codes of UN/CEFACT Recommendation 20, revision 17 (2021): what NGSI's ``unitCode`` holds."""

PEOPLE = {
    "": "1",
    "°C": "Cel",
    "ºC": "Cel",
    "C": "Cel",
    "degC": "Cel",
    "°F": "[degF]",
    "degF": "[degF]",
    "µg/m3": "ug/m3",
    "µg/m³": "ug/m3",
    "μg/m³": "ug/m3",
    "μg/m3": "ug/m3",
    "ug/m³": "ug/m3",
    "mg/m³": "mg/m3",
    "µS/cm": "uS/cm",
    "μS/cm": "uS/cm",
    "µSv/h": "uSv/h",
    "μSv/h": "uSv/h",
    "mg/l": "mg/L",
    "µg/l": "ug/L",
    "ug/l": "ug/L",
    "g/l": "g/L",
    "m³": "m3",
    "m³/h": "m3/h",
    "l/h": "L/h",
    "l/min": "L/min",
    "W/m²": "W/m2",
    "Wh/m2": "W.h/m2",
    "Wh/m²": "W.h/m2",
    "kWh/m2": "kW.h/m2",
    "kWh/m²": "kW.h/m2",
    "Ω": "Ohm",
    "ohm": "Ohm",
    "lux": "lx",
    "Lux": "lx",
    "hours": "h",
    "seconds": "s",
    "minutes": "min",
    "percent": "%",
    "‰": "[ppth]",
    "volt": "V",
    "volts": "V",
    "ampere": "A",
    "amperes": "A",
    "amps": "A",
    "watt": "W",
    "watts": "W",
    "kwh": "kW.h",
    "VAh": "V.A.h",
    "MWh": "MW.h",
    "Mvarh": "Mvar.h",
    "kVAr": "kvar",
    "kVAR": "kvar",
    "VAr": "var",
    "VAR": "var",
    "kVArh": "kvar.h",
    "kVARh": "kvar.h",
    "mAh": "mA.h",
    "rpm": "/min",
    "r/min": "/min",
    "mmHg": "mm[Hg]",
    "inHg": "[in_i'Hg]",
    "psi": "[psi]",
    "mph": "[mi_i]/h",
    "kn": "[kn_i]",
    "°": "deg",
    "dB(A)": "dB[A]",
    "dBA": "dB[A]",
    "Volt": "V",
    "Volts": "V",
    "VOLTS": "V",
    "VAC": "V",
    "Vac": "V",
    "VDC": "V",
    "Vdc": "V",
    "millivolts": "mV",
    "amp": "A",
    "Amp": "A",
    "Amps": "A",
    "AMPS": "A",
    "Ampere": "A",
    "Amperes": "A",
    "milliamps": "mA",
    "Watt": "W",
    "Watts": "W",
    "WATTS": "W",
    "kilowatt": "kW",
    "kilowatts": "kW",
    "Kilowatt": "kW",
    "Kilowatts": "kW",
    "KW": "kW",
    "kw": "kW",
    "Kw": "kW",
    "KWh": "kW.h",
    "Kwh": "kW.h",
    "kWH": "kW.h",
    "kilowatt hours": "kW.h",
    "kva": "kV.A",
    "kvarH": "kvar.h",
    "KVAR": "kvar",
    "Kelvin": "K",
    "celsius": "Cel",
    "Celsius": "Cel",
    "CELSIUS": "Cel",
    "DegC": "Cel",
    "Deg C": "Cel",
    "deg C": "Cel",
    "deg. C": "Cel",
    "Degrees C": "Cel",
    "degrees C": "Cel",
    "degrees Celsius": "Cel",
    "Degrees Celsius": "Cel",
    "° C": "Cel",
    "fahrenheit": "[degF]",
    "Fahrenheit": "[degF]",
    "DegF": "[degF]",
    "Deg F": "[degF]",
    "deg F": "[degF]",
    "deg. F": "[degF]",
    "Degrees F": "[degF]",
    "degrees F": "[degF]",
    "PSI": "[psi]",
    "Psi": "[psi]",
    "Percent": "%",
    "PERCENT": "%",
    "pct": "%",
    "Pct": "%",
    "hertz": "Hz",
    "Hertz": "Hz",
    "hz": "Hz",
    "HZ": "Hz",
    "Ohms": "Ohm",
    "ohms": "Ohm",
    "lumen": "lm",
    "lumens": "lm",
    "Lumens": "lm",
    "sec": "s",
    "secs": "s",
    "Seconds": "s",
    "mins": "min",
    "Minutes": "min",
    "hr": "h",
    "hrs": "h",
    "Hours": "h",
    "days": "d",
    "Days": "d",
    "m^3": "m3",
    "m^3/h": "m3/h",
    "m3/hr": "m3/h",
    "ug/m^3": "ug/m3",
}
"""As they stand in firmware and documents. None of them is a code of Recommendation 20 for another unit."""

NO_UNIT = frozenset({"N/A", "n/a", "None", "none", "NONE", "null", "-", "--"})
"""What stands where a sender has no unit to tell: as if it told none."""

NAMES = {**PEOPLE, **REC20, **SENML}
"""Name → UCUM symbol."""
