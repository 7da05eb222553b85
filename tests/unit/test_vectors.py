"""One vector per video: pooled frames, text rows, joined channels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pytest

from ml.library_schemas import VIDEO_EMBEDDINGS
from ml.schemas import TEXT, VISUAL
from ml.vectors import (
    ModelMismatch,
    list_matrix,
    pool_frames,
    text_rows,
)

Frame = tuple[str, float, Sequence[float]]


def visual(*frames: Frame, model: str = "m@1") -> pa.RecordBatch:
    rows = [
        {
            "video_id": video,
            "frame_no": n,
            "start_s": float(n),
            "duration_s": seconds,
            "embedding": vector,
            "model": model,
        }
        for n, (video, seconds, vector) in enumerate(frames)
    ]
    return pa.RecordBatch.from_pylist(rows, schema=VISUAL.schema)


def pooled(*batches: pa.RecordBatch) -> dict[str, list[float]]:
    found = list(pool_frames(iter(batches)))
    assert all(batch.schema.equals(VIDEO_EMBEDDINGS.schema) for batch in found)
    return {row["video_id"]: row["embedding"] for batch in found for row in batch.to_pylist()}


def test_frames_weigh_as_long_as_they_stand() -> None:
    found = pooled(visual(("a", 3.0, [1, 0]), ("a", 1.0, [0, 1])))
    np.testing.assert_allclose(found["a"], np.array([3, 1]) / np.sqrt(10), rtol=1e-6)


def test_video_over_several_record_batches_is_one_row() -> None:
    frames: list[Frame] = [("a", 1.0, [1, 0]), ("a", 1.0, [0, 1]), ("b", 2.0, [0, 1])]
    whole = pooled(visual(*frames))
    assert pooled(*(visual(frame) for frame in frames)) == whole
    assert pooled(visual(*frames[:1]), visual(), visual(*frames[1:])) == whole
    assert list(whole) == ["a", "b"]


def test_slice_of_a_record_batch_is_pooled_by_its_own_rows() -> None:
    batch = visual(("a", 1.0, [1, 0]), ("b", 1.0, [0, 1]), ("c", 1.0, [1, 0]))
    assert pooled(batch.slice(1, 1)) == {"b": [0.0, 1.0]}


def test_one_frame_of_no_duration_still_gives_a_vector() -> None:
    assert pooled(visual(("a", 0.0, [0, 2])))["a"] == [0.0, 1.0]


def test_frames_that_cancel_out_give_no_row() -> None:
    assert pooled(visual(("a", 1.0, [1, 0]), ("a", 1.0, [-1, 0]), ("b", 1.0, [1, 0]))).keys() == {
        "b"
    }


def test_no_frames_give_no_rows() -> None:
    assert pooled() == {}
    assert pooled(visual()) == {}


def test_two_models_in_one_video_are_refused_and_both_named() -> None:
    with pytest.raises(ModelMismatch, match=r"m@1.*m@2"):
        pooled(visual(("a", 1.0, [1, 0])), visual(("a", 1.0, [1, 0]), model="m@2"))
    with pytest.raises(ModelMismatch, match="2 dimensions"):
        pooled(visual(("a", 1.0, [1, 0])), visual(("a", 1.0, [1, 0, 0])))


def test_vectors_of_two_lengths_in_a_column_are_refused() -> None:
    with pytest.raises(ModelMismatch, match="of 1 and of 2 dimensions"):
        list_matrix(pa.array([[1.0], [1.0, 2.0]], pa.list_(pa.float32())))


def test_text_rows_become_video_embeddings() -> None:
    row = {
        "video_id": "a",
        "channel": "asr",
        "text": "hello there",
        "word_count": 2,
        "language": "en",
        "embedding": [0.0, 1.0],
        "model": "t@1",
    }
    (found,) = text_rows([pa.RecordBatch.from_pylist([row], schema=TEXT.schema)])
    assert found.schema.equals(VIDEO_EMBEDDINGS.schema)
    kept = {name: row[name] for name in VIDEO_EMBEDDINGS.schema.names}
    assert found.to_pylist() == [kept]
