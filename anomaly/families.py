"""Which families of rules there are."""

from anomaly.facilities.family import Facilities
from anomaly.family import Family
from anomaly.segments.family import Segments
from anomaly.statistics.family import Statistics


def families() -> list[Family]:
    """Return one new object of each, in the order in which they are fed."""
    return [Segments(), Facilities(), Statistics()]
