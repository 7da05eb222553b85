"""What counts as a video's text, channel by channel."""

from __future__ import annotations

import pyarrow as pa

from ml.text.channels import channel_texts


def _videos(**rows: tuple[str, str, str]) -> pa.Table:
    names = ("status", "title", "description")
    return pa.Table.from_pylist(
        [{"video_id": v} | dict(zip(names, row, strict=True)) for v, row in rows.items()]
    )


def _lines(*lines: tuple[str, str]) -> pa.Table:
    columns = {"video_id": [v for v, _ in lines], "text": [t for _, t in lines]}
    return pa.table(columns, pa.schema([("video_id", pa.string()), ("text", pa.string())]))


def test_channels_without_text_are_left_out() -> None:
    texts = channel_texts(
        _videos(a=("ok", "Title", " ")), _lines(("a", "hello"), ("a", "world")), _lines()
    )
    assert texts == {"a": {"title": "Title", "asr": "hello world"}}


def test_a_line_that_stands_again_and_again_counts_once() -> None:
    screen = _lines(("a", "NEWS"), ("a", "first"), ("a", "NEWS"), ("a", "second"))
    texts = channel_texts(_videos(a=("ok", "", "")), _lines(), screen)
    assert texts["a"]["ocr"] == "NEWS\nfirst\nsecond"


def test_failed_videos_have_no_channels() -> None:
    assert channel_texts(_videos(a=("failed", "Title", "")), _lines(), _lines()) == {}
