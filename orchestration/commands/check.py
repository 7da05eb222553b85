"""``kadr check``: whether a file is a copy of something in the library."""

from __future__ import annotations

import json
import re
import sys
import traceback
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ml.redaction import shown
from orchestration.screen import say

if TYPE_CHECKING:
    from assets.copies.check_report import Checked, Match
    from orchestration.settings import Settings

_FACTS = (
    *("content_hash", "source_bytes", "container", "video_codec", "audio_codec", "width"),
    *("height", "fps", "duration_s", "has_audio", "kept_frame_count", "warning"),
)


class CheckFailed(click.ClickException):
    """No verdict: the error that people read, and the exit code that scripts do."""

    exit_code = 2

    def show(self, file: Any = None) -> None:
        say(f"kadr: {shown(self.message)}", fg="red", err=True)


@click.command()
@click.argument("source", metavar="FILE|URL")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.option(
    "--strip",
    "strip_path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where to put the picture of matching moments; by default KADR_STATE/checks/NAME.jpg.",
)
@click.pass_context
def check(ctx: click.Context, source: str, as_json: bool, strip_path: Path | None) -> None:
    """Say whether a video is a copy of one in the library, and of which seconds.

    FILE|URL is a video, in the library or not: a path, http(s):// or s3://. It is compared as the
    latest video and stays out of the library. An ingestion may run meanwhile.

    The exit code is 0 for a new video, 10 for a copy (in whole or in part), 11 for a hard case (the
    same pictures with other sound, or the same sound under other pictures), 2 for an error.
    """
    checked, strip = _checked(source, strip_path)
    if as_json:
        click.echo(json.dumps(as_dict(checked, strip), indent=1, ensure_ascii=False))
    else:
        say(as_text(checked, strip))
    ctx.exit(exit_code(checked))


def exit_code(checked: Checked) -> int:
    """0 new, 10 copy, 11 hard case."""
    from assets.copies.check_report import EXIT_CODES

    return EXIT_CODES[checked.verdict]


def _checked(source: str, strip_path: Path | None) -> tuple[Checked, Path | None]:
    """Check, and write the strip.

    Raises:
        CheckFailed: for any reason; other traces than those of known errors are printed.
    """
    from assets.copies.check_report import NotSearchable
    from ml.failures import VideoFailure
    from ml.indexes.files import IndexDamaged
    from orchestration.settings import from_environment

    try:
        settings = from_environment()
        checked = _run(source, settings)
        return checked, _written(checked, strip_path, settings)
    except VideoFailure as error:
        raise CheckFailed(f"{source}: {error}") from error
    except (NotSearchable, IndexDamaged, ValueError, OSError) as error:
        raise CheckFailed(str(error)) from error
    except Exception as error:
        traceback.print_exc(file=sys.stderr)
        raise CheckFailed(f"{source} could not be checked: {error}") from error


def _run(source: str, settings: Settings) -> Checked:
    from assets.copies.check import Check
    from assets.copies.check_file import uri_of
    from assets.stores.storage import Storage
    from ml.media.extract import ExtractOptions

    return Check(
        Storage(settings.data_root, dict(settings.storage_options)),
        settings.state_dir / "scratch",
        ExtractOptions(reader=settings.reader, max_duration_s=settings.max_duration_s),
        settings.worker_count,
        settings.limits,
    ).run(uri_of(source))


def _written(checked: Checked, path: Path | None, settings: Settings) -> Path | None:
    """Where the strip lies now; None where there is none."""
    if checked.strip is None:
        return None
    name = re.sub(r"[^\w.-]+", "_", checked.name)[:100]
    path = path or settings.state_dir / "checks" / f"{name}.jpg"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(checked.strip)
    return path


# What is said -------------------------------------------------------------------------------------


def as_dict(checked: Checked, strip: Path | None) -> dict[str, Any]:
    """For ``--json``: the fields of each match are ``PAIR_COLUMNS`` and what is known of it."""
    facts = {name: getattr(checked.media, name) for name in _FACTS}
    return {
        "verdict": checked.verdict,
        "exit_code": exit_code(checked),
        "file": {"uri": shown(checked.uri), "name": checked.name, **facts},
        "library": {
            "videos": checked.video_count,
            "batches": checked.batch_count,
            "batches_not_searched": checked.not_searched,
        },
        "matches": [_match_as_dict(match, checked.name) for match in checked.matches],
        "strip": None if strip is None else str(strip),
        "seconds": checked.seconds,
    }


def _match_as_dict(match: Match, name: str) -> dict[str, Any]:
    known = {k: v for k, v in asdict(match).items() if k not in ("video_id", "verdict")}
    published = match.published_at.isoformat() if match.published_at else None
    return {**match.row(name), **known, "published_at": published}


def as_text(checked: Checked, strip: Path | None) -> str:
    """For people: the verdict, each match, and what to know about the search."""
    lines = [_headline(checked)]
    for match in checked.matches:
        lines += ["", *_match_lines(match)]
    lines.append("")
    if strip is not None:
        lines.append(f"matching moments of {checked.matches[0].video_id}: {strip}")
    return "\n".join([*lines, *_notes(checked)])


def _headline(checked: Checked) -> str:
    if not checked.matches:
        return f"new: nothing in the library matches {checked.name}"
    best = checked.matches[0]
    if best.is_same_file:
        return f"{checked.verdict}: {checked.name} is already in the library, as {best.video_id}"
    return f"{checked.verdict}: {checked.name} against {best.video_id}"


def _match_lines(match: Match) -> list[str]:
    published = f"published {match.published_at:%Y-%m-%d}" if match.published_at else "undated"
    title = [" ".join(match.title.split())] if match.title not in ("", match.video_id) else []
    licensed = ["LICENSED"] if match.licensed else []
    return [
        "  ".join([match.video_id, *title, published, *licensed]),
        f"  {match.verdict.verdict}, score {match.verdict.score:.2f}",
        f"  {match.verdict.reason}",
    ]


def _notes(checked: Checked) -> list[str]:
    seconds = checked.seconds["total"]
    notes = [f"searched {checked.video_count} videos; {seconds:.1f} s in all"]
    if checked.not_searched:
        notes.append(
            f"{len(checked.not_searched)} of {checked.batch_count} batches are not in the indexes "
            "as they are now: an ingestion is at work, or was stopped (kadr ingest SOURCE --all)"
        )
    if not checked.has_evidence:
        notes.append("no detail in its pictures and no sound: only the very file could be found")
    if checked.media.warning:
        notes.append(f"the file {checked.media.warning}")
    return notes
