"""The assets ``videos``, ``frames``, ``motion`` and ``audio``, and the check on failed videos."""

# Dagster reads annotations as they stand, so no `from __future__ import annotations` here.
from collections import Counter
from collections.abc import Iterator
from typing import Any

import dagster as dg

from assets.media.extraction import MEDIA, Extraction, decoded
from assets.stores.batches import BATCHES
from assets.stores.catalog import dataset_spec, row_count
from assets.stores.needs import MANY_CORES
from assets.stores.progress import Progress, is_forced, timing_metadata
from assets.stores.resources import Decoding, Library
from ml.schemas import AUDIO, FRAMES, MOTION, VIDEOS

# Below this many failures a batch is never stopped: small batches may well be mostly bad files.
FAILURES_TOLERATED = 20
FAILED_SHARE_CHECK = dg.AssetCheckSpec(
    "failed_share",
    asset="videos",
    blocking=True,
    description="Stops the batch when more than KADR_MAX_FAILED_SHARE of its videos failed "
    f"(and more than {FAILURES_TOLERATED}): then the source or the decoder is at fault.",
)


@dg.multi_asset(
    name="extract",
    specs=[dataset_spec(d, group="media") for d in (VIDEOS, *MEDIA)],
    partitions_def=BATCHES,
    op_tags=MANY_CORES.op_tags,
    check_specs=[FAILED_SHARE_CHECK],
    description="One decode of every file of the batch.",
)
def extract(
    context: dg.AssetExecutionContext, library: Library, decoding: Decoding
) -> Iterator[dg.MaterializeResult]:
    """Bring the batch's four files up to date and report."""
    name = context.partition_key
    extraction = Extraction(
        library.datasets,
        library.batches.read(name),
        library.batches.superseded(name),
        decoding.options(),
        force=is_forced(context),
        licences=library.batches.licences(name),
        attempts=decoding.attempts,
    )
    progress = Progress(context, "decode", len(extraction.todo))
    if not extraction.is_current:
        with decoded(extraction, library, decoding.workers) as outcomes:
            extraction.write(outcomes, progress)
    context.log.info(_summary(list(extraction.rows.values())))
    yield from _report(extraction, decoding.max_failed_share)


def _summary(rows: list[dict[str, Any]]) -> str:
    statuses = Counter(row["status"] for row in rows)
    frames = sum(row["kept_frame_count"] for row in rows)
    said = ", ".join(f"{count} {status}" for status, count in statuses.most_common())
    return f"videos: {said or 'none'}; {frames} frames"


def _report(extraction: Extraction, max_failed_share: float) -> Iterator[dg.MaterializeResult]:
    rows = list(extraction.rows.values())
    for dataset in (FRAMES, MOTION, AUDIO):
        count = extraction.store.row_count(dataset.name, extraction.batch.name)
        yield dg.MaterializeResult(asset_key=dataset.name, metadata=row_count(count))
    yield dg.MaterializeResult(
        asset_key="videos",
        metadata={
            **row_count(len(rows)),
            **timing_metadata(extraction.timings),
            **_counts(rows),
            "computed": len(rows) - len(extraction.kept),
            "kept": len(extraction.kept),
        },
        check_results=[_failed_share(rows, max_failed_share)],
    )


def _counts(rows: list[dict[str, Any]]) -> dict[str, float]:
    statuses = Counter(row["status"] for row in rows)
    kept = sum(row["kept_frame_count"] for row in rows)
    plain = sum(row["plain_1fps_frame_count"] for row in rows)
    return {
        **{status: statuses[status] for status in ("ok", "failed", "filtered")},
        "video_hours": round(sum(row["duration_s"] for row in rows) / 3600, 4),
        "kept_frames": kept,
        "plain_1fps_frames": plain,
        "frames_saved_share": round(1 - kept / plain, 4) if plain else 0.0,
    }


def _failed_share(rows: list[dict[str, Any]], limit: float) -> dg.AssetCheckResult:
    failed = [row for row in rows if row["status"] == "failed"]
    share = len(failed) / len(rows) if rows else 0.0
    reasons = Counter(row["error"][:120] for row in failed).most_common(5)
    return dg.AssetCheckResult(
        check_name=FAILED_SHARE_CHECK.name,
        asset_key="videos",
        passed=share <= limit or len(failed) <= FAILURES_TOLERATED,
        metadata={
            "failed": len(failed),
            "failed_share": round(share, 4),
            "limit": limit,
            "reasons": dg.MetadataValue.json([[text, n] for text, n in reasons]),
        },
    )
