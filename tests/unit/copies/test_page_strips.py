"""Strips of the strongest pairs on Dagster's pages (assets/copies/strips.py)."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from assets.copies.strips import pair_strips
from assets.stores.datasets import DatasetStore, Ledger
from assets.stores.storage import Storage
from ml.media.rows import encode_jpeg
from ml.schemas import FRAMES, PAIR_COLUMNS
from tests.unit.copies.checks import BATCH, match
from tests.unit.media.clips import scene


@pytest.fixture
def store(tmp_path: Path) -> DatasetStore:
    """Four frames of the videos v0, v1 and v2."""
    store = DatasetStore(Storage(tmp_path / "library"), tmp_path / "scratch")
    rows = [
        {
            "video_id": f"v{video}",
            "frame_no": n,
            "start_s": float(n),
            "duration_s": 1.0,
            "is_shot_start": n == 0,
            "width": 768,
            "height": 432,
            "jpeg": encode_jpeg(scene(10 * video + n, (768, 432)), 85),
        }
        for video in range(3)
        for n in range(4)
    ]
    with store.replace(FRAMES, BATCH) as new:
        new.write(pa.RecordBatch.from_pylist(rows, FRAMES.schema))
        new.publish(Ledger("m", {}))
    return store


def pairs(*rows: tuple[str, str, str, float]) -> pa.Table:
    times = {f"{side}_{end}s_s": [0.0 if end == "start" else 4.0] for side, end in _TIMES}
    given = [
        {**match(original, verdict, score).row(copy), **times}
        for copy, original, verdict, score in rows
    ]
    return pa.Table.from_pylist(given, pa.schema(PAIR_COLUMNS))


_TIMES = [(side, end) for side in ("copy", "original") for end in ("start", "end")]
_PICTURE = re.compile(r"!\[(.*?)\]\(data:image/jpeg;base64,([A-Za-z0-9+/=]+)\)")
_WHERE = dict.fromkeys(("v0", "v1", "v2"), BATCH)


def test_the_verdicts_strongest_pairs_come_in_turn(store: DatasetStore) -> None:
    found = pairs(
        ("v1", "v0", "duplicate", 0.8),
        ("v2", "v0", "duplicate", 0.9),
        ("v2", "v1", "hard_same_video_other_audio", 0.5),
    )
    names = [name for name, _ in _PICTURE.findall(pair_strips(store, found, _WHERE, 2))]
    assert names == ["v2 of v0", "v2 of v1"]


def test_strips_in_pages_are_small_pictures(store: DatasetStore) -> None:
    text = pair_strips(store, pairs(("v1", "v0", "duplicate", 0.8)), _WHERE)
    ((_, code),) = _PICTURE.findall(text)
    file = base64.b64decode(code)
    picture = Image.open(io.BytesIO(file))
    assert picture.format == "JPEG"
    assert len(file) <= 40_000
    assert picture.width == 4 * 154 + 4
    assert np.asarray(picture).std() > 20


def test_what_people_wrote_does_not_become_markdown(store: DatasetStore) -> None:
    found = pairs(("v1", "v0", "duplicate", 0.8)).to_pylist()
    found[0]["reason"] = "![x](http://example.org/x.png)\n# <b>bold</b>"
    table = pa.Table.from_pylist(found, pa.schema(PAIR_COLUMNS))
    head, _, _ = pair_strips(store, table, _WHERE).partition("\n")
    assert head.endswith(r"\!\[x\]\(http://example.org/x.png\) \# \<b\>bold\</b\>")


def test_pairs_whose_frames_are_gone_are_passed_over(store: DatasetStore) -> None:
    found = pairs(("v1", "away", "duplicate", 0.9), ("v1", "v0", "duplicate", 0.8))
    where = {**_WHERE, "away": BATCH}
    assert [n for n, _ in _PICTURE.findall(pair_strips(store, found, where))] == ["v1 of v0"]
    assert pair_strips(store, found, {}) == "no pairs"
