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
    joint_vectors,
    list_matrix,
    pool_frames,
    text_rows,
    without_trend,
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


def channel(seed: int, n: int, d: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((n, d)).astype(np.float32)


def test_channels_weigh_as_asked_whatever_their_dimension() -> None:
    ids = [f"v{i}" for i in range(50)]
    channels = {"visual": (ids, 100 * channel(0, 50, 64)), "title": (ids, channel(1, 50, 8))}
    found, matrix = joint_vectors(channels, {"visual": 3.0})
    assert (found, matrix.shape, matrix.dtype) == (sorted(ids), (50, 72), np.float32)
    squares = (matrix**2).mean(axis=0)
    np.testing.assert_allclose([squares[:8].sum(), squares[8:].sum()], [1.0, 3.0], rtol=1e-4)


def test_absent_channel_neither_attracts_nor_repels() -> None:
    ids = [f"v{i:02d}" for i in range(20)]
    found, matrix = joint_vectors(
        {"title": (ids, channel(0, 20, 6)), "visual": (ids[5:], channel(1, 15, 4))}
    )
    assert found == ids
    # Zeros are the middle of those that have the channel.
    assert not matrix[:5, 6:].any()
    np.testing.assert_allclose(matrix[5:, 6:].mean(axis=0), 0, atol=1e-6)


def test_video_with_one_channel_is_as_far_from_the_middle_as_one_with_all() -> None:
    ids = [f"v{i:03d}" for i in range(400)]
    _, matrix = joint_vectors(
        {"title": (ids, channel(0, 400, 30)), "visual": (ids[200:], channel(1, 200, 30))}
    )
    lengths = (matrix**2).sum(axis=1)
    assert lengths[:200].mean() == pytest.approx(lengths[200:].mean(), rel=0.1)


def test_order_of_videos_does_not_matter() -> None:
    ids, rows = [f"v{i}" for i in range(9)], channel(3, 9, 5)
    order = np.random.default_rng(0).permutation(9)
    ids_a, a = joint_vectors({"title": (ids, rows)})
    ids_b, b = joint_vectors({"title": ([ids[i] for i in order], rows[order])})
    assert ids_a == ids_b
    np.testing.assert_allclose(a, b, atol=1e-6)


def test_constant_columns_and_single_videos_stay_finite() -> None:
    rows = channel(0, 5, 3)
    rows[:, 1] = 7
    assert np.isfinite(joint_vectors({"title": (list("abcde"), rows)})[1]).all()
    assert joint_vectors({"title": (["a"], rows[:1])})[1].tolist() == [[0.0, 0.0, 0.0]]
    assert joint_vectors({})[0] == []
    assert joint_vectors({"title": ([], np.zeros((0, 3), np.float32))})[1].shape == (0, 0)


def test_nan_and_ids_twice_are_refused_by_channel() -> None:
    rows = channel(0, 3, 2)
    with pytest.raises(ValueError, match="channel 'title' holds video 'a' twice"):
        joint_vectors({"title": (["a", "b", "a"], rows)})
    with pytest.raises(ValueError, match="2 ids for 3 vectors"):
        joint_vectors({"title": (["a", "b"], rows)})
    rows[1, 0] = np.nan
    with pytest.raises(ValueError, match="1 of 3 vectors of channel 'title'"):
        joint_vectors({"title": (["a", "b", "c"], rows)})


def test_distrusted_video_weighs_less_in_the_channel_and_as_much_in_all() -> None:
    ids = [f"v{i:03d}" for i in range(400)]
    trust = np.r_[np.full(200, 0.1), np.ones(200)]
    channels = {"asr": (ids, channel(0, 400, 30)), "title": (ids, channel(1, 400, 30))}
    _, matrix = joint_vectors(channels, trust={"title": trust})
    title = (matrix[:, 30:] ** 2).sum(axis=1)
    assert title[:200].mean() < 0.3 * title[200:].mean()
    lengths = (matrix**2).sum(axis=1)
    assert lengths[:200].mean() == pytest.approx(lengths[200:].mean(), rel=0.1)


def test_columns_of_a_whole_channel_keep_their_proportions() -> None:
    ids = [f"v{i}" for i in range(50)]
    rows = channel(0, 50, 2) * np.array([10, 1], np.float32)
    _, matrix = joint_vectors({"lexical": (ids, rows)}, {"lexical": 2.0}, whole={"lexical"})
    assert (matrix**2).sum(axis=1).mean() == pytest.approx(2.0, rel=1e-4)
    by_id = rows[np.argsort(ids)]
    spread = by_id.std(axis=0)[0] / by_id.std(axis=0)[1]
    assert matrix.std(axis=0)[0] / matrix.std(axis=0)[1] == pytest.approx(spread, rel=1e-4)
    same = joint_vectors({"lexical": (ids, np.ones_like(rows))}, whole={"lexical"})[1]
    assert not same.any()


def test_trend_goes_and_the_rest_stays() -> None:
    share, rows = np.linspace(0, 1, 40), channel(0, 40, 5)
    left = without_trend(rows + np.outer(share, [9, -9, 3, 0, 0]).astype(np.float32), share)
    np.testing.assert_allclose((share - share.mean()) @ left, 0, atol=1e-4)
    plain = without_trend(rows, share)
    np.testing.assert_allclose(left - left.mean(axis=0), plain - plain.mean(axis=0), atol=1e-4)
    np.testing.assert_array_equal(without_trend(rows, np.ones(40)), rows)
    assert without_trend(rows[:0], share[:0]).shape == (0, 5)
