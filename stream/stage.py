"""What a stage is: one box of the design, moved by a worker; its steps are pure, its sink takes repeats."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar, runtime_checkable

from storage.pool import Connection
from stream.log import Append, Record, TopicPartition

S = TypeVar("S")
S_contra = TypeVar("S_contra", contravariant=True)


@dataclass(slots=True)
class Outcome:
    """What one step leads to.

    Attributes
    ----------
    appends : list of Append
        Records for the next log; a repeat after a crash carries the same ids, so its readers can tell.
    effects : object
        Whatever the stage's `write` takes; None when there is nothing to write.
    """

    appends: list[Append] = field(default_factory=list)
    effects: Any = None


class Stage(Protocol[S]):
    """One box of the design: pure steps over the state of a partition, and a sink that takes repeats without effect."""

    @property
    def group(self) -> str: ...

    @property
    def topics(self) -> tuple[str, ...]: ...

    @property
    def code_version(self) -> str:
        """Changes whenever snapshots of before can no longer be read."""

    @property
    def transactional(self) -> bool:
        """True: every poll is written and checkpointed in one transaction. False: checkpoints follow a timer."""

    def open(self, source: TopicPartition, snapshot: bytes | None) -> S:
        """Build the state of a partition, from a snapshot where there is one."""

    def step(self, state: S, records: Sequence[Record]) -> Outcome:
        """Move records of one partition through the stage, in place: no I/O, no clock, no other partition."""

    def snapshot(self, state: S) -> bytes | None:
        """Return the state as bytes that `open` reads; None where there is none to keep."""

    async def write(self, connection: Connection, effects: Mapping[TopicPartition, Any]) -> None:
        """Write the effects of one poll inside the caller's transaction. Called only if `transactional`."""


@runtime_checkable
class Freezing(Protocol[S_contra]):
    """A stage whose states are large: they are copied between two steps, and made bytes of beside the next ones."""

    def freeze(self, state: S_contra) -> Callable[[], bytes]:
        """Copy the state; return what makes bytes of the copy, in whatever thread: those of `Stage.snapshot`."""
