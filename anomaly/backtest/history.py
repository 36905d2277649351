"""An installation's own history, as its log still holds it, scored against labels."""

from collections.abc import Sequence

from anomaly.backtest.figures import count
from anomaly.backtest.fleet import Fleet
from anomaly.backtest.inject import Injection, Injector, SeriesStats, plan
from anomaly.backtest.labels import Label, in_order
from anomaly.backtest.matching import match
from anomaly.backtest.runner import Scored
from anomaly.backtest.shows import showing
from anomaly.backtest.tickets import TicketBook
from anomaly.backtest.watch import Watch
from anomaly.rerun_log import LogRun, Progress
from city import topics
from city.alarm import AlarmEvent
from city.errors import SettingsError
from city.reading import ReadingBatch
from city.registry import RootDefinition
from stream import codec
from stream.log import EventLog, TopicPartition

_READ_MAX = 500


async def backtest_log(
    log: EventLog,
    roots: Sequence[RootDefinition],
    labels: Sequence[Label],
    progress: Progress,
    *,
    kinds: Sequence[Injection] = (),
    seed: int = 0,
) -> Scored:
    """Decide everything again from the log, and score it.

    Parameters
    ----------
    roots : sequence of RootDefinition
        As the registry has them now: what a label's asset hangs below.
    kinds, seed
        What is planted into the readings on their way, if anything; its labels are added.

    Raises
    ------
    SettingsError
        The log holds no readings of these roots.
    EngineError
        The log does not answer.
    """
    fleet = Fleet(roots)
    stats = await _look_through(log, fleet, progress)
    if not stats.last_us:
        raise SettingsError("the log holds no readings: let the city run first, or play recorded ones into it")
    injector = Injector(plan(fleet, stats, kinds, seed), seed)
    known = in_order([*labels, *injector.labels])
    watch = Watch(fleet, known, [showing(label, fleet, stats.last_us) for label in known])
    readings = 0

    def change(batch: ReadingBatch) -> ReadingBatch:
        nonlocal readings
        changed = injector.change(batch) if kinds else batch
        watch.see(changed)
        readings += len(changed)
        return changed

    run, book = await LogRun.over(log, change), TicketBook()
    async for made in run.events(progress):
        book.hear(codec.decode(AlarmEvent, made.value))
    verdict = match(known, book.alarms, {label: watch.first(label) for label in known}, fleet)
    tally = count(verdict, fleet, stats.last_us - stats.first_us, book.alarms.values())
    return Scored(verdict, tally, book, fleet, stats.first_us, stats.last_us, readings)


async def _look_through(log: EventLog, fleet: Fleet, progress: Progress) -> SeriesStats:
    """Read all readings once: until when they reach decides which labels could show."""
    stats = SeriesStats(fleet)
    bounds = await log.bounds(topics.READINGS)
    total, done = sum(b.end - b.begin for b in bounds.values()), 0
    for partition, (offset, end) in sorted(bounds.items()):
        while offset < end:
            most = min(_READ_MAX, end - offset)
            records = await log.read(TopicPartition(topics.READINGS, partition), offset, max_records=most)
            for record in records:
                if record.kind == codec.BATCH:
                    stats.see(codec.decode_batch(record.value))
            offset = records[-1].offset + 1
            done += len(records)
            progress(done, total)
    return stats
