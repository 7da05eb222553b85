"""The text channels of a video: title, description, what is said, what is written on screen."""

from __future__ import annotations

import pyarrow as pa

CHANNEL_TEXT = pa.schema(
    [pa.field(name, pa.string(), nullable=False) for name in ("video_id", "channel", "text")]
)


def channel_texts(videos: pa.Table, asr: pa.Table, ocr: pa.Table) -> dict[str, dict[str, str]]:
    """Each ok video's non-empty channels, in the order of ``videos``.

    Speech segments are joined by spaces. A line that stands on screen again and again (a logo, a
    running title) is taken once, at its first appearance, so that it does not drown the others.
    """
    spoken, written = _lines(asr), _lines(ocr)
    texts: dict[str, dict[str, str]] = {}
    for row in videos.select(["video_id", "status", "title", "description"]).to_pylist():
        if row["status"] != "ok":
            continue
        video = row["video_id"]
        channels = {
            "title": row["title"],
            "description": row["description"],
            "asr": " ".join(spoken.get(video, [])),
            "ocr": "\n".join(dict.fromkeys(written.get(video, []))),
        }
        texts[video] = {name: text.strip() for name, text in channels.items() if text.strip()}
    return texts


def _lines(rows: pa.Table) -> dict[str, list[str]]:
    lines: dict[str, list[str]] = {}
    columns = (rows.column("video_id").to_pylist(), rows.column("text").to_pylist())
    for video, line in zip(*columns, strict=True):
        lines.setdefault(video, []).append(line)
    return lines
