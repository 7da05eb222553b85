"""``kadr search`` and ``kadr suggest``: find the moment from the command line."""

from __future__ import annotations

import io
import json
import re
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orchestration.screen import say, visible
from orchestration.settings import Settings, settled

if TYPE_CHECKING:
    from assets.search.engine import Filters, Result, Search
    from ml.search.engine import Found

CHANNELS = ("title", "speech", "screen", "visual")
_MINUTE_S = 60
_SNIPPET = 100
_HOW = {"title": "title", "speech": "said", "screen": "on screen", "visual": "shown"}
_DATE = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"])


@click.command()
@click.argument("query", required=False)
@click.option("-k", "--k", "count", type=click.IntRange(1, 1000), default=10, show_default=True)
@click.option("--channel", "channels", type=click.Choice(CHANNELS), multiple=True, help="Only it.")
@click.option("--since", type=_DATE, help="Only videos published then or later (UTC).")
@click.option("--topic", metavar="ID|NAME", default="", help="Only videos of it: kadr topics")
@click.option("--person", metavar="ID|NAME", default="", help="Only videos with them: kadr people")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a query.")
def search(
    query: str | None,
    count: int,
    channels: Sequence[str],
    since: datetime | None,
    topic: str,
    person: str,
    as_json: bool,
) -> None:
    """Find videos, and the second in them: kadr search "white cat asleep"

    Looked up are titles, what is said, what is on screen, and what is shown where the profile has
    an image-text model. "In quotes" stands an exact phrase. Without QUERY it asks for one after
    another and keeps the models in memory; so it does with a file of queries as its input.
    """
    from assets.search.engine import Filters

    since = since.replace(tzinfo=UTC) if since else None
    filters = Filters(channels, since, topic, person)
    opened = library_to_search(settled())
    if query is not None:
        show(opened.run(query, count, filters), as_json)
    else:
        _ask(opened, count, filters, as_json)


@click.command()
@click.argument("text")
@click.option("-k", "--k", "count", type=click.IntRange(1, 1000), default=10, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="An array of objects.")
def suggest(text: str, count: int, as_json: bool) -> None:
    """Say how a query may go on, from the library's own words: kadr suggest "робл"

    Each with the number of videos that have it.
    """
    found = library_to_search(settled()).suggest(text, count)
    if as_json:
        click.echo(json.dumps([s._asdict() for s in found], ensure_ascii=False))
        return
    for suggestion in found:
        why = f"   ({suggestion.why})" if suggestion.why else ""
        say(f"{suggestion.videos:>8}  {suggestion.text}{why}")
    if not found:
        click.echo(f"no word of the library begins like {text!r}", err=True)


def library_to_search(settings: Settings) -> Search:
    """The library of the settings; nothing is opened yet."""
    from assets.search.engine import Search
    from orchestration.definitions import resources

    made = resources(settings)
    return Search(
        made["library"],
        made["models"],
        made["tables"],
        settings.state_dir / "search",
        Path(settings.slang_file) if settings.slang_file else None,
        settings.translation_model,
    )


def _ask(opened: Search, count: int, filters: Filters, as_json: bool) -> None:
    """Queries line by line, from a person or a file; a bad one does not end the others."""
    from ml.search.query import QueryError

    opened.open()
    person = sys.stdin.isatty()
    if isinstance(sys.stdin, io.TextIOWrapper):
        # A byte that is no text makes one bad query, not the end of all.
        sys.stdin.reconfigure(errors="surrogateescape")
    while True:
        try:
            line = input("search> ") if person else next(sys.stdin)
        except (EOFError, StopIteration):
            break
        if not line.strip():
            continue
        started = time.monotonic()
        opened.refresh()
        try:
            show(opened.run(line, count, filters), as_json)
        except QueryError as error:
            say(f"kadr: {error}", fg="red", err=True)
        if person:
            click.echo(f"{1000 * (time.monotonic() - started):.0f} ms")


def show(result: Result, as_json: bool) -> None:
    """Print what was found, and to standard error what a person should know about it."""
    if as_json:
        click.echo(json.dumps(as_dict(result), ensure_ascii=False))
        return
    for note in [result.query.said, *result.notes]:
        if note:
            say(note, fg="yellow", err=True)
    for number, found in enumerate(result.found, 1):
        click.echo("\n".join(lines_of(number, found)))
    if not result.found:
        click.echo("nothing found")


def as_dict(result: Result) -> dict[str, Any]:
    """For ``--json``."""
    query = result.query
    corrections = [c._asdict() for c in (*query.corrections, *query.slang)]
    return {
        "query": query.original,
        "searched": [query.text, *query.variants],
        "corrections": corrections,
        "notes": result.notes,
        "answers": [_answer(found) for found in result.found],
    }


def _answer(found: Found) -> dict[str, Any]:
    card = found.card
    published = card.published_at.isoformat() if card and card.published_at else None
    return {
        "video_id": found.video_id,
        "title": card.title if card else "",
        "score": round(found.score, 4),
        "channels": {name: round(score, 4) for name, score in found.channels.items()},
        "moment_s": round(found.moment_s, 2),
        "match": asdict(found.best),
        "uri": card.uri if card else "",
        "published_at": published,
        "copies": list(found.copies),
    }


def lines_of(number: int, found: Found) -> list[str]:
    """An answer for people: title and time, what matched, and where the scores come from."""
    title = visible((found.card.title if found.card else "") or found.video_id)
    scores = "  ".join(f"{name} {score:.2f}" for name, score in found.channels.items())
    best = found.best
    matched = (
        f"frame {best.frame_no}"
        if best.frame_no is not None
        else visible(snippet(best.text, best.place))
    )
    lines = [
        f"{number:>3}  {click.style(title, bold=True)}   at {clock(found.moment_s)}",
        f"     {_HOW[best.channel]}: {matched}",
        f"     {visible(found.video_id)}   {found.score:.2f}   {scores}",
    ]
    if found.copies:
        lines.append(f"     and its copies: {', '.join(map(visible, found.copies))}")
    return lines


def snippet(text: str, place: int = 0) -> str:
    """About a hundred characters of a text, around its word number ``place``."""
    words = list(re.finditer(r"\w+(?:['’]\w+)*", text))
    middle = words[place].start() if place < len(words) else 0
    start = max(0, middle - _SNIPPET // 3)
    if start:
        start = text.find(" ", start) + 1
    piece = text[start : start + _SNIPPET]
    if start + _SNIPPET < len(text):
        piece = piece.rpartition(" ")[0] + " ..."
    return ("... " if start else "") + " ".join(piece.split())


def clock(seconds: float) -> str:
    """Seconds as m:ss or h:mm:ss, as players show them."""
    minutes, second = divmod(int(seconds), _MINUTE_S)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"
