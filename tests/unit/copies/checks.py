"""A match and what came of a check, made up for tests."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from assets.copies.check_report import Checked, Match
from ml.copies.verdicts import Verdict
from ml.media.extract import Extracted

BATCH = "2026-11-20-001"
VERDICT = Verdict(
    verdict="duplicate",
    score=0.9,
    visual_score=0.9,
    audio_score=0.0,
    sound="missing",
    copy_share=1.0,
    original_share=0.5,
    mirrored=False,
    rotated_deg=0,
    speed=1.0,
    copy_starts_s=[0.0],
    copy_ends_s=[4.0],
    original_starts_s=[10.0],
    original_ends_s=[14.0],
    reason="100% of it shows the original: 0:00-0:04 from 0:10-0:14",
)
MEDIA = Extracted(
    content_hash="0f",
    source_bytes=1000,
    container="mp4",
    video_codec="h264",
    audio_codec="",
    pixel_format="yuv420p",
    width=320,
    height=180,
    rotation_deg=0,
    fps=25.0,
    duration_s=4.0,
    has_audio=False,
    frame_count=100,
    kept_frame_count=4,
    plain_1fps_frame_count=4,
    decoder="pyav",
    decode_s=0.1,
    warning="",
)


def match(video_id: str, verdict: str = "duplicate", score: float = 0.9, **more: object) -> Match:
    given = Match(
        video_id,
        BATCH,
        "A title",
        f"/videos/{video_id}.mp4",
        datetime(2026, 1, 2, tzinfo=UTC),
        licensed=False,
        is_same_file=False,
        verdict=replace(VERDICT, verdict=verdict, score=score),
    )
    return replace(given, **more)  # type: ignore[arg-type]


def checked(*matches: Match, **more: object) -> Checked:
    given = Checked(
        "/tmp/clip.mp4",
        MEDIA,
        list(matches),
        video_count=12,
        batch_count=3,
        not_searched=[],
        has_evidence=True,
        strip=b"jpeg" if matches else None,
        seconds={"decode": 0.5, "total": 1.25},
    )
    return replace(given, **more)  # type: ignore[arg-type]
