"""`citynerve letters …` as it is typed: parses, calls `app.commands.letters`, prints."""

import asyncio
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.console import Bar, print_json, print_table, say
from app.examples import examples
from city.errors import DataError

if TYPE_CHECKING:
    from stream.letters import LetterQuery

letters_cli = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Messages that were set aside, and their return.",
    epilog=examples("letters"),
)

Data = Annotated[Path | None, typer.Option("--data", help="Folder of the embedded engines.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
Ids = Annotated[list[str] | None, typer.Argument(help="Letters; none: all that match the options.")]
Letter = Annotated[str, typer.Argument(help="The id of a letter, as the list tells it.")]
Reason = Annotated[str | None, typer.Option(help="Only this reason.")]
Gateway = Annotated[str | None, typer.Option(help="Only from this gateway; -: only what names none.")]
Topic = Annotated[str | None, typer.Option(help="Part of the topic; not within bundles of isolated gateways.")]
_TEXT = "Part of the message's first 16 KB, such as the id of a device; not within bundles of isolated gateways."
Text = Annotated[str | None, typer.Option(help=_TEXT)]
Since = Annotated[str | None, typer.Option(help="Received then or later: 2026-11-24, or with T18:00:00Z.")]
Until = Annotated[str | None, typer.Option(help="Received before then.")]
Anew = Annotated[
    bool, typer.Option("--anew", help="Read all of an object again, where its values are called otherwise now.")
]
Many = Annotated[int, typer.Option(min=1, max=1000)]
Why = Annotated[str, typer.Option(help="Why they are not wanted; stands in their history.")]


@letters_cli.command("list", epilog=examples("letters list"))
def letters_list(data: Data = None, reason: Reason = None, limit: Many = 50, as_json: AsJson = False) -> None:
    """Show what was set aside and has not come back."""
    _print(_found(data, _query("open", reason=reason, limit=limit)), as_json)


@letters_cli.command("reasons", epilog=examples("letters reasons"))
def letters_reasons(data: Data = None, as_json: AsJson = False) -> None:
    """Count what waits by reason, and say what to do about it."""
    from app.commands.letters import count_letters
    from app.runtime import attached

    found = asyncio.run(count_letters(attached(data)))
    if as_json:
        print_json(found)
        return
    if not found:
        say("nothing is set aside")
        return
    columns = ("reason", "letters", "units", "happened", "advice", "mender")
    print_table(columns, [[one[name] for name in columns] for one in found])


@letters_cli.command("search", epilog=examples("letters search"))
def letters_search(
    data: Data = None,
    state: Annotated[str, typer.Option(help="open, done or not-wanted")] = "open",
    reason: Reason = None,
    gateway: Gateway = None,
    topic: Topic = None,
    text: Text = None,
    since: Since = None,
    until: Until = None,
    limit: Many = 50,
    as_json: AsJson = False,
) -> None:
    """Search what was set aside: by reason, gateway, topic, text in the message, and time."""
    query = _query(state, reason=reason, gateway=gateway, topic=topic, text=text, since=since, until=until, limit=limit)
    _print(_found(data, query), as_json)


@letters_cli.command("show", epilog=examples("letters show"))
def letters_show(letter: Letter, data: Data = None, as_json: AsJson = False) -> None:
    """Show one letter: its bytes, what can be read in them, what to do, and what happened to it."""
    from app.commands.letters import show_letter
    from app.runtime import attached

    one = asyncio.run(show_letter(attached(data), letter))
    if as_json:
        print_json(one)
        return
    for name in ("id", "state", "reason", "detail", "topic", "gateway", "received_at", "units", "open_units", "tries"):
        say(f"{name:12} {one[name]}")
    if one["only"]:
        say(f"{'set aside':12} {', '.join(f'object {place + 1}: {metric}' for place, metric in one['only'])}")
    say(f"{'meaning':12} {one['happened']}")
    say(f"{'what to do':12} {one['advice']}")
    say(f"{'who can':12} {one['mender']}")
    for event in one["history"]:
        say(f"{event['at']}  {event['kind']} {event['reason']} {event['detail']} ({event['actor']})")
    if one["decoded"]:
        say(f"\n{one['decoded']['text']}{' …' if one['decoded']['cut'] else ''}")
    say(f"\n{one['hex']}")


@letters_cli.command("replay", epilog=examples("letters replay"))
def letters_replay(
    ids: Ids = None,
    data: Data = None,
    reason: Reason = None,
    gateway: Gateway = None,
    topic: Topic = None,
    text: Text = None,
    since: Since = None,
    until: Until = None,
    anew: Anew = False,
    as_json: AsJson = False,
) -> None:
    """Give letters another try after the cause is mended; what is still wrong stays, with its new reason."""
    from app.commands.letters import replay_letters
    from app.runtime import attached

    query, _ = _chosen("open", ids, reason, gateway, topic, text, since, until)
    settings = attached(data)
    with Bar(quiet=as_json) as advance:
        work = replay_letters(settings, ids or [], query, partial(advance, "sending back"), anew=anew)
        report = asyncio.run(work)
    if as_json:
        print_json(report)
        return
    for one in report.pop("results", ()):
        say(f"{one['id']}  {one['outcome']}  {one['reason']} {one['detail']}".rstrip())
    say("  ".join(f"{name} {count}" for name, count in report.items()))


@letters_cli.command("mark", epilog=examples("letters mark"))
def letters_mark(
    ids: Ids = None,
    data: Data = None,
    why: Why = "",
    reason: Reason = None,
    gateway: Gateway = None,
    topic: Topic = None,
    text: Text = None,
    since: Since = None,
    until: Until = None,
    as_json: AsJson = False,
) -> None:
    """Take letters that nobody wants out of the list; they stay set aside in the ledger and can be taken back."""
    # Everything at once would be marked by a slip: without ids something must narrow it.
    query, narrowed = _chosen("open", ids, reason, gateway, topic, text, since, until)
    _mark(data, ids or [], query if narrowed else None, unwanted=True, why=why, as_json=as_json)


@letters_cli.command("unmark", epilog=examples("letters unmark"))
def letters_unmark(
    ids: Ids = None,
    data: Data = None,
    reason: Reason = None,
    gateway: Gateway = None,
    topic: Topic = None,
    text: Text = None,
    since: Since = None,
    until: Until = None,
    as_json: AsJson = False,
) -> None:
    """Take back into the list what was marked as not wanted."""
    query, narrowed = _chosen("not-wanted", ids, reason, gateway, topic, text, since, until)
    _mark(data, ids or [], query if narrowed else None, unwanted=False, why="", as_json=as_json)


def _mark(
    data: Path | None, ids: list[str], query: "LetterQuery | None", *, unwanted: bool, why: str, as_json: bool
) -> None:
    from app.commands.letters import mark_letters
    from app.runtime import attached

    settings = attached(data)
    with Bar(quiet=as_json) as advance:
        progress = partial(advance, "marking")
        done = asyncio.run(mark_letters(settings, ids, query, unwanted=unwanted, reason=why, progress=progress))
    if as_json:
        print_json(done)
    else:
        say(f"letters {done['letters']}")


def _found(data: Path | None, query: "LetterQuery") -> list[dict[str, Any]]:
    from app.commands.letters import list_letters
    from app.runtime import attached

    return asyncio.run(list_letters(attached(data), query))


def _print(found: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    if not found:
        say("nothing is set aside")
        return
    columns = ("id", "received_at", "gateway", "reason", "units", "detail")
    print_table(columns, [[letter[name] for name in columns] for letter in found])


def _chosen(state: str, ids: list[str] | None, *filters: str | None) -> tuple["LetterQuery", bool]:
    """Return the search of `filters` (reason, gateway, topic, text, since, until), and whether it narrows anything.

    Raises
    ------
    DataError
        Letters are named, and a search as well: one of both would be passed over.
    """
    narrowed = any(filters)
    if ids and narrowed:
        raise DataError("name letters, or say which by options: not both, for one would be passed over")
    reason, gateway, topic, text, since, until = filters
    query = _query(state, reason=reason, gateway=gateway, topic=topic, text=text, since=since, until=until)
    return query, narrowed


def _query(
    state: str,
    *,
    reason: str | None = None,
    gateway: str | None = None,
    topic: str | None = None,
    text: str | None = None,
    since: str | None = None,
    until: str | None = None,
    limit: int = 100,
) -> "LetterQuery":
    from stream.letters import LetterQuery, LetterState, gateway_of

    if state not in set(LetterState):
        raise DataError(f"there is no state {state!r}: say {', '.join(LetterState)}")
    return LetterQuery(
        state=LetterState(state),
        reason=reason,
        gateway_id=gateway_of(gateway),
        topic=topic or None,
        text=text or None,
        since=_moment(since),
        until=_moment(until),
        limit=limit,
    )


def _moment(text: str | None) -> int | None:
    """Return a day or a moment as µs UTC; a day begins at midnight UTC."""
    from city.clock import from_datetime

    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise DataError(f"{text!r} is no time: give 2026-11-24 or 2026-11-24T18:00:00Z") from None
    if not 1900 <= at.year <= 2200:
        raise DataError(f"{text} is out of reach")
    return from_datetime(at if at.tzinfo else at.replace(tzinfo=UTC))
