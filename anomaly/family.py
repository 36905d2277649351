"""What a family of rules is: columns of its own beside those of the lamps, laid out, fed and saved with them.

A family sees every reading of its partition once, sorted, and every tick; what it keeps changes in place and is part
of the partition's snapshot. Nothing else may influence what it says.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from anomaly.gaps import GAP
from anomaly.schedules import BurningPeriods
from city.alarm import Census, Scope, Suspicion
from city.lighting import LightingSchedule
from city.link import GatewayLink
from city.registry import DeviceDefinition, RootDefinition


@dataclass(frozen=True, slots=True)
class Layout:
    """What a partition watches, in the order of its columns.

    Attributes
    ----------
    roots : tuple of RootDefinition
        By id.
    devices : list of (RootDefinition, DeviceDefinition)
        Row by row.
    schedules : mapping
        Schedule → its number in `BurningPeriods`.
    """

    roots: tuple[RootDefinition, ...]
    devices: list[tuple[RootDefinition, DeviceDefinition]]
    schedules: Mapping[LightingSchedule, int]


@dataclass(frozen=True, slots=True)
class Rows:
    """Readings of known devices, sorted by device, moment, and the lamps' channel.

    Attributes
    ----------
    device : int32[n]
        Row of the device in `Layout.devices`.
    series : int32[n]
    observed_at, received_at : int64[n], µs UTC
        A moment may come late, or twice: each family says for itself what that means to it.
    value : float64[n], the metric's unit
    """

    device: NDArray[np.int32]
    series: NDArray[np.int32]
    observed_at: NDArray[np.int64]
    received_at: NDArray[np.int64]
    value: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Context:
    """What is known beside the readings.

    Attributes
    ----------
    periods : BurningPeriods
        Around the moments judged.
    deaf : int64[k, 2], µs UTC
        Periods in which ingest did not listen.
    tick_at : int
        The last tick, µs UTC.
    outside_c : float, °C
        How warm it was outside then; NaN where nobody measures it.
    links : mapping
        Gateway → whether it is connected, where the broker has told.
    gaps : gaps.GAP[m]
        What is known of how long each device's gaps last.
    """

    periods: BurningPeriods
    deaf: NDArray[np.int64]
    tick_at: int
    outside_c: float = math.nan
    links: Mapping[str, GatewayLink] = field(default_factory=dict)
    gaps: NDArray[np.void] = field(default_factory=lambda: np.zeros(0, GAP))


@dataclass(frozen=True, slots=True)
class Learnt:
    """Columns of which some fields were learnt, row by row.

    Attributes
    ----------
    name : str
        Of the columns, the same in every release.
    rows : structured[n]
        The columns themselves, not a copy.
    names, scopes : sequence
        Which row is what, and what it hangs below.
    fields : tuple of str
        What was learnt, and what is about to be; the rest is what goes on.
    """

    name: str
    rows: NDArray[Any]
    names: Sequence[str]
    scopes: Sequence[Scope]
    fields: tuple[str, ...]


class Family(ABC):
    """Rules that share columns. One object per partition."""

    name: ClassVar[str]
    """Under which its snapshot is kept: it never changes."""

    @abstractmethod
    def lay_out(self, layout: Layout, at: int) -> list[Suspicion]:
        """Lay the columns out anew; what stays where it was keeps its state.

        Parameters
        ----------
        at : int
            The last tick, µs UTC; 0 while a snapshot is being restored.

        Returns
        -------
        list of Suspicion
            Ends of what was open of anything that is gone.
        """

    @abstractmethod
    def judge(self, rows: Rows, context: Context) -> list[Suspicion]:
        """Take readings that became due, each once."""

    @abstractmethod
    def tick(self, now: int, context: Context) -> list[Suspicion]:
        """Let time pass up to `now`, µs UTC."""

    def census(self, now: int, context: Context) -> list[Census]:
        """Count what correlation has to see across cabinets; called right after `tick`, once a minute."""
        return []

    def learnt(self) -> list[Learnt]:
        """Return what works would teach wrong; asked for anew whenever columns were laid out."""
        return []

    @abstractmethod
    def keep(self) -> list[NDArray[Any]]:
        """Return what is kept, in the order in which a snapshot holds it; equal states give equal bytes.

        The columns themselves, not copies: whoever asks copies them before the next reading.
        """

    @abstractmethod
    def restore(self, snapshot: bytes) -> None:
        """Read the bytes of what `keep` gave; the columns are laid out already as they were then."""


def carry(names: Sequence[str], rows: NDArray[Any], new_names: Sequence[str], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return rows for `new_names`, zeroed, with the values of those that were there before."""
    carried = np.zeros(len(new_names), dtype)
    before = places(names, new_names)
    known = before >= 0
    carried[known] = rows[before[known]]
    return carried


def places(names: Sequence[str], new_names: Sequence[str]) -> NDArray[np.int64]:
    """Return where each of `new_names` was among `names`; −1: nowhere.

    Returns
    -------
    int64[len(new_names)]
    """
    if names is new_names or list(names) == list(new_names):
        return np.arange(len(new_names), dtype=np.int64)
    place = {name: number for number, name in enumerate(names)}
    return np.fromiter((place.get(name, -1) for name in new_names), np.int64, len(new_names))
