"""Strips of matching moments: for one pair, and for the strongest pairs on Dagster's pages."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from assets.stores.catalog import plain_line
from assets.stores.datasets import DatasetStore
from ml.schemas import FRAMES, VERDICTS

# Pages keep these in the event log, so they are small: 40 kB each.
_SHOWN_MOMENTS, _SHOWN_TILE_PX, _SHOWN_BYTES = 5, (150, 100), 40_000
_TIMES = ["start_s"]
_PICTURES = ["start_s", "duration_s", "is_shot_start", "jpeg"]

# One video's rows of `frames`, the named columns of them; streamed anew at every call.
FrameRows = Callable[[Sequence[str]], Iterator[pa.RecordBatch]]


def frames_of(store: DatasetStore, batch: str, video_id: str) -> FrameRows:
    """The frames of a video of the library."""
    return partial(_stored, store, batch, video_id)


def _stored(
    store: DatasetStore, batch: str, video_id: str, columns: Sequence[str]
) -> Iterator[pa.RecordBatch]:
    wanted = ["video_id", *columns]
    return store.rows(FRAMES, batch, columns=wanted, video_ids=[video_id])


def pair_strip(
    pair: Mapping[str, Any], copy: FrameRows, original: FrameRows, count: int, **how: Any
) -> bytes | None:
    """The strip of one pair as a JPEG file; None where one side's frames are gone.

    Args:
        pair: values of ``PAIR_COLUMNS``.
        copy: the later video's frames.
        original: the earlier one's.
        count: moments at most.
        how: passed on to ``ml.copies.strips.strip``.
    """
    from ml.copies.strips import Moment, Segments, frames_at, moments_of, strip

    segments = Segments(*(pair[f"{side}_s"] for side in _SIDES))
    starts = [start for rows in copy(_TIMES) for start in rows.column("start_s").to_pylist()]
    times = moments_of(segments, starts, count)
    pictures = [
        frames_at(rows(_PICTURES), [moment[place] for moment in times])
        for place, rows in enumerate((copy, original))
    ]
    if not times or not all(pictures):
        return None
    moments = [
        Moment(copy_s, mine, original_s, theirs)
        for (copy_s, original_s), mine, theirs in zip(times, *pictures, strict=True)
    ]
    return strip(moments, pair["copy_id"], pair["original_id"], **how)


_SIDES = ("copy_starts", "copy_ends", "original_starts", "original_ends")


def pair_strips(
    store: DatasetStore, pairs: pa.Table, batch_of: Mapping[str, str], count: int = 6
) -> str:
    """Strips of the strongest pairs, the verdicts in turn, as Markdown with the pictures in it.

    Args:
        store: where the videos' frames are.
        pairs: rows with ``PAIR_COLUMNS`` among their columns.
        batch_of: video id to its batch; pairs with another video are passed over.
        count: strips at most; each is about 40 kB, a third more in Markdown.
    """
    shown: list[str] = []
    for pair in _in_turn(pairs):
        if len(shown) == count:
            break
        sides = [pair["copy_id"], pair["original_id"]]
        if not all(video in batch_of for video in sides):
            continue
        copy, original = (frames_of(store, batch_of[video], video) for video in sides)
        picture = pair_strip(
            pair,
            copy,
            original,
            _SHOWN_MOMENTS,
            tile_px=_SHOWN_TILE_PX,
            most_bytes=_SHOWN_BYTES,
        )
        if picture is not None:
            shown.append(_markdown(pair, picture))
    return "\n\n".join(shown) or "no pairs"


def _in_turn(pairs: pa.Table) -> Iterator[dict[str, Any]]:
    """The strongest pair of each verdict, then the second strongest of each, and so on."""
    order = [("score", "descending"), ("copy_id", "ascending"), ("original_id", "ascending")]
    by_verdict = [
        pairs.filter(pc.equal(pairs["verdict"], verdict)).sort_by(order) for verdict in VERDICTS
    ]
    for place in range(max(table.num_rows for table in by_verdict)):
        for table in by_verdict:
            yield from table.slice(place, 1).to_pylist()


def _markdown(pair: Mapping[str, Any], picture: bytes) -> str:
    code = base64.b64encode(picture).decode()
    names = f"{plain_line(pair['copy_id'])} of {plain_line(pair['original_id'])}"
    said = plain_line(f"{pair['verdict']}, {pair['score']:.2f}: {pair['reason']}")
    return f"**{names}**: {said}\n\n![{names}](data:image/jpeg;base64,{code})"
