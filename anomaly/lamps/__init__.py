"""Rules of single lamps: what power, voltage, power factor and counters say against command and the lamp's own past."""
