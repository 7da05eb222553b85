"""Local features and hashes of frames: what they say of a picture, and of its mirror image."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace

import cv2
import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from ml.copies import features
from ml.copies.evidence import Pictures
from ml.copies.features import FrameDescriber, FrameDescription, describe_picture
from ml.schemas import COPY_DESCRIPTORS, FRAMES
from tests.unit.copies.photographs import HEIGHT, WIDTH, bits_apart, picture


def jpeg(rgb: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(rgb).save(file, "JPEG", quality=85)
    return file.getvalue()


def frames(*pictures: np.ndarray | bytes, video_id: str = "v") -> pa.RecordBatch:
    n = len(pictures)
    columns = {
        "video_id": [video_id] * n,
        "frame_no": [25 * i for i in range(n)],
        "start_s": [float(i) for i in range(n)],
        "duration_s": [1.0] * n,
        "is_shot_start": [False] * n,
        "width": [WIDTH] * n,
        "height": [HEIGHT] * n,
        "jpeg": [p if isinstance(p, bytes) else jpeg(p) for p in pictures],
    }
    arrays = [pa.array(columns[field.name], field.type) for field in FRAMES.schema]
    return pa.record_batch(arrays, schema=FRAMES.schema)


def described(*pictures: np.ndarray) -> Pictures:
    return features.pictures_of(FrameDescriber().describe(iter([frames(*pictures)])))


def near(one: FrameDescription | Pictures, other: FrameDescription | Pictures) -> np.ndarray:
    """bool[n, m]: keypoints of the same place, size and direction."""
    apart = np.abs(one.geometry[:, None] - other.geometry[None])
    apart[..., 3] = np.minimum(apart[..., 3], 2 * np.pi - apart[..., 3])
    return (apart < [0.003, 0.003, 0.005, 0.1]).all(axis=2)


def test_rows_follow_the_frames_and_the_schema() -> None:
    batches = [frames(picture("china")), frames(picture("coffee"), picture("moon"), video_id="w")]
    rows = pa.Table.from_batches(list(FrameDescriber(workers=3).describe(iter(batches))))
    assert rows.schema.equals(COPY_DESCRIPTORS.schema, check_metadata=True)
    assert rows["video_id"].to_pylist() == ["v", "w", "w"]
    assert rows["frame_no"].to_pylist() == [0, 0, 25]
    assert rows["aspect"].to_pylist() == pytest.approx([WIDTH / HEIGHT] * 3)
    for count, geometry, descriptors in zip(
        *(rows[name].to_pylist() for name in ("feature_count", "geometry", "descriptors")),
        strict=True,
    ):
        assert (len(geometry), len(descriptors)) == (8 * count, 128 * count)
        assert 0 < count <= features.MAX_FEATURES


def test_number_of_workers_does_not_change_the_rows() -> None:
    batch = frames(*(picture(name) for name in ("china", "coffee", "moon", "flower")))
    one, three = (
        pa.Table.from_batches(list(FrameDescriber(workers=n).describe(iter([batch]))))
        for n in (1, 3)
    )
    assert one.equals(three)


def test_frames_are_read_only_a_little_ahead() -> None:
    pulled = 0

    def endless() -> Iterator[pa.RecordBatch]:
        nonlocal pulled
        while True:
            pulled += 1
            yield frames(np.zeros((HEIGHT, WIDTH, 3), np.uint8))

    stream = FrameDescriber(workers=2).describe(endless())
    next(stream)
    stream.close()
    assert pulled <= features.ROWS_PER_BATCH + 2 * features.FRAMES_AHEAD + 1


def test_broken_picture_is_an_error_that_names_the_video() -> None:
    with pytest.raises(ValueError, match=r"frame at 1\.0 s of video v is not a picture"):
        list(FrameDescriber().describe(iter([frames(picture("moon"), b"not a jpeg")])))


@pytest.mark.parametrize("grey", [0, 128, 255])
def test_flat_picture_is_a_row_without_features(grey: int) -> None:
    flat = described(np.full((HEIGHT, WIDTH, 3), grey, np.uint8))
    assert flat.frame_count == 1
    assert len(flat.geometry) == 0
    assert flat.detail[0] == 0


def test_rows_become_the_arrays_that_were_described() -> None:
    names = ("china", "moon")
    both = described(*(picture(name) for name in names))
    for i, name in enumerate(names):
        decoded = np.asarray(Image.open(io.BytesIO(jpeg(picture(name)))).convert("RGB"))
        alone = describe_picture(decoded)
        rows = slice(both.offsets[i], both.offsets[i + 1])
        assert len(alone.geometry) == rows.stop - rows.start > 50
        part = replace(alone, geometry=both.geometry[rows], descriptors=both.descriptors[rows])
        assert near(part, alone).any(axis=1).mean() > 0.9
        assert bits_apart(both.hashes[i], alone.hash) <= 2


def test_rows_of_two_videos_are_refused() -> None:
    batches = [frames(picture("moon")), frames(picture("coffee"), video_id="w")]
    with pytest.raises(ValueError, match="rows of one video expected, found 2"):
        features.pictures_of(FrameDescriber().describe(iter(batches)))


def test_video_without_rows_has_no_pictures() -> None:
    assert features.pictures_of([]).frame_count == 0
    assert features.mirrored(features.empty_pictures()).frame_count == 0


@pytest.mark.parametrize("name", ["china", "coffee", "motorcycle"])
def test_mirrored_features_are_those_of_the_mirrored_picture(name: str) -> None:
    turned = features.mirrored(described(picture(name)))
    really = described(np.ascontiguousarray(picture(name)[:, ::-1]))
    same = near(turned, really)
    assert same.any(axis=1).mean() > 0.6  # JPEG blocks and equal directions differ
    i, j = np.nonzero(same)
    products = (turned.descriptors[i].astype(float) * really.descriptors[j]).sum(axis=1)
    assert np.median(products / features.UNIT**2) > 0.97
    assert bits_apart(turned.hashes, really.hashes) <= 4


def test_mirroring_twice_changes_nothing() -> None:
    once = described(picture("china"))
    twice = features.mirrored(features.mirrored(once))
    assert np.array_equal(twice.descriptors, once.descriptors)
    assert np.array_equal(twice.hashes, once.hashes)
    assert np.allclose(twice.geometry[:, :3], once.geometry[:, :3], atol=1e-6)


def test_first_features_are_spread_although_a_caption_is_sharper() -> None:
    canvas = cv2.GaussianBlur(picture("china"), (0, 0), 1)
    cv2.putText(canvas, "SALE SALE SALE SALE", (5, 170), 0, 0.9, (255, 255, 255), 2)
    first = describe_picture(canvas).geometry[:40]
    in_caption = first[:, 1] > 140 / WIDTH
    assert in_caption.mean() < 0.5
    cells = {(int(x * 4), int(y * 4)) for x, y in first[:, :2]}
    assert len(cells) >= 7  # of 12


def test_faint_picture_still_has_features() -> None:
    faint = (picture("china") * 0.08 + 100).astype(np.uint8)
    assert len(describe_picture(faint).geometry) >= 50


def test_small_picture_and_tall_picture_are_described() -> None:
    tall = np.ascontiguousarray(picture("china").transpose(1, 0, 2))
    assert describe_picture(tall).geometry[:, 1].max() <= 1
    assert describe_picture(tall).geometry[:, 0].max() <= HEIGHT / WIDTH + 1e-6
    assert len(describe_picture(picture("china")[:2, :3].copy()).geometry) == 0


def test_model_names_step_library_and_settings() -> None:
    assert FrameDescriber().model != FrameDescriber(max_features=10).model
    assert cv2.__version__ in FrameDescriber().model
